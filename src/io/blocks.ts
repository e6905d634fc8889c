/** WHAT A DRIVER TAKES: whole blocks, from its own memory, to whole blocks of a file. */

/** A RangeError says which of offset, length and memory is wrong. */
export function assertBlocks(
  from: Uint8Array,
  { at, blockBytes }: { readonly at: number; readonly blockBytes: number },
): void {
  refuseUneven("the offset in the file", at, blockBytes);
  refuseUneven("the length", from.length, blockBytes);
  refuseUneven("the offset in memory", from.byteOffset, blockBytes);
  if (from.length === 0) throw new RangeError("a write of no bytes");
}

export function foreignMemory(done: string): RangeError {
  return new RangeError(`memory that the driver did not allocate was ${done}`);
}

function refuseUneven(what: string, value: number, blockBytes: number): void {
  if (Number.isSafeInteger(value) && value >= 0 && value % blockBytes === 0) return;
  throw new RangeError(`${what} is ${value}; want a multiple of ${blockBytes}`);
}
