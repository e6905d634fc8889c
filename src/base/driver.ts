/**
 * HOW THE LOG REACHES ITS DEVICE: one driver a store, which opens the segment that takes batches
 * and owns the memory that is written from.
 *
 *   kind        a write                                   what makes it durable
 *   standard    copied to the page cache                  `sync` (fdatasync)
 *   direct      goes to the device past the page cache    the write itself (O_DIRECT | O_DSYNC)
 *   simulated   as one of the two, drawn by seed          the same
 *
 * (1) What is written lies in memory of `allocate`, at a multiple of `blockBytes`, in whole blocks;
 *     so does its place in the file. Anything else is a RangeError, on every driver: a mistake that
 *     only one of them refuses is found too late.
 * (2) Memory that was released is handed out again only when no operation reads it any more,
 *     however long the device takes.
 * (3) Where `writesAreDurable`, an error of a write is a failed flush: the device may have kept any
 *     part of it, and nothing may be written to that file again. Else a refused write may be
 *     repeated, and only an error of `sync` is final.
 */

export type IoChoice = "auto" | "direct" | "standard";

export interface DriverOptions {
  /** Where the segments lie. It exists. */
  readonly directory: string;
  readonly io: IoChoice;
}

/** Memory that files of the driver are written from. */
export interface WriteMemory {
  /** Zeroed or not, at a multiple of the block, at least this many bytes rounded up to blocks. */
  allocate(bytes: number): Uint8Array;
  /** The very array that `allocate` returned, once. See (2). */
  release(memory: Uint8Array): void;
}

export interface Driver extends WriteMemory {
  readonly kind: "standard" | "direct" | "simulated";
  /** Who carries asynchronous calls: the thread pool, or the kernel's own queue. */
  readonly backend: "threads" | "io_uring";
  /** Why it is not "direct", where that was not asked for by name; undefined where it is. */
  readonly fallback: string | undefined;
  /** What the operator should know of the device or its file system; often nothing. */
  readonly warnings: readonly string[];
  /** The unit of every write. */
  readonly blockBytes: number;
  /** An existing file, preallocated; its size does not change. */
  open(path: string): Promise<LogFile>;
  /** Files are closed by who opened them. */
  close(): Promise<void>;
}

export interface LogFile {
  /** `write` returns when a power cut cannot take it any more; `sync` does nothing. See (3). */
  readonly writesAreDurable: boolean;
  /** Writes all of `from`, or throws. It must not change until the promise settles. */
  write(from: Uint8Array, at: number): Promise<void>;
  writeSync(from: Uint8Array, at: number): void;
  /** On return, every write that returned before the call survives a power cut. */
  sync(): Promise<void>;
  syncSync(): void;
  /** Waits for operations under way. Any later one fails with EBADF. Idempotent. */
  close(): Promise<void>;
}
