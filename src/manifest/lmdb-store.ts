/**
 * THE KEY-VALUE STORE ON DISK: LMDB, through the `lmdb` package.
 *
 * (1) A directory is opened once per process, however many handles there are: opening an LMDB
 *     environment twice in a process breaks its locks.
 * (2) `overlappingSync` is off. With it (the package's default) a commit whose sync failed is
 *     rejected, yet stays visible, and later commits build on it. Without it the failed transaction
 *     is rolled back.
 * (3) A batch is a child transaction: if one of its operations throws, none of it is kept.
 * (4) A failed commit rejects a second promise inside the package, `commitError`, which nobody
 *     would handle, and that ends a Node process. It carries the system's error, so it is awaited.
 *     The package also prints the error to standard error; that cannot be turned off.
 * (5) After a failure the environment is closed and opened anew by whoever opens the directory
 *     next. Older handles go on reading through it; they take no commit (handle.ts).
 */
import { resolve as absolute } from "node:path";
import { ABORT, open, type RootDatabase } from "lmdb";
import { ioError } from "../base/errors.ts";
import { KeyValueHandle } from "./handle.ts";
import type { KeyValueOperation, KeyValuePair, KeyValueStore } from "./key-value.ts";

type Root = RootDatabase<Buffer, Uint8Array>;

interface Environment {
  readonly directory: string;
  root: Root;
  handleCount: number;
  failed: boolean;
}

/** See (1). */
const environments = new Map<string, Environment>();

/** System error numbers that LMDB passes on, and LMDB's own for a map that cannot grow. */
const SYSTEM_CODES: Readonly<Record<number, string>> = {
  5: "EIO",
  13: "EACCES",
  27: "EFBIG",
  28: "ENOSPC",
  122: "EDQUOT",
  [-30792]: "ENOSPC",
};

/** Opens or creates the LMDB store that lies in the directory. */
export async function openLmdbStore(directory: string): Promise<KeyValueStore> {
  const environment = environmentOf(absolute(directory));
  environment.handleCount += 1;
  return new KeyValueHandle({
    get(key) {
      const found = environment.root.get(key);
      return found === undefined ? undefined : plain(found);
    },
    range: (from, to) => pairs(environment.root, { from, to }),
    commit: (batch, expected) => commit(environment, { batch, expected }),
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
  const environment: Environment = { directory, root, handleCount: 0, failed: false };
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
    });
  } catch (error) {
    throw failure("open", { directory, error });
  }
}

/** In one go, so that nobody reads between: see (5). */
function reopen(environment: Environment): void {
  const closing = environment.root.close();
  closing.catch(() => undefined); // It had failed already; the new one is what counts.
  environment.root = openRoot(environment.directory);
  environment.failed = false;
}

function* pairs(root: Root, { from, to }: { from: Uint8Array; to: Uint8Array }) {
  for (const { key, value } of root.getRange({ start: from, end: to })) {
    yield { key: plain(key), value: plain(value) } satisfies KeyValuePair;
  }
}

async function commit(
  environment: Environment,
  {
    batch,
    expected,
  }: { batch: readonly KeyValueOperation[]; expected: KeyValueOperation | undefined },
): Promise<boolean> {
  const { root, directory } = environment;
  try {
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
    throw failure("commit", { directory, error: await systemErrorOf(error) });
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
  await environment.root.close();
}

/** See (4). */
async function systemErrorOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: unknown };
  if (commitError === undefined) return error;
  try {
    await commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

function failure(
  operation: string,
  { directory, error }: { readonly directory: string; readonly error: unknown },
): Error {
  const { code } = error as { code?: unknown };
  const name = typeof code === "number" ? SYSTEM_CODES[code] : undefined;
  const message = error instanceof Error ? error.message : String(error);
  const cause = name === undefined ? error : Object.assign(new Error(message), { code: name });
  return ioError(operation, directory, cause);
}

/** Without Node's methods, some of which mean something else on a Buffer (`slice`). */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
