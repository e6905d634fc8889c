/** DAMAGE of the log, always told with the file and the byte where it was found. */
import { StorageError } from "../base/errors.ts";

export interface Place {
  readonly file: string;
  /** Bytes from the beginning of the file. */
  readonly offset: number;
}

/** Bytes of the log are not what was written. Nothing of the log is served, nothing is dropped. */
export function corrupt({ file, offset }: Place, why: string): StorageError<"BOP_CORRUPT"> {
  const message = `${file} is damaged at byte ${offset}: ${why}`;
  return new StorageError("BOP_CORRUPT", message, { details: { file, offset, why } });
}
