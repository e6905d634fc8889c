/**
 * THE WORLD: everything that the engine may know about what is outside it. The real one is
 * `systemEnv()` (src/io), the simulated one lives in src/io/simulated. It is resolved once, by
 * `Manager.open`; below the manager it is a required constructor parameter and has no default.
 *
 * (1) Nothing outside src/io names a clock, a timer, a random number or a file.
 * (2) A synchronous call exists only where SQLite needs one (it cannot wait) and for the inline
 *     flush of a lone commit (docs/decisions/0003-inline-flush.md).
 */
import type { Driver, DriverOptions } from "./driver.ts";

export interface Env {
  readonly clock: Clock;
  readonly random: Random;
  readonly storage: Storage;
  readonly process: ProcessIdentity;
}

export interface Disposer {
  dispose(): void;
}

export interface Clock {
  /** Milliseconds, with fractions, since some moment. Never goes back. Not a date. */
  monotonicMs(): number;
  /** Milliseconds since 1970. For people; orders nothing. */
  wallMs(): number;
  /** Resolves no sooner than `delayMs` from now; rejects with the signal's reason when it aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** Calls `fn` every `periodMs` until disposed. Keeps no process alive. */
  every(periodMs: number, fn: () => void): Disposer;
  /** Calls `fn` once after `delayMs` unless disposed. Keeps no process alive. */
  after(delayMs: number, fn: () => void): Disposer;
  /** As `after`, for a caller who waits to hear of it: keeps the process alive until then. */
  deadline(delayMs: number, fn: () => void): Disposer;
  /** Calls `fn` in the next turn of the event loop, behind all promise callbacks now ready. */
  turn(fn: () => void): void;
}

export interface Random {
  /** An integer in [0, limit). */
  below(limit: number): number;
  bytes(count: number): Uint8Array;
}

/** Who this process is, so that two owners of one directory can be told apart. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Changes with every boot of the machine. */
  readonly bootId: string;
  /** The moment this process began, in a form that a reused pid does not repeat. */
  readonly startedAt: string;
  /** True if a process with this pid and start is running on this boot of this machine. */
  isAlive(owner: { pid: number; bootId: string; startedAt: string }): boolean;
}

/**
 * `read`: an existing file, for reading. `write`: an existing file, for reading and writing.
 * `create`: a new, empty file; fails if the path is taken.
 */
export type OpenMode = "read" | "write" | "create";

/** Failures are Node's own system errors (`code: "ENOENT"`…), raw; callers wrap them. */
export interface Storage {
  open(path: string, mode: OpenMode): Promise<File>;
  /** For a chunk that SQLite needs within a synchronous read. */
  openSync(path: string): File;
  /** These four as their asynchronous twins: a transaction that spills pages cannot wait either. */
  createSync(path: string): File;
  mkdirSync(path: string): void;
  renameSync(from: string, to: string): void;
  syncDirectorySync(path: string): void;
  /** Creates the directory and its parents; an existing one is fine. Syncs nothing. */
  mkdir(path: string): Promise<void>;
  /** Names in a directory, sorted. */
  list(path: string): Promise<readonly string[]>;
  rename(from: string, to: string): Promise<void>;
  /** A second name for a file. Fails with EEXIST if `to` is taken: of two callers one succeeds. */
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Undefined if there is nothing at the path. */
  stat(path: string): Promise<{ readonly bytes: number; readonly kind: PathKind } | undefined>;
  /** On return, entries created, renamed or removed in the directory survive a power cut. */
  syncDirectory(path: string): Promise<void>;
  freeBytes(path: string): Promise<number>;
  /** A private temporary file for SQLite's rollback journals and sorters. Never survives. */
  scratch(): ScratchFile;
  /** How many asynchronous calls can be under way at a time; more of them queue. */
  readonly threads: number;
  /** How the log of a store is written. Throws BOP_IO if `io` names what cannot be done here. */
  driver(options: DriverOptions): Promise<Driver>;
}

export type PathKind = "file" | "directory" | "other";

export interface File {
  /** Fills `into` from `at` as far as the file reaches; returns the bytes read. */
  read(into: Uint8Array, at: number): Promise<number>;
  readSync(into: Uint8Array, at: number): number;
  /** Writes all of `from`, or throws. The buffer must not change until the promise settles. */
  write(from: Uint8Array, at: number): Promise<void>;
  writeSync(from: Uint8Array, at: number): void;
  /** On return, every write that returned before the call, and the size, survive a power cut. */
  sync(): Promise<void>;
  syncSync(): void;
  truncate(bytes: number): Promise<void>;
  /** Grows the file to `bytes` with real zeros, so that later writes allocate nothing. */
  preallocate(bytes: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** Synchronous and unsynced: what it holds is never needed after a crash. */
export interface ScratchFile {
  readonly sizeBytes: number;
  /** Fills `into` from `at` as far as the file reaches; returns the bytes read. */
  read(into: Uint8Array, at: number): number;
  write(from: Uint8Array, at: number): void;
  truncate(bytes: number): void;
  close(): void;
}
