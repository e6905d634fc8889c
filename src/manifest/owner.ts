/**
 * WHO OWNS A STORE'S DIRECTORY: a registration that ends with the process (key-value.ts, 5), and a
 * record that tells people who it is and the next owner how this one ended. Both lie in a small
 * key-value store of their own, next to the manifest.
 *
 *   no registration, no record      nobody ever opened the directory
 *   no registration, clean record   the last owner released it
 *   no registration, other record   the last owner ended without: taken over, counted as a crash
 *   registration                    its owner lives, here or in another container: BOP_LOCKED
 *
 *   value: pid u32, boot id text, started at text, nonce text, opened at ms u64, clean u8,
 *          opens u32, crashes u32, in an envelope (envelope.ts)
 *
 * (1) Registration and record are one commit: of two who claim at once, one does.
 * (2) Two guards, either of which refuses: the registration, which the kernel holds, and the record,
 *     if its process can be seen to live. The first sees through pid namespaces, the second does
 *     not rest on file locks.
 * (3) A record of this process that could not be marked clean, since the disk refused it, counts as
 *     dead, so that the directory can be opened again.
 * (4) A registration may be left for a moment by somebody who only looked: it is looked at again
 *     before the directory is said to be owned.
 * (5) A damaged record keeps nobody out, since the registration does; it counts as a crash.
 */
import type { Env } from "../base/env.ts";
import { isStorageError, StorageError } from "../base/errors.ts";
import { type ByteReader, ByteWriter } from "./rows/bytes.ts";
import { seal, unseal } from "./rows/envelope.ts";
import { OWNER_KEY } from "./rows/keys.ts";
import type { KeyValueStore, OpenKeyValueStore } from "./stores/key-value.ts";

export type LastStop = "first-open" | "clean" | "crash";

export interface Ownership {
  /** How the owner before ended. */
  readonly lastStop: LastStop;
  /** How often the directory was opened, this time included. */
  readonly openCount: number;
  /** How many of its owners ended without releasing it. */
  readonly crashCount: number;
  /** The owner before ended without releasing the directory. */
  readonly previousCrashed: boolean;
  /** Gives the directory back. Idempotent; never throws: see (3). */
  release(): Promise<void>;
}

export interface OwnershipOptions {
  readonly openStore: OpenKeyValueStore;
  readonly env: Env;
  /** What is claimed: the directory of the store. */
  readonly owned: string;
}

export interface Owner {
  readonly pid: number;
  readonly bootId: string;
  readonly startedAt: string;
  readonly nonce: string;
  readonly openedAtMs: number;
  readonly clean: boolean;
  readonly openCount: number;
  readonly crashCount: number;
}

const VERSION = 1;
const NONCE_BYTES = 16;
/** See (4). */
const LOOKS = 6;
const LOOK_AGAIN_MS = 30;

/** Nonces of claims that this process holds no more though their records may say so. */
const abandoned = new Set<string>();

/** Where the key-value store of the owner lies. Nothing else is in it: see key-value.ts, `own`. */
export function ownerDirectory(owned: string): string {
  return `${owned}/owner`;
}

/** Throws BOP_LOCKED if somebody alive owns the directory. */
export async function claimOwnership(options: OwnershipOptions): Promise<Ownership> {
  const { env } = options;
  for (let look = 1; ; look++) {
    const store = await options.openStore(ownerDirectory(options.owned));
    try {
      return await claim(store, options);
    } catch (error) {
      await store.close();
      if (!isStorageError(error, "BOP_LOCKED") || look === LOOKS) throw error;
      if (error.details.pid === env.process.pid) throw error;
      await env.clock.sleep(LOOK_AGAIN_MS + env.random.below(LOOK_AGAIN_MS));
    }
  }
}

/**
 * Throws BOP_LOCKED if somebody alive owns the directory, and claims nothing: for a program that
 * only looks at files. A directory that nobody ever owned is left as it is.
 */
export async function refuseIfOwned(options: OwnershipOptions): Promise<void> {
  const { env, openStore, owned } = options;
  const directory = ownerDirectory(owned);
  if ((await env.storage.stat(directory)) === undefined) return;
  const store = await openStore(directory);
  try {
    let nobody = false;
    const { found } = await store.own(OWNER_KEY, (value) => {
      nobody = judged(value, options).lives !== true;
      return undefined;
    });
    if (!nobody) throw locked(judged(found, options).owner, options);
  } finally {
    await store.close();
  }
}

async function claim(store: KeyValueStore, options: OwnershipOptions): Promise<Ownership> {
  const { env } = options;
  const { pid, bootId, startedAt } = env.process;
  const nonce = Buffer.from(env.random.bytes(NONCE_BYTES)).toString("hex");
  const us = { pid, bootId, startedAt, nonce, openedAtMs: env.clock.wallMs(), clean: false };
  let before: Before = { lastStop: "first-open", openCount: 0, crashCount: 0 };
  let record: Owner = { ...us, openCount: 1, crashCount: 0 };
  const { owned, found } = await store.own(OWNER_KEY, (value) => {
    before = judged(value, options);
    if (before.lives) return undefined;
    const crashed = before.lastStop === "crash" ? 1 : 0;
    const [openCount, crashCount] = [before.openCount + 1, before.crashCount + crashed];
    record = { ...us, openCount, crashCount };
    return encodeOwner(record);
  });
  if (!owned) throw locked(judged(found, options).owner, options);
  const { lastStop } = before;
  const { openCount, crashCount } = record;
  const previousCrashed = lastStop === "crash";
  return { lastStop, openCount, crashCount, previousCrashed, release: releaser(store, record) };
}

interface Before {
  readonly lastStop: LastStop;
  readonly openCount: number;
  readonly crashCount: number;
  readonly owner?: Owner;
  readonly lives?: boolean;
}

/** A record that is damaged was written by somebody of whom no more is known. See (5). */
function judged(found: Uint8Array | undefined, { env, owned }: OwnershipOptions): Before {
  if (found === undefined) return { lastStop: "first-open", openCount: 0, crashCount: 0 };
  const owner = decodeOwner(found, ownerDirectory(owned));
  if (owner === undefined) return { lastStop: "crash", openCount: 0, crashCount: 0 };
  const { clean, nonce, openCount, crashCount } = owner;
  const lives = !clean && !abandoned.has(nonce) && env.process.isAlive(owner);
  return { lastStop: clean ? "clean" : "crash", openCount, crashCount, owner, lives };
}

function releaser(store: KeyValueStore, record: Owner): () => Promise<void> {
  let released: Promise<void> | undefined;
  const release = async () => {
    try {
      await store.commit([{ key: OWNER_KEY, value: encodeOwner({ ...record, clean: true }) }]);
    } catch {
      abandoned.add(record.nonce);
    }
    await store.close().catch(() => undefined); // Its registration ends with the process then.
  };
  return () => {
    released ??= release();
    return released;
  };
}

function locked(owner: Owner | undefined, { env, owned }: OwnershipOptions): StorageError {
  const { pid = 0, startedAt = "unknown", openedAtMs = 0 } = owner ?? {};
  const details = { directory: owned, pid, startedAt, openedAtMs };
  return new StorageError("BOP_LOCKED", `${owned} is owned by ${whoIs(owner, env)}`, { details });
}

function whoIs(owner: Owner | undefined, env: Env): string {
  if (owner === undefined) return "another process";
  const { pid, openedAtMs } = owner;
  const isSeen = env.process.isAlive(owner);
  if (isSeen && pid === env.process.pid) return "this process";
  const where = isSeen ? "" : " of another container";
  return `process ${pid}${where}, since ${new Date(openedAtMs).toISOString()}`;
}

export function encodeOwner(owner: Owner): Uint8Array {
  const payload = new ByteWriter()
    .u32(owner.pid)
    .text(owner.bootId)
    .text(owner.startedAt)
    .text(owner.nonce)
    .u64(owner.openedAtMs)
    .u8(owner.clean ? 1 : 0)
    .u32(owner.openCount)
    .u32(owner.crashCount)
    .finish();
  return seal(payload, { key: OWNER_KEY, version: VERSION, generation: 0 });
}

/** Undefined for a damaged one. Throws BOP_FORMAT. */
export function decodeOwner(value: Uint8Array, file: string): Owner | undefined {
  try {
    return unseal({ key: OWNER_KEY, value, file }, { version: VERSION, parse: parseOwner });
  } catch (error) {
    if (isStorageError(error, "BOP_CORRUPT")) return undefined;
    throw error;
  }
}

function parseOwner(from: ByteReader): Owner {
  return {
    pid: from.u32(),
    bootId: from.text(),
    startedAt: from.text(),
    nonce: from.text(),
    openedAtMs: from.u64(),
    clean: from.flag(),
    openCount: from.u32(),
    crashCount: from.u32(),
  };
}
