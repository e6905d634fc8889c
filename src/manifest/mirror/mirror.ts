/**
 * THE MIRROR: a second copy of the manifest's rows in a plain file next to it, from which a manifest
 * that was lost or damaged is made again (rebuild.ts). It stands between the manifest and its
 * key-value store, and writes down what passes.
 *
 *            settle: new base             failed write or commit
 *     stale ──────────────────► current ─────────────────────────► stale
 *       ▲                          │ settle: too long
 *       └──────────────────────────┘
 *
 *   stale     the file on disk is of some moment before, or there is none. Nothing is noted.
 *   current   every commit of a mirrored row is in the file, or waits to be written.
 *
 * (1) `settle` comes between the commit of a checkpoint and what that allows to let go: superblock,
 *     then log and chunks. So what the file lacks after a crash, the log still holds.
 * (2) It is an insurance and refuses nothing: while the disk does not take it, checkpoints go on. A
 *     mirror that is behind the superblock is not used (manager/verify/rebuild.ts).
 * (3) A new base is written to a file of its own, in slices, and takes the place of the old one by a
 *     rename when it is whole and synced.
 * (4) Mirrored is what cannot be found again otherwise. The change log, cursors, jobs and other
 *     bookkeeping about work in progress are not: they begin anew after a rebuild, and so does the
 *     history of the log.
 * (5) The commits of a handle resolve in their order, and are noted in that order.
 * (6) A manifest that may be an old copy never takes the place of a file that may be newer: none is
 *     based before the first `settle`, or `trust`, has said that the manifest is the newest.
 */
import { crc32 } from "node:zlib";
import { present } from "../../base/assert.ts";
import type { Env } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { Turns } from "../../base/turns.ts";
import { STATE_KEY, STORE_KEY, TABLE, type TableName } from "../rows/keys.ts";
import type {
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  OpenKeyValueStore,
  ReaderFacts,
} from "../stores/key-value.ts";
import { MirrorFile } from "./mirror-file.ts";
import { MIRROR_PAYLOAD_BYTES } from "./mirror-format.ts";
import { MirroredStore } from "./mirrored-store.ts";

/** See (4). Of `meta` only what the store is and how far it has come. */
const MIRRORED: readonly TableName[] = [
  "databases",
  "forks",
  "chunks",
  "segments",
  "mapRows",
  "mapVersions",
  "recordLogs",
  "names",
  "snapshots",
  "deadLetters",
  "shipping",
  "epochs",
  "remoteChunks",
  "remoteGarbage",
  "remoteChains",
  "lostWindows",
  "scrubs",
];
const MIRRORED_NUMBERS: ReadonlySet<number> = new Set(MIRRORED.map((name) => TABLE[name]));

/** Changes are written at once when this much waits, else when the next checkpoint settles. */
const WAITING_BYTES_MAX = MIRROR_PAYLOAD_BYTES;
/** A mirror is based anew when it is this many times its base, and not small. */
const GROWTH_MAX = 3;
const SMALL_BYTES = 4 * 1024 * 1024;
/** Rows that are read between two turns of the event loop. */
const SLICE_ROWS = 500;

export interface MirrorOptions {
  readonly env: Env;
  /** Of the store. */
  readonly directory: string;
}

export interface MirrorStats {
  readonly current: boolean;
  readonly bytes: number;
  /** Bases written since the store was opened. */
  readonly bases: number;
  /** Failures since the store was opened, and the newest of them. */
  readonly failures: number;
  readonly lastFailure: string | undefined;
}

export function mirrorPath(directory: string): string {
  return `${directory}/manifest.mirror`;
}

export class ManifestMirror {
  readonly #options: MirrorOptions;
  #store: KeyValueStore | undefined;
  /** Undefined while stale. */
  #file: MirrorFile | undefined;
  #waiting: KeyValueOperation[] = [];
  #waitingBytes = 0;
  /** The newest row of marks, if it is not written yet: the marks between are of no use. */
  #marks: KeyValueOperation | undefined;
  /** A base is being written: what is committed meanwhile is noted for it. */
  #basing = false;
  readonly #commits = new Set<Promise<unknown>>();
  readonly #turns = new Turns();
  /** See (6). */
  #isTrusted = false;
  #bases = 0;
  #failures = 0;
  #lastFailure: unknown;

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  get stats(): MirrorStats {
    const current = this.#file !== undefined;
    const bytes = this.#file?.bytes ?? 0;
    const lastFailure = this.#lastFailure === undefined ? undefined : String(this.#lastFailure);
    return { current, bytes, bases: this.#bases, failures: this.#failures, lastFailure };
  }

  /** Of rows that were committed and are not written yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Of the store beneath. */
  get readers(): ReaderFacts {
    return this.#store?.readers() ?? { count: 0, lagMax: 0 };
  }

  /**
   * How the manifest is to open its store, so that the mirror sees what is committed. With
   * `mustExist`, a store without a manifest is BOP_CORRUPT, and not taken for a new one.
   */
  over(open: OpenKeyValueStore, { mustExist }: { readonly mustExist: boolean }): OpenKeyValueStore {
    return async (place) => {
      const store = await open(place);
      if (mustExist && store.get(STORE_KEY) === undefined) {
        await store.close();
        throw missing(place, this.#options.directory);
      }
      if (this.#store === undefined) await this.#begin(store);
      this.#store = store;
      return new MirroredStore(store, {
        committing: (commit, batch) => this.#watch(commit, batch),
        closing: () => this.#end(store),
      });
    };
  }

  /** The manifest is as new as anything that its store has seen. See (6). */
  trust(): void {
    this.#isTrusted = true;
  }

  /** See (1). Never rejects: see (2). */
  settle(): Promise<void> {
    this.trust();
    return this.#enqueue(async () => {
      const file = this.#file;
      if (file === undefined || isLong(file)) return this.#base();
      await this.#write(file);
      await file.sync();
    });
  }

  /** A new base takes the place of a file that was found to be damaged. Never rejects: see (2). */
  renew(): Promise<void> {
    this.trust();
    return this.#enqueue(() => this.#base());
  }

  async #begin(store: KeyValueStore): Promise<void> {
    const { env, directory } = this.#options;
    const state = store.get(STATE_KEY);
    if (state === undefined) return;
    try {
      this.#file = await MirrorFile.continue(env.storage, mirrorPath(directory), markOf(state));
    } catch (error) {
      this.#fail(error); // It stays stale: the first checkpoint writes a new one.
    }
  }

  /** The manifest closes its store: nothing comes after. */
  async #end(store: KeyValueStore): Promise<void> {
    if (this.#store !== store) return; // One that another took the place of.
    await this.#enqueue(async () => {
      const state = store.get(STATE_KEY);
      const isStale = this.#file === undefined && state !== undefined;
      if (isStale && this.#isTrusted) await this.#base();
      const file = this.#file;
      if (file === undefined || state === undefined) return;
      await this.#write(file);
      await file.endWith(markOf(state));
      await file.sync();
    });
    await this.#file?.close().catch(() => undefined); // It was synced, or it is stale.
    this.#file = undefined;
  }

  #watch(commit: Promise<boolean>, batch: readonly KeyValueOperation[]): void {
    const watched = commit.then(
      (applied) => {
        if (applied) this.#note(batch);
      },
      (error: unknown) => this.#fail(error), // Its outcome is not known: see key-value.ts (2).
    );
    this.#commits.add(watched);
    void watched.then(() => this.#commits.delete(watched));
  }

  #note(batch: readonly KeyValueOperation[]): void {
    if (this.#file === undefined && !this.#basing) return;
    for (const operation of batch) {
      const { key, value } = operation;
      if (isKey(key, STATE_KEY)) this.#marks = operation;
      else if (isMirrored(key)) {
        this.#waiting.push(operation);
        this.#waitingBytes += key.length + (value?.length ?? 0);
      }
    }
    const file = this.#file;
    if (this.#waitingBytes < WAITING_BYTES_MAX || file === undefined || this.#basing) return;
    void this.#enqueue(() => this.#write(file));
  }

  async #write(file: MirrorFile): Promise<void> {
    // In the entry of the last rows, or behind them: they end the commits, see mirror-format.ts (1).
    const operations = this.#marks === undefined ? this.#waiting : [...this.#waiting, this.#marks];
    this.#clear();
    await file.add(operations);
  }

  /** See (3), and mirror-format.ts (1). */
  async #base(): Promise<void> {
    const { env, directory } = this.#options;
    const store = present(this.#store, "a mirror has a store");
    const [old, failures] = [this.#file, this.#failures];
    const temporary = `${directory}/tmp/${Buffer.from(env.random.bytes(8)).toString("hex")}.mirror`;
    this.#forget();
    this.#basing = true;
    let file: MirrorFile | undefined;
    try {
      file = await MirrorFile.create(env.storage, temporary, env.random);
      for (const rows of slices(store)) {
        await file.add(rows);
        await nextTurn(env.clock);
      }
      await Promise.all(this.#commits);
      if (this.#failures > failures) throw new Error("a commit failed while a base was written");
      await this.#write(file);
      await file.endBase();
      await file.sync();
      await env.storage.rename(temporary, mirrorPath(directory));
      await env.storage.syncDirectory(directory);
    } catch (error) {
      await file?.close().catch(() => undefined);
      await env.storage.unlink(temporary).catch(() => undefined); // Else the next open does.
      throw error;
    } finally {
      this.#basing = false;
      await old?.close().catch(() => undefined);
    }
    this.#bases += 1;
    this.#file = file;
  }

  /** One after the other. What fails makes the mirror stale: see (2). */
  #enqueue(work: () => Promise<void>): Promise<void> {
    return this.#turns.run(() => work().catch((error: unknown) => this.#fail(error)));
  }

  #fail(error: unknown): void {
    this.#failures += 1;
    this.#lastFailure = error;
    const file = this.#file;
    this.#forget();
    void file?.close().catch(() => undefined);
  }

  #forget(): void {
    this.#file = undefined;
    this.#clear();
  }

  #clear(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#marks = undefined;
  }
}

/**
 * What tells one state of the manifest from another: of its row without the checksum that ends it,
 * for with that all rows of a length have the same.
 */
function markOf(state: Uint8Array): number {
  return crc32(state.subarray(0, -4));
}

/** All mirrored rows, in slices that are each of one moment. */
function* slices(store: KeyValueStore): Generator<KeyValuePair[]> {
  yield [STORE_KEY, STATE_KEY].flatMap((key) => {
    const value = store.get(key);
    return value === undefined ? [] : [{ key, value }];
  });
  for (const number of MIRRORED_NUMBERS) {
    let from = Uint8Array.of(number);
    while (true) {
      const rows: KeyValuePair[] = [];
      for (const row of store.range(from, Uint8Array.of(number + 1))) {
        rows.push(row);
        if (rows.length === SLICE_ROWS) break;
      }
      if (rows.length > 0) yield rows;
      const last = rows.at(-1)?.key;
      if (last === undefined || rows.length < SLICE_ROWS) break;
      from = Uint8Array.of(...last, 0); // The next key there can be.
    }
  }
}

function isMirrored(key: Uint8Array): boolean {
  if (key[0] === TABLE.meta) return isKey(key, STORE_KEY);
  return MIRRORED_NUMBERS.has(key[0] ?? 0);
}

/** Asked for every row of a commit, of which there may be many thousands: nearly all differ here. */
function isKey(key: Uint8Array, other: Uint8Array): boolean {
  return key[0] === other[0] && Buffer.compare(key, other) === 0;
}

function isLong({ bytes, baseBytes }: MirrorFile): boolean {
  return bytes > SMALL_BYTES && bytes > GROWTH_MAX * baseBytes;
}

function missing(file: string, directory: string): StorageError {
  const why = "the manifest is missing, though the store has been used";
  const remedy = `\`bop rebuild --directory ${directory}\` makes it again from its mirror and the log`;
  return new StorageError("BOP_CORRUPT", `${file}: ${why}; ${remedy}`, {
    details: { file, offset: 0, why },
  });
}
