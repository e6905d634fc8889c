/**
 * WHAT NOTHING IN THE BUCKET NEEDS ANY MORE, from being found to being gone.
 *
 *   found ──► announced: a row ──► a state with that row is put ──► deleted ──► the row goes
 *
 * (1) A delete cannot be made conditional, so it is announced: whoever takes over from a state that was
 *     put before the delete finds the object among its garbage, and never names it.
 * (2) What is needed is said by retention.ts. A chunk is announced only after a state was put that has
 *     it as garbage: then the log that may name it is in the bucket, and will not be put again.
 * (3) Of the numbered objects only those of older epochs go. Fences stay, and so do the two newest
 *     others of the log of each epoch.
 * (4) A list may lag. What it does not show yet, the next look finds.
 * (5) A chain is deleted before anything that its states need: who finds a state can have it.
 * (6) Nobody waits for deletes: a bucket that refuses them, or does not answer, is full sooner, and
 *     shipping goes on. One run of them goes on at a time; it ends with its epoch. What is announced
 *     meanwhile is for the run behind a later state: the rows that go are news for one.
 */
import type { Clock } from "../../base/env.ts";
import { nextTurn } from "../../base/next-turn.ts";
import {
  garbageOf,
  type Manifest,
  type RemoteChainKey,
  type RemoteChainRow,
  type RemoteGarbageRow,
} from "../../manifest/index.ts";
import {
  bucketKey,
  epochPrefix,
  listAll,
  type ObjectStore,
  PREFIXES,
  parseKey,
} from "../../sink/index.ts";
import { FENCE_BYTES } from "../format/object-frame.ts";
import { BucketOrphans, type BucketOrphansOptions } from "./bucket-orphans.ts";
import type { BucketView } from "./bucket-view.ts";
import {
  type Numbered,
  objectsOf,
  planRetention,
  type RetentionPlan,
  type RetentionPolicy,
} from "./retention.ts";

export interface BucketGarbageOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly view: BucketView;
  readonly manifest: Pick<Manifest, "generation" | "publish">;
  readonly retention: RetentionPolicy;
  readonly remote: BucketOrphansOptions["remote"];
}

export interface GarbageStats {
  /** Objects of the bucket, since the store was opened. */
  readonly deleted: number;
  /** Chunks there that no row had known, likewise. */
  readonly orphans: number;
  /** Why garbage stays for now; undefined if it does not. */
  readonly garbageFault: string | undefined;
}

interface GarbageLook {
  readonly epoch: number;
  readonly shippedGeneration: number;
  readonly signal: AbortSignal | undefined;
}

/** Objects that are announced, and objects that are deleted, in one go. */
const OBJECTS_MAX = 1000;
const DELETES_AT_ONCE = 4;
/** The newest of an epoch that stay beside its fence. */
const NEWEST_KEPT = 2;
const LOOK_MS_MAX = 60 * 60 * 1000;
const LOOK_MS_MIN = 60 * 1000;
const LOOKS_IN_WINDOW = 64;

interface StateTold {
  /** Ends the run. */
  readonly signal: AbortSignal | undefined;
  /** Rows went. */
  readonly struck: () => void;
}

interface Run {
  readonly row: RemoteGarbageRow;
  /** Of the last object in it. */
  readonly next: Numbered & { readonly kind: "wal" | "manifest" };
}

export class BucketGarbage {
  readonly #options: BucketGarbageOptions;
  readonly #orphans: BucketOrphans;
  #nextLookMs = 0;
  #isAnnounced = false;
  #deleted = 0;
  #fault: string | undefined;
  #run: Promise<void> | undefined;
  /** Keys of rows that are struck, and that the view may still show. */
  readonly #struck = new Set<string>();

  constructor(options: BucketGarbageOptions) {
    this.#options = options;
    this.#orphans = new BucketOrphans(options);
  }

  get stats(): GarbageStats {
    return { deleted: this.#deleted, orphans: this.#orphans.found, garbageFault: this.#fault };
  }

  /** When it looks next, also if nothing else happens. */
  get nextLookMs(): number {
    return this.#nextLookMs;
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.#nextLookMs;
  }

  /** Something was announced that no state has told of yet. */
  get hasAnnounced(): boolean {
    return this.#isAnnounced;
  }

  /** Finds and announces. */
  async look(now: GarbageLook): Promise<void> {
    const { clock, view, manifest, retention } = this.#options;
    const nowMs = clock.wallMs();
    const lookedMs = clock.monotonicMs();
    const { chains, epochs } = view;
    const facts = { chains, epochs, ownEpoch: now.epoch, nowMs, objectsMax: OBJECTS_MAX };
    const plan = planRetention(facts, retention);
    const announced = plan.dropped.map(chainRow);
    announced.push(...this.#chunksOf(plan, now.shippedGeneration));
    const left = OBJECTS_MAX - countOf(announced);
    announced.push(...(await this.#numberedOf(plan, { ...now, left })));
    const checkpointLsn = Math.max(0, ...plan.kept.map(({ last }) => last.checkpointLsn));
    const spilled = view.spilledBelow(checkpointLsn);
    const isCut = countOf(announced) >= OBJECTS_MAX;
    this.#nextLookMs = isCut ? lookedMs : lookedMs + this.#everyMs();
    const removeRemoteChains: RemoteChainKey[] = [...plan.dropped];
    const orphans = await this.#orphansOf(now);
    const found = [announced, removeRemoteChains, spilled, orphans];
    if (found.every(({ length }) => length === 0)) return;
    const gone = spilled.map((row) => garbageOf(row, manifest.generation + 1));
    await manifest.publish({
      removeRemoteChains,
      removeRemoteChunks: spilled.map(({ chunk }) => chunk),
      putRemoteGarbage: [...announced, ...gone, ...orphans],
    });
    await nextTurn(clock); // It is noted by whoever ships.
    this.#isAnnounced = true;
  }

  /** A state was put: what it has announced is deleted from now on, behind the back of who calls. */
  told({ signal, struck }: StateTold): void {
    this.#isAnnounced = false;
    if (this.#run !== undefined) return;
    const rows = this.#rowsToDelete();
    if (rows.length === 0) return;
    this.#run = this.#delete(rows, signal).then((isChanged) => {
      this.#run = undefined;
      if (isChanged) struck();
    });
  }

  /** Resolves when nothing is being deleted. */
  async settled(): Promise<void> {
    await this.#run;
  }

  #rowsToDelete(): RemoteGarbageRow[] {
    const announced = [...this.#options.view.garbage].filter(({ state }) => state === "announced");
    const keys = new Set(announced.map(({ key }) => key));
    for (const key of this.#struck) if (!keys.has(key)) this.#struck.delete(key);
    const rows: RemoteGarbageRow[] = [];
    let objects = 0;
    for (const row of announced.sort(inOrderOfDeletes)) {
      if (this.#struck.has(row.key)) continue;
      objects += row.count;
      if (rows.length > 0 && objects > OBJECTS_MAX) break;
      rows.push(row);
    }
    return rows;
  }

  /** Never rejects. True if rows were struck. */
  async #delete(
    rows: readonly RemoteGarbageRow[],
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { manifest, clock } = this.#options;
    const removeRemoteGarbage = await this.#deleteRows(rows, signal);
    if (removeRemoteGarbage.length === 0) return false;
    try {
      await manifest.publish({ removeRemoteGarbage });
      for (const key of removeRemoteGarbage) this.#struck.add(key);
      await nextTurn(clock); // It is noted by whoever ships.
      return true;
    } catch (error) {
      this.#failed(error, signal);
      return false;
    }
  }

  /** Keys of rows that are done with. See (6): the others stay, and a later state tries again. */
  async #deleteRows(
    rows: readonly RemoteGarbageRow[],
    signal: AbortSignal | undefined,
  ): Promise<string[]> {
    const done: string[] = [];
    try {
      for (const row of rows) {
        await this.#deleteAll(keysOf(row), signal);
        done.push(row.key);
      }
      this.#fault = undefined;
    } catch (error) {
      this.#failed(error, signal);
    }
    return done;
  }

  async #orphansOf({ epoch, signal }: GarbageLook): Promise<RemoteGarbageRow[]> {
    const generation = this.#options.manifest.generation + 1;
    try {
      return await this.#orphans.search({ epoch, generation, objectsMax: OBJECTS_MAX, signal });
    } catch (error) {
      this.#failed(error, signal);
      return [];
    }
  }

  /** Whoever ended it knows why. */
  #failed(error: unknown, signal: AbortSignal | undefined): void {
    if (signal?.aborted !== true) this.#fault = String(error);
  }

  async #deleteAll(keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETES_AT_ONCE) {
      const some = keys.slice(at, at + DELETES_AT_ONCE);
      await Promise.all(some.map((key) => this.#options.store.delete(key, { signal })));
      this.#deleted += some.length;
    }
  }

  /** See (2). */
  #chunksOf(plan: RetentionPlan, shippedGeneration: number): RemoteGarbageRow[] {
    const announced: RemoteGarbageRow[] = [];
    for (const row of this.#options.view.garbage) {
      if (announced.length >= OBJECTS_MAX) break;
      if (row.state === "announced" || row.goneGeneration > shippedGeneration) continue;
      if (!plan.needsChunk(row)) announced.push({ ...row, state: "announced" });
    }
    return announced;
  }

  /** See (3) and (4). */
  async #numberedOf(
    plan: RetentionPlan,
    { left, ...now }: GarbageLook & { readonly left: number },
  ): Promise<RemoteGarbageRow[]> {
    const known = new Set([...this.#options.view.garbage].flatMap(keysOf));
    for (const key of plan.dropped.map(chainRow).flatMap(keysOf)) known.add(key);
    const runs: Run[] = [];
    let objects = 0;
    try {
      for (const kind of ["manifest", "wal"] as const) {
        for await (const object of this.#older(kind, now)) {
          if (objects >= left) break;
          const isNeeded = kind === "wal" ? plan.needsLog(object) : plan.needsManifest(object);
          if (isNeeded || known.has(bucketKey(object))) continue;
          addTo(runs, object);
          objects += 1;
        }
      }
    } catch (error) {
      this.#failed(error, now.signal);
    }
    return runs.map(({ row }) => row);
  }

  /** What may go of the epochs before ours, in order. */
  async *#older(
    kind: "wal" | "manifest",
    { epoch: ownEpoch, signal }: GarbageLook,
  ): AsyncGenerator<Listed> {
    const end = epochPrefix({ kind, epoch: ownEpoch });
    const { store } = this.#options;
    let held: Listed[] = [];
    for await (const { key, sizeBytes } of listAll(store, PREFIXES[kind], { signal })) {
      if (key >= end) return;
      const place = parseKey(key);
      if (place?.kind !== kind || sizeBytes === FENCE_BYTES) continue;
      if (held[0] !== undefined && held[0].epoch !== place.epoch) held = [];
      held.push({ kind, epoch: place.epoch, number: place.number, sizeBytes });
      const keeps = kind === "wal" ? NEWEST_KEPT : 0;
      const oldest = held.length > keeps ? held.shift() : undefined;
      if (oldest !== undefined) yield oldest;
    }
  }

  #everyMs(): number {
    const { keepForMs } = this.#options.retention;
    return Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, keepForMs / LOOKS_IN_WINDOW));
  }
}

interface Listed extends Numbered {
  readonly kind: "wal" | "manifest";
  readonly sizeBytes: number;
}

/** See (5). Among the others, keys of manifests sort before those of the log. */
function inOrderOfDeletes(a: RemoteGarbageRow, b: RemoteGarbageRow): number {
  const [chunkA, chunkB] = [a, b].map(({ key }) => Number(key.startsWith(PREFIXES.chunk)));
  return (chunkA ?? 0) - (chunkB ?? 0) || (a.key < b.key ? -1 : 1);
}

function countOf(rows: readonly RemoteGarbageRow[]): number {
  return rows.reduce((sum, { count }) => sum + count, 0);
}

function chainRow(chain: RemoteChainRow): RemoteGarbageRow {
  const { epoch, number, bytes } = chain;
  return {
    key: bucketKey({ kind: "manifest", epoch, number }),
    state: "announced",
    count: objectsOf(chain),
    bytes,
    bornGeneration: 0,
    goneGeneration: 0,
  };
}

/** Objects whose numbers follow each other share a row. */
function addTo(runs: Run[], { sizeBytes, ...object }: Listed): void {
  const last = runs.at(-1);
  const next = { ...object, number: object.number + 1 };
  const follows =
    last?.next.kind === object.kind &&
    last.next.epoch === object.epoch &&
    last.next.number === object.number;
  if (follows) {
    const { row } = last;
    const grown = { ...row, count: row.count + 1, bytes: row.bytes + sizeBytes };
    runs.splice(-1, 1, { row: grown, next });
    return;
  }
  const generations = { bornGeneration: 0, goneGeneration: 0 };
  const row = { key: bucketKey(object), count: 1, bytes: sizeBytes, ...generations };
  runs.push({ row: { ...row, state: "announced" }, next });
}

function keysOf({ key, count }: RemoteGarbageRow): string[] {
  const place = parseKey(key);
  if (place?.kind !== "wal" && place?.kind !== "manifest") return [key];
  return Array.from({ length: count }, (_, at) => {
    return bucketKey({ ...place, number: place.number + at });
  });
}
