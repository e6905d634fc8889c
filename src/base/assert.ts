/** What the program believes. On in production: better to lose a process than a database. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** One fact per call. Use the `() => string` form when the message needs values. */
export function assert(fact: boolean, message: string | (() => string)): asserts fact {
  if (!fact) throw new AssertionError(typeof message === "string" ? message : message());
}

/** Narrows away `undefined` where the code knows better than the compiler. */
export function present<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new AssertionError(message);
  return value;
}

/** The compiler proves the line is dead; the runtime checks the compiler. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
