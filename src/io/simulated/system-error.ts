/** ERRORS AS THE SYSTEM MAKES THEM: callers cannot tell the simulated disk from a real one. */

export function systemError(
  code: string,
  { operation, path }: { readonly operation: string; readonly path: string },
): Error {
  const message = `${code}: simulated, ${operation} '${path}'`;
  return Object.assign(new Error(message), { code, syscall: operation, path });
}

/** What every call of a process gets that was killed, or whose machine lost its power. */
export class DeadProcessError extends Error {
  override readonly name = "DeadProcessError";
  readonly code = "EOWNERDEAD";

  constructor() {
    super("EOWNERDEAD: simulated, this process was killed");
  }
}
