/** OPTIONS THAT NOBODY KNOWS: a misspelt one must not be silently without effect. */

/** Throws a TypeError that names the option, and those that there are. */
export function refuseUnknown(what: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`${what}: options must be an object`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`${what}: unknown option "${name}"; known are ${known.join(", ")}`);
    }
  }
}
