/**
 * ONE OPEN FILE on a raw descriptor. The log writes through it at every commit, so there is one
 * promise a call and none of a FileHandle's bookkeeping.
 *
 * (1) A write is whole or an error: short writes are continued, interrupted calls repeated.
 * (2) `sync` is fdatasync, which covers data and size. On macOS libuv makes it F_FULLFSYNC, which
 *     reaches the medium; on Windows it is FlushFileBuffers.
 * (3) The descriptor is closed only when no call uses it any more: its number may be given to
 *     another file the moment it is free, and a late write would land there.
 * (4) Closing twice is closing once; any other call on a closed file fails with EBADF.
 * (5) A short write of a file with steps goes on at the last whole step: a direct write takes none
 *     that begins within a block.
 */
import {
  close,
  fdatasync,
  fdatasyncSync,
  open as fsOpen,
  fstat,
  ftruncate,
  read,
  readSync,
  write,
  writeSync,
} from "node:fs";
import type { File } from "../base/env.ts";
import { systemCode } from "../base/errors.ts";
import { MIB } from "../base/units.ts";

type Callback = (error: NodeJS.ErrnoException | null, count?: number) => void;

interface Settle<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

interface Progress {
  readonly at: number;
  done: number;
}

/** What the system does for a file; tests put calls in between that do less than was asked. */
export interface WriteCalls {
  readonly write: (fd: number, piece: Piece, done: Callback) => void;
  readonly writeSync: (fd: number, piece: Piece) => number;
}

export interface Piece {
  readonly from: Uint8Array;
  /** Where in the array, and how much of it. */
  readonly offset: number;
  readonly length: number;
  readonly at: number;
}

export interface SystemFileOptions {
  /** See (5). Default 1. */
  readonly stepBytes?: number;
  readonly calls?: WriteCalls;
}

export const NODE_CALLS: WriteCalls = {
  write: (fd, { from, offset, length, at }, done) => write(fd, from, offset, length, at, done),
  writeSync: (fd, { from, offset, length, at }) => writeSync(fd, from, offset, length, at),
};

const PREALLOCATE_BYTES = MIB;
let zeros: Uint8Array | undefined;

export function openDescriptor(
  path: string,
  { flags, mode }: { readonly flags: number; readonly mode: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    fsOpen(path, flags, mode, (error, fd) => (error === null ? resolve(fd) : reject(error)));
  });
}

export class SystemFile implements File {
  readonly #fd: number;
  readonly #stepBytes: number;
  readonly #calls: WriteCalls;
  #callsInFlight = 0;
  #closed: Promise<void> | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(fd: number, { stepBytes = 1, calls = NODE_CALLS }: SystemFileOptions = {}) {
    this.#fd = fd;
    this.#stepBytes = stepBytes;
    this.#calls = calls;
  }

  read(into: Uint8Array, at: number): Promise<number> {
    return this.#call<number>((settle) => this.#readOn(into, { at, done: 0 }, settle));
  }

  readSync(into: Uint8Array, at: number): number {
    this.assertOpen("read");
    let done = 0;
    while (done < into.length) {
      const count = persist(() => readSync(this.#fd, into, done, into.length - done, at + done));
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  write(from: Uint8Array, at: number): Promise<void> {
    return this.#call<void>((settle) => this.#writeOn(from, { at, done: 0 }, settle));
  }

  writeSync(from: Uint8Array, at: number): void {
    this.assertOpen("write");
    let done = 0;
    while (done < from.length) {
      const piece = { from, offset: done, length: from.length - done, at: at + done };
      const count = this.#wholeSteps(persist(() => this.#calls.writeSync(this.#fd, piece)));
      if (count === 0) throw nothingWritten();
      done += count;
    }
  }

  sync(): Promise<void> {
    return this.#call<void>((settle) => fdatasync(this.#fd, finish(settle)));
  }

  syncSync(): void {
    this.assertOpen("fdatasync");
    fdatasyncSync(this.#fd);
  }

  truncate(bytes: number): Promise<void> {
    return this.#call<void>((settle) => ftruncate(this.#fd, bytes, finish(settle)));
  }

  async preallocate(bytes: number): Promise<void> {
    zeros ??= new Uint8Array(PREALLOCATE_BYTES);
    for (let at = await this.size(); at < bytes; at += PREALLOCATE_BYTES) {
      await this.write(zeros.subarray(0, Math.min(PREALLOCATE_BYTES, bytes - at)), at);
    }
  }

  size(): Promise<number> {
    return this.#call<number>(({ resolve, reject }) => {
      fstat(this.#fd, (error, found) => (error === null ? resolve(found.size) : reject(error)));
    });
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve, reject) => {
      this.#whenIdle = () => {
        close(this.#fd, (error) => (error ? reject(error) : resolve()));
      };
      if (this.#callsInFlight === 0) this.#whenIdle();
    });
    return this.#closed;
  }

  /** Holds the descriptor open while the call lasts: see (3). */
  #call<T>(begin: (settle: Settle<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.assertOpen("call");
      this.#callsInFlight += 1;
      const settle: Settle<T> = {
        resolve: (value) => {
          this.#ended();
          resolve(value);
        },
        reject: (error) => {
          this.#ended();
          reject(error);
        },
      };
      try {
        begin(settle);
      } catch (error) {
        settle.reject(error); // Node refuses bad arguments by throwing.
      }
    });
  }

  #ended(): void {
    this.#callsInFlight -= 1;
    if (this.#callsInFlight === 0) this.#whenIdle?.();
  }

  #readOn(into: Uint8Array, progress: Progress, settle: Settle<number>): void {
    const { at, done } = progress;
    const next: Callback = (error, count = 0) => {
      if (error !== null && !isPassing(error)) return settle.reject(error);
      progress.done += error === null ? count : 0;
      const ended = error === null && count === 0;
      if (ended || progress.done === into.length) return settle.resolve(progress.done);
      this.#readOn(into, progress, settle);
    };
    read(this.#fd, into, done, into.length - done, at + done, next);
  }

  #writeOn(from: Uint8Array, progress: Progress, settle: Settle<void>): void {
    const { at, done } = progress;
    const next: Callback = (error, taken = 0) => {
      if (error !== null && !isPassing(error)) return settle.reject(error);
      const count = error === null ? this.#wholeSteps(taken) : 0;
      progress.done += count;
      if (progress.done === from.length) return settle.resolve();
      if (error === null && count === 0) return settle.reject(nothingWritten());
      this.#writeOn(from, progress, settle);
    };
    const piece = { from, offset: done, length: from.length - done, at: at + done };
    this.#calls.write(this.#fd, piece, next);
  }

  /** See (5). */
  #wholeSteps(count: number): number {
    return count - (count % this.#stepBytes);
  }

  /** Throws EBADF once it is closed. */
  assertOpen(operation: string): void {
    if (this.#closed === undefined) return;
    throw Object.assign(new Error(`EBADF: bad file descriptor, ${operation}`), { code: "EBADF" });
  }
}

function finish({ resolve, reject }: Settle<void>): Callback {
  return (error) => (error ? reject(error) : resolve());
}

/** Repeats a call that a signal interrupted or that the kernel put off. */
function persist(call: () => number): number {
  while (true) {
    try {
      return call();
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
  }
}

function isPassing(error: unknown): boolean {
  const code = systemCode(error);
  return code === "EINTR" || code === "EAGAIN";
}

/** A device that takes no byte and reports no error would be asked for ever. */
function nothingWritten(): Error {
  return Object.assign(new Error("EIO: the device took no byte, write"), { code: "EIO" });
}
