/**
 * WHO OWNS A STORE'S DIRECTORY: a record in the manifest's store, claimed in one transaction.
 *
 *   absent                    nobody; the last owner released it
 *   present, owner is alive   another process, or another store of this one: BOP_LOCKED
 *   present, owner is dead    it ended without releasing it: taken over, and counted as a crash
 *
 *   value: pid u32, boot id text, started at text, nonce text, in an envelope (envelope.ts)
 *
 * (1) A claim replaces exactly the record that was judged: of two who judge the same one dead, one
 *     claims and the other looks again.
 * (2) The nonce tells two claims of one process apart: a release removes its own and no other.
 * (3) A claim that could not be released, since the disk refused it, counts as dead for the rest of
 *     this process, so that the directory can be opened again.
 */
import type { Env } from "../base/env.ts";
import { StorageError } from "../base/errors.ts";
import { ByteWriter } from "./bytes.ts";
import { seal, unseal } from "./envelope.ts";
import type { KeyValueStore, OpenKeyValueStore } from "./key-value.ts";
import { OWNER_KEY } from "./keys.ts";

export interface Ownership {
  /** The owner before ended without releasing the directory. */
  readonly previousCrashed: boolean;
  /** Gives the directory back. Idempotent; never throws: see (3). */
  release(): Promise<void>;
}

export interface OwnershipOptions {
  readonly openStore: OpenKeyValueStore;
  readonly env: Env;
  /** Where the key-value store lies. */
  readonly directory: string;
  /** What is claimed: the store's own directory. For messages. */
  readonly owned: string;
}

interface Owner {
  readonly pid: number;
  readonly bootId: string;
  readonly startedAt: string;
  readonly nonce: string;
}

const VERSION = 1;
const NONCE_BYTES = 16;

/** Nonces of claims that this process holds no more though their records may be there. */
const abandoned = new Set<string>();

/** Throws BOP_LOCKED if somebody alive owns the directory. */
export async function claimOwnership(options: OwnershipOptions): Promise<Ownership> {
  const { env } = options;
  const { pid, bootId, startedAt } = env.process;
  const nonce = Buffer.from(env.random.bytes(NONCE_BYTES)).toString("hex");
  const claim = encodeOwner({ pid, bootId, startedAt, nonce });
  const previousCrashed = await withStore(options, (store) => replace(store, { claim, options }));
  let released: Promise<void> | undefined;
  return {
    previousCrashed,
    release() {
      released ??= withStore(options, async (store) => {
        await store.commitIf({ key: OWNER_KEY, value: claim }, [{ key: OWNER_KEY }]);
      }).catch(() => {
        abandoned.add(nonce);
      });
      return released;
    },
  };
}

async function replace(
  store: KeyValueStore,
  { claim, options }: { readonly claim: Uint8Array; readonly options: OwnershipOptions },
): Promise<boolean> {
  const { env, directory } = options;
  while (true) {
    const found = store.get(OWNER_KEY);
    if (found !== undefined) {
      const owner = decodeOwner(found, directory);
      if (!abandoned.has(owner.nonce) && env.process.isAlive(owner)) throw locked(owner, options);
    }
    const expected = found === undefined ? { key: OWNER_KEY } : { key: OWNER_KEY, value: found };
    const claimed = await store.commitIf(expected, [{ key: OWNER_KEY, value: claim }]);
    if (claimed) return found !== undefined;
  }
}

async function withStore<T>(
  { openStore, directory }: OwnershipOptions,
  use: (store: KeyValueStore) => Promise<T>,
): Promise<T> {
  const store = await openStore(directory);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function locked({ pid, startedAt }: Owner, { env, owned }: OwnershipOptions): StorageError {
  const who = pid === env.process.pid ? "this process" : `process ${pid}`;
  const directory = owned;
  return new StorageError("BOP_LOCKED", `${directory} is owned by ${who}`, {
    details: { directory, pid, startedAt },
  });
}

function encodeOwner({ pid, bootId, startedAt, nonce }: Owner): Uint8Array {
  const payload = new ByteWriter().u32(pid).text(bootId).text(startedAt).text(nonce).finish();
  return seal(payload, { key: OWNER_KEY, version: VERSION, generation: 0 });
}

function decodeOwner(value: Uint8Array, file: string): Owner {
  return unseal(
    { key: OWNER_KEY, value, file },
    {
      version: VERSION,
      parse: (from) => ({
        pid: from.u32(),
        bootId: from.text(),
        startedAt: from.text(),
        nonce: from.text(),
      }),
    },
  );
}
