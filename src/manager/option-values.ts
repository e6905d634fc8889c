/**
 * VALUES OF OPTIONS that come with a call: what is no such value is a TypeError, what is out of range a
 * RangeError, before anything happens. Undefined is what was not said, and stays.
 */

const SHOWN_CHARACTERS = 40;

/** A wrong value as a program would write it, so that "5" is not taken for 5. */
export function shown(value: unknown): string {
  if (typeof value === "string") {
    const isLong = value.length > SHOWN_CHARACTERS;
    return JSON.stringify(isLong ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value);
  }
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
}

/** Time that is allowed; more than none. */
export function timeoutOf(what: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const message = `${what}: timeoutMs is ${shown(value)}; want a positive number of milliseconds`;
  if (typeof value !== "number") throw new TypeError(message);
  if (value > 0) return value;
  throw new RangeError(message);
}

export function yesOrNo(what: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  throw new TypeError(`${what} is ${shown(value)}; want true or false`);
}

/** Of any kind that does what one does: a program may have an AbortSignal that is not this realm's. */
export function signalOf(what: string, value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  const signal = value as Partial<AbortSignal> | null;
  const isSignal =
    typeof signal?.throwIfAborted === "function" && typeof signal.addEventListener === "function";
  if (isSignal) return value as AbortSignal;
  throw new TypeError(`${what}: signal is ${shown(value)}; want an AbortSignal`);
}

/** A path as the system takes one. */
export function assertPath(what: string, path: unknown): asserts path is string {
  if (typeof path !== "string" || path === "") {
    throw new TypeError(`${what}: the path is ${shown(path)}; want the path of a file`);
  }
  if (path.includes("\0")) throw new TypeError(`${what}: the path has a zero byte`);
}
