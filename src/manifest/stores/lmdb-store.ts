/**
 * THE KEY-VALUE STORE ON DISK: LMDB, through the `lmdb` package.
 *
 * (1) A directory is opened once per process, however many handles there are: opening an LMDB
 *     environment twice in a process breaks its locks.
 * (2) `overlappingSync` is off. With it (the package's default) a commit whose sync failed is
 *     rejected, yet stays visible, and later commits build on it. Without it the failed transaction
 *     is rolled back.
 * (3) A batch is a child transaction: if one of its operations throws, none of it is kept.
 * (4) A failed commit rejects two more promises inside the package, which nobody would handle, and
 *     that ends a Node process: `commitError`, which carries the system's error and is awaited, and
 *     the one behind `committed`, which is given a handler at once.
 *     The package also prints the error to standard error; that cannot be turned off.
 * (5) After a failure the environment is closed and opened anew by whoever opens the directory
 *     next. Older handles go on reading through it; they take no commit (handle.ts).
 * (6) An owner is registered by a reader's slot, which it keeps: LMDB lets the kernel hold a lock on
 *     a byte of lock.mdb for as long as the process lives that took a slot. Looking for other slots
 *     and taking one happen inside a write transaction, so of two that come at once one finds the
 *     other. Nobody waits for long: see docs/decisions/0029-owner-by-reader-slot.md.
 * (7) A slot that bears our own pid is never cleared by LMDB, though it may be of a dead process of
 *     another pid namespace. It goes when the environment is opened while nobody else has it open.
 * (8) The table of readers fits one page of lock.mdb, which is written when the file is made: a
 *     mapped page that a full disk cannot back would end the process with SIGBUS.
 * (9) While a transaction of many operations takes pauses, the package would serve what it has put so
 *     far. Reads go through a snapshot of before, until it has ended.
 * (10) When the system refuses a write of pages (not one that ends short), the package prints a
 *     message into a buffer that is too small for some numbers, and the process may end. Nothing is
 *     lost by that: it is a crash like any other. An opening that fails is one, too: lmdb-guard.ts.
 */
import { resolve as absolute } from "node:path";
import { ABORT, open, type RootDatabase, type Transaction } from "lmdb";
import { StorageError } from "../../base/errors.ts";
import { systemEnv } from "../../io/index.ts";
import { KeyValueHandle } from "./handle.ts";
import type {
  ClaimValue,
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  Owned,
  Pause,
  ReaderFacts,
} from "./key-value.ts";
import { lmdbError, systemErrorOf } from "./lmdb-error.ts";
import { fileOf, refuseUnreadable, rehearseOpening } from "./lmdb-guard.ts";
import { LmdbRoom } from "./lmdb-room.ts";

type Root = RootDatabase<Buffer, Uint8Array>;

interface Environment {
  readonly directory: string;
  root: Root;
  handleCount: number;
  failed: boolean;
  readonly room: LmdbRoom;
  /** Of the owner: see (6). */
  slot: Transaction | undefined;
  /** What reads go through while a commit takes pauses: see (9). */
  reading: Transaction | undefined;
}

/** See (8): 64 bytes each, and a header. */
const READERS_MAX = 48;
/** The owner's claim is written though the disk is full: room for it is made when there is some. */
const RESERVE_KEY = Buffer.of(0);
const RESERVE_BYTES = 64 * 1024;

/** Operations of a commit that are carried out in one go. */
const AT_ONCE_MAX = 256;

/** See (1). */
const environments = new Map<string, Environment>();

const EIO = 5;
/** A commit writes inner pages too. */
const SHORT_BYTES = 64 * 1024;

/**
 * Opens or creates the LMDB store that lies in the directory. Throws BOP_CORRUPT, BOP_DISK_FULL or
 * BOP_IO.
 */
export async function openLmdbStore(place: string): Promise<KeyValueStore> {
  const directory = absolute(place);
  const known = environments.get(directory);
  const { storage } = systemEnv({ scratchDirectory: directory });
  if (known === undefined) await refuseUnreadable(storage, directory);
  if (known?.failed !== false) await rehearseOpening(storage, directory);
  const environment = environmentOf(directory);
  environment.handleCount += 1;
  return new KeyValueHandle({
    get(key) {
      const { root, reading } = environment;
      try {
        const found = reading === undefined ? root.get(key) : getThrough(reading, root, key);
        return found === undefined ? undefined : plain(found);
      } catch (error) {
        throw lmdbError("read", { directory, error });
      }
    },
    range: (from, to) => pairs(environment, { from, to }),
    commit: (batch, expected, pause) => commit(environment, { batch, expected, pause }),
    own: async (key, claim) => own(environment, key, claim),
    readers: () => readersOf(environment.root),
    keepRoom: () => keepRoom(environment),
    release: () => release(environment),
  });
}

function environmentOf(directory: string): Environment {
  const known = environments.get(directory);
  if (known !== undefined) {
    if (known.failed) reopen(known);
    return known;
  }
  const root = openRoot(directory);
  const environment: Environment = {
    directory,
    root,
    handleCount: 0,
    failed: false,
    room: new LmdbRoom(systemEnv({ scratchDirectory: directory }).storage, fileOf(directory)),
    slot: undefined,
    reading: undefined,
  };
  environments.set(directory, environment);
  return environment;
}

function openRoot(directory: string): Root {
  try {
    return open<Buffer, Uint8Array>({
      path: directory,
      noSubdir: false, // By default a dot in the directory's name would make it a file.
      encoding: "binary",
      keyEncoding: "binary",
      compression: false,
      cache: false,
      overlappingSync: false, // See (2).
      noSync: false,
      noMetaSync: false,
      useWritemap: false,
      maxDbs: 1,
      maxReaders: READERS_MAX,
    });
  } catch (error) {
    throw lmdbError("open", { directory, error });
  }
}

/** In one go, so that nobody reads between: see (5). */
function reopen(environment: Environment): void {
  const closing = environment.root.close();
  closing.catch(() => undefined); // It had failed already; the new one is what counts.
  environment.slot = undefined;
  environment.root = openRoot(environment.directory);
  environment.failed = false;
}

function* pairs(
  { root, reading, directory }: Environment,
  { from, to }: { readonly from: Uint8Array; readonly to: Uint8Array },
): Generator<KeyValuePair> {
  const transaction = reading && { transaction: reading };
  try {
    for (const { key, value } of root.getRange({ start: from, end: to, ...transaction })) {
      yield { key: plain(key), value: plain(value) };
    }
  } catch (error) {
    throw lmdbError("read", { directory, error }); // Whoever takes the pairs throws elsewhere.
  }
}

async function commit(
  environment: Environment,
  commit: {
    readonly batch: readonly KeyValueOperation[];
    readonly expected: KeyValueOperation | undefined;
    readonly pause: Pause | undefined;
  },
): Promise<boolean> {
  const { root, directory } = environment;
  const { batch, expected, pause } = commit;
  try {
    if (pause !== undefined && batch.length > AT_ONCE_MAX) {
      await commitWithPauses(environment, batch, pause);
      return true;
    }
    let applied = true;
    await root.childTransaction(() => {
      applied = expected === undefined || holds(root, expected);
      if (!applied) return ABORT;
      for (const { key, value } of batch) {
        if (value === undefined) root.removeSync(key);
        else root.putSync(key, asBuffer(value));
      }
      return undefined;
    });
    // What made the condition false may be younger than the snapshot that reads use.
    if (!applied) root.resetReadTxn();
    return applied;
  } catch (error) {
    environment.failed = true;
    void root.committed.then(undefined, () => undefined); // The third promise: see (4).
    const cause = await systemErrorOf(error);
    throw lmdbError("commit", {
      directory,
      error: await shortWriteToldApart(cause, environment, batch),
    });
  }
}

/** A write that ends short since the disk is full is EIO to LMDB. */
async function shortWriteToldApart(
  error: unknown,
  { directory }: Environment,
  batch: readonly KeyValueOperation[],
): Promise<unknown> {
  if ((error as { code?: unknown }).code !== EIO) return error;
  const bytes = batch.reduce((sum, { value }) => sum + (value?.length ?? 0), 2 * SHORT_BYTES);
  const { storage } = systemEnv({ scratchDirectory: directory });
  const freeBytes = await storage.freeBytes(directory).catch(() => Number.POSITIVE_INFINITY);
  return freeBytes > bytes ? error : Object.assign(new Error(String(error)), { code: "ENOSPC" });
}

/** See (9). `get` would take what is being written, whatever transaction it is given. */
function getThrough(transaction: Transaction, root: Root, key: Uint8Array): Buffer | undefined {
  for (const found of root.getRange({ start: key, limit: 1, transaction })) {
    if (Buffer.compare(found.key, key) === 0) return found.value;
  }
  return undefined;
}

/** See (9). */
async function commitWithPauses(
  environment: Environment,
  batch: readonly KeyValueOperation[],
  pause: Pause,
): Promise<void> {
  const { root } = environment;
  environment.reading = root.useReadTransaction();
  try {
    await root.childTransaction(async () => {
      for (const { key, value } of batch) {
        if (value === undefined) root.removeSync(key);
        else root.putSync(key, asBuffer(value));
        await pause();
      }
    });
  } finally {
    environment.reading.done();
    environment.reading = undefined;
    root.resetReadTxn();
  }
}

function own(environment: Environment, key: Uint8Array, claim: ClaimValue): Owned {
  const { root, directory } = environment;
  let found: Uint8Array | undefined;
  let slot: Transaction | undefined;
  try {
    const owned = root.transactionSync(() => {
      const before = root.get(key);
      found = before === undefined ? undefined : Uint8Array.from(before);
      root.readerCheck(); // Clears the slots of processes that died.
      if (environment.slot !== undefined || hasReaders(root)) return false;
      const value = claim(found);
      if (value === undefined) return false;
      slot = root.useReadTransaction();
      root.putSync(key, asBuffer(value));
      if (found === undefined) root.putSync(RESERVE_KEY, Buffer.alloc(RESERVE_BYTES));
      return true;
    });
    if (owned && found === undefined) {
      root.removeSync(RESERVE_KEY);
      // One commit more: the next owner's slot reads the newest, and keeps what that one freed.
      root.putSync(RESERVE_KEY, Buffer.alloc(1));
    }
    environment.slot ??= slot;
    return { owned, found };
  } catch (error) {
    slot?.done();
    if (error instanceof StorageError) throw error; // Of the claim: nothing was tried.
    environment.failed = true;
    throw lmdbError("claim", { directory, error });
  }
}

function hasReaders(root: Root): boolean {
  return slotsOf(root).length > 0;
}

/** The list has a line for each slot in use: pid, thread, and a transaction while it reads. */
function slotsOf(root: Root): (number | undefined)[] {
  const lines = String(root.readerList()).matchAll(/^ *\d+ +\S+ +(\d+|-) *$/gm);
  return [...lines].map(([, transaction]) =>
    transaction === "-" ? undefined : Number(transaction),
  );
}

function readersOf(root: Root): ReaderFacts {
  root.readerCheck(); // Those of processes that died do not count.
  const { lastTxnId } = root.getStats() as { lastTxnId: number };
  const reading = slotsOf(root).filter((transaction) => transaction !== undefined);
  const lags = reading.map((transaction) => lastTxnId - transaction);
  return { count: reading.length, lagMax: Math.max(0, ...lags) };
}

interface PageStats {
  readonly lastPageNumber: number;
  readonly pageSize: number;
}

/** What the newest commit has is what its last page says: see lmdb-room.ts. */
function keepRoom({ root, room, failed }: Environment): Promise<void> | undefined {
  if (failed) return undefined;
  try {
    const { lastPageNumber, pageSize } = root.getStats() as PageStats;
    return room.keep((lastPageNumber + 1) * pageSize);
  } catch {
    return undefined; // It is read to be told. The next commit says what is wrong.
  }
}

function holds(root: Root, { key, value }: KeyValueOperation): boolean {
  const found = root.get(key);
  if (found === undefined || value === undefined) return found === value;
  return found.equals(value);
}

async function release(environment: Environment): Promise<void> {
  environment.handleCount -= 1;
  if (environment.handleCount > 0) return;
  environments.delete(environment.directory);
  environment.slot?.done();
  environment.slot = undefined;
  await environment.root.close();
}

/** Without Node's methods, some of which mean something else on a Buffer (`slice`). */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
