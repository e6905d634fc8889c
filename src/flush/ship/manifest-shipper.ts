/**
 * SHIPS STATES OF THE MANIFEST, one a round, so that the bucket can be restored at every moment.
 *
 *   base    parts of it ──► a cut ──► its chunks ──► rows noted ──► the log ──► put: whole
 *   batch                   a cut ──► its chunks ──► rows noted ──► the log ──► put
 *                             ▲ given back                  │ refused, unavailable
 *                             └─────────────────────────────┘
 *
 * (1) A state is put after the chunks that it names, and after the log up to the highest LSN that its
 *     rows name. Before it is put, the rows that say so are durable here, and so is its number: a disk
 *     knows which states are its own (compare.ts, 3).
 * (2) Each epoch begins with a base, read while the manifest changes. A new one follows when the
 *     batches outgrow it, when there are many of them, when it is old, and when the feed was stale.
 * (3) A body that was given to the writer of numbers stays what is put next, until it is known to be
 *     there (numbered-writer.ts, 2). All else that fails is begun again with newer rows.
 * (4) A row of a chain is durable here before its first state is put, and is told of each later one
 *     when that was put. A row whose state never came to be, or that lacks the newest one, is found
 *     out at the next start, by what the bucket has (remembered.ts).
 * (5) What is remembered of another bucket counts for nothing: every chunk is put anew.
 * (6) While a chunk is being read, and until the log is in the bucket up to the checkpoint at which a
 *     chunk died, its file stays: the log may name it (`mayForget`).
 * (7) A base that could not be read to its end is begun anew, or what came behind would be left out.
 */
import { assert, present } from "../../base/assert.ts";
import type { Env } from "../../base/env.ts";
import { type ChunkId, LSN_ZERO, type Lsn } from "../../base/units.ts";
import {
  encodeRemoteRows,
  type KeyValuePair,
  type Manifest,
  type RemoteChainKey,
  type RemoteState,
  type RowCut,
  type RowFeed,
  type ShippingRow,
} from "../../manifest/index.ts";
import type { ObjectStore } from "../../sink/index.ts";
import type { ChunkFetcher } from "../fetch/chunk-fetcher.ts";
import type { SpilledChunk } from "../format/log-object.ts";
import { readBucketIdentity } from "../lineage/bucket.ts";
import { NumberedWriter } from "../lineage/numbered-writer.ts";
import { BucketGarbage, type GarbageStats } from "./bucket-garbage.ts";
import { bucketName } from "./bucket-name.ts";
import { BucketView } from "./bucket-view.ts";
import { ChainInMaking } from "./chain-in-making.ts";
import { ChunkShipping } from "./chunk-shipping.ts";
import { damaged } from "./chunk-uploads.ts";
import { onlyRemoteChunk } from "./only-remote.ts";
import { paced } from "./paced.ts";
import type { ManifestPump, PumpStart, ShippedState } from "./ports.ts";
import { type Begun, leftOver, shippingRowOf, stale } from "./remembered.ts";
import type { RetentionPolicy } from "./retention.ts";
import { encodeState, remoteStateOf, type StateContent, type StateMarks } from "./state-object.ts";
import { withRows } from "./with-rows.ts";

export interface ManifestShipperOptions {
  readonly env: Pick<Env, "clock" | "random" | "storage">;
  /** Repeats its calls by itself. */
  readonly store: ObjectStore;
  readonly storeId: Uint8Array;
  readonly manifest: Pick<Manifest, "generation" | "opened" | "publish">;
  readonly feed: RowFeed;
  /** Where a chunk lies on this disk. */
  readonly chunkPath: (chunk: ChunkId) => string;
  /** What the bucket has by now, by the rows of this moment. */
  readonly remote: Pick<ChunkFetcher, "isNamed" | "find">;
  readonly retention: RetentionPolicy;
}

export interface ManifestShipperStats extends GarbageStats {
  /** Since the store was opened. */
  readonly states: number;
  readonly bases: number;
  readonly stateBytes: number;
  readonly chunks: number;
  readonly chunkBytes: number;
}

interface Unsent {
  readonly body: Uint8Array;
  /** Undefined: it makes no state. */
  readonly state: RemoteState | undefined;
}

export class ManifestShipper implements ManifestPump {
  readonly #options: ManifestShipperOptions;
  readonly #view: BucketView;
  readonly #chunks: ChunkShipping;
  readonly #garbage: BucketGarbage;
  #begun: Begun | undefined;
  #chain: ChainInMaking | undefined;
  #unsent: Unsent | undefined;
  #shipped: ShippedState | undefined;
  /** As it was noted last. */
  #shipping: ShippingRow | undefined;
  /** Of the newest state that is known to be in the bucket, of whatever epoch. */
  #shippedGeneration = 0;
  /** Times of states never go back, whatever the clock does. */
  #lastWallMs = 0;
  /** Chains whose rows are there and whose first state never will be: see (4). */
  #phantoms: RemoteChainKey[] = [];
  #isRound = false;
  #wantsBase = false;
  readonly #stats = { states: 0, bases: 0, stateBytes: 0 };

  constructor(options: ManifestShipperOptions) {
    const { env, store, storeId, chunkPath, retention, manifest, remote } = options;
    this.#options = options;
    const view = new BucketView(store.location);
    const { clock } = env;
    this.#view = view;
    this.#chunks = new ChunkShipping({ env, store, storeId, chunkPath, manifest, view });
    this.#garbage = new BucketGarbage({ store, clock, view, manifest, retention, remote });
  }

  get stats(): ManifestShipperStats {
    return { ...this.#stats, ...this.#chunks.stats, ...this.#garbage.stats };
  }

  /** A new epoch. Publishes what is known of the bucket from its lineage: see (4) and (5). */
  async start(begin: PumpStart, signal?: AbortSignal): Promise<void> {
    const { bucket, epoch, lineage } = begin;
    const { env, manifest, store, feed } = this.#options;
    const identity = await readBucketIdentity(store, { signal });
    const name = bucketName(present(identity, "a claimed bucket has an identity"));
    const isFirst = this.#begun === undefined;
    const change = isFirst ? stale(manifest.opened, name, lineage) : this.#leftOver(lineage);
    feed.stop();
    this.#view.clear();
    [this.#unsent, this.#shipped] = [undefined, undefined];
    this.#shippedGeneration = lineage.newestState?.generation ?? 0;
    const writer = new NumberedWriter({ bucket, kind: "manifest", epoch, random: env.random });
    const begun = { ...begin, writer, bucketName: name, location: store.location };
    await manifest.publish({
      ...change,
      putShipping: this.#shippingRow(begun, lineage.reachedLsn ?? 0),
    });
    [this.#chain, this.#phantoms] = [undefined, []];
    const shownMs = manifest.opened.remoteChains.map(({ last }) => last.wallMs);
    this.#lastWallMs = Math.max(this.#lastWallMs, lineage.newestState?.wallMs ?? 0, ...shownMs);
    this.#begun = begun;
  }

  newBase(): void {
    this.#wantsBase = true;
  }

  isDue(nowMs: number): boolean {
    const { feed } = this.#options;
    const begun = this.#begun;
    if (begun === undefined) return false;
    if (this.#unsent !== undefined) return true;
    const row = this.#chain?.row;
    if (row === undefined || feed.isStale) return feed.checkpointLsn >= begun.checkpointLsnMin;
    return feed.hasNews || this.#wantsBase || this.#garbage.isDue(nowMs);
  }

  get nextDueMs(): number | undefined {
    return this.#chain?.row === undefined ? undefined : this.#garbage.nextLookMs;
  }

  async round(signal?: AbortSignal): Promise<ShippedState> {
    assert(!this.#isRound, "one round at a time");
    this.#isRound = true;
    try {
      await this.#round(signal);
      return present(this.#shipped, "a round ends with a state");
    } finally {
      this.#isRound = false;
    }
  }

  settled(): Promise<void> {
    return this.#garbage.settled();
  }

  async ensureChunks(
    chunks: readonly ChunkId[],
    upToLsn: Lsn,
    signal?: AbortSignal,
  ): Promise<readonly SpilledChunk[]> {
    const { epoch } = present(this.#begun, "a pump that was started");
    const bornGeneration = this.#shippedGeneration;
    const to = { epoch, bornGeneration, namedLsn: upToLsn, signal };
    const epochs = await this.#chunks.ensure(chunks, to);
    return chunks.map((chunk, at) => ({ chunk, epoch: epochs[at] ?? epoch }));
  }

  isSafe(chunk: ChunkId): boolean {
    return this.#shipped !== undefined && this.#view.isSafe(chunk);
  }

  onlyRemote(): Promise<ChunkId | undefined> {
    const { env, manifest, remote, chunkPath } = this.#options;
    const isNamed = (chunk: ChunkId) => remote.isNamed(chunk);
    const { storage } = env;
    const { remoteChunks: rows } = manifest.opened;
    return onlyRemoteChunk({ storage, rows, isNamed, chunkPath });
  }

  /** Whether the file of a chunk that died at an LSN may go: see (6). */
  mayForget(diedAtLsn: Lsn): boolean {
    if (this.#chunks.isBusy) return false;
    return (this.#begun?.wal()?.endLsn ?? LSN_ZERO) >= diedAtLsn;
  }

  async #round(signal: AbortSignal | undefined): Promise<void> {
    const { env } = this.#options;
    const begun = present(this.#begun, "a pump that was started");
    await this.#send(signal);
    if (this.#chain?.row !== undefined && this.#garbage.isDue(env.clock.monotonicMs())) {
      const { epoch } = begun;
      await this.#garbage.look({ epoch, shippedGeneration: this.#shippedGeneration, signal });
      const hasNews = this.#options.feed.hasNews || this.#wantsBase;
      if (!hasNews && !this.#garbage.hasAnnounced) return;
    }
    let needsBase = this.#needsBase();
    while (true) {
      if (needsBase) await this.#base(signal);
      const cut = await this.#options.feed.cut();
      if (cut !== undefined && (await this.#ship(cut, signal))) return;
      needsBase = true;
    }
  }

  /** See (2). */
  #needsBase(): boolean {
    const { feed, env, retention } = this.#options;
    const chain = this.#chain;
    if (this.#wantsBase || chain === undefined || feed.isStale || !chain.isRead) return true;
    return chain.isOutgrown(env.clock.wallMs(), retention.keepForMs);
  }

  /** Of the epoch before, in this process: see (4). */
  #leftOver(lineage: PumpStart["lineage"]): ReturnType<typeof leftOver> {
    const change = leftOver(this.#chain, lineage);
    return { ...change, removeRemoteChains: [...this.#phantoms, ...change.removeRemoteChains] };
  }

  /** Puts the parts of a base, those that are lacking if one was begun. */
  async #base(signal: AbortSignal | undefined): Promise<void> {
    const { feed } = this.#options;
    let chain = this.#chain;
    while (chain === undefined || !chain.isRead || feed.isStale || chain.row !== undefined) {
      if (chain === undefined || chain.isRead || feed.isStale) chain = this.#beginBase();
      const learn = (rows: readonly KeyValuePair[]) => this.#view.learn(rows);
      await chain.readOn(learn).catch((error: unknown) => {
        feed.stop(); // See (7).
        throw error;
      });
      if (!feed.isStale) await this.#part(chain, signal);
    }
  }

  #beginBase(): ChainInMaking {
    const { epoch, writer } = present(this.#begun, "a pump that was started");
    const before = this.#chain;
    if (before !== undefined && before.row === undefined) this.#phantoms.push(before.key);
    this.#view.clear();
    const chain = new ChainInMaking({ epoch, number: writer.number }, this.#options.feed.base());
    this.#chain = chain;
    this.#wantsBase = false;
    return chain;
  }

  async #part(chain: ChainInMaking, signal: AbortSignal | undefined): Promise<void> {
    const { feed, manifest } = this.#options;
    const part = chain.takePart();
    if (part === undefined) return;
    const { checkpointLsn } = feed;
    const marks = { generation: manifest.generation, checkpointLsn, maxLsn: checkpointLsn };
    const state = this.#stateOf(marks, this.#wallMs());
    const body = await this.#encode(state, { kind: "base", whole: false, ...part });
    chain.partMade(body.length);
    this.#unsent = { body, state: undefined };
    await this.#send(signal);
  }

  /** One state, from its cut. See (1). False if only a base can tell what there is now. */
  async #ship(cut: RowCut, signal: AbortSignal | undefined): Promise<boolean> {
    const { feed, chunkPath, env } = this.#options;
    const { clock } = env;
    const { epoch } = present(this.#begun, "a pump that was started");
    const bornGeneration = this.#shippedGeneration;
    let lost: ChunkId | undefined;
    try {
      await paced(this.#view.learnSteps(cut.rows), clock);
      lost = await this.#chunks.putMissing({ epoch, bornGeneration, namedLsn: LSN_ZERO, signal });
      if (lost === undefined) this.#unsent = await this.#stateToSend(cut, signal);
    } catch (error) {
      feed.giveBack(cut);
      throw error;
    }
    if (lost === undefined) {
      await this.#send(signal);
      return true;
    }
    // Its file went: then the manifest names it no more, or it is lost.
    feed.giveBack(cut);
    const newer = await feed.cut();
    if (newer === undefined) return false;
    await paced(this.#view.learnSteps(newer.rows), clock);
    if (!this.#view.isMissing(lost)) return this.#ship(newer, signal);
    feed.giveBack(newer);
    throw damaged(chunkPath(lost), "the manifest names it, and it is missing");
  }

  /** The state of a cut, when all that it names is in the bucket. */
  async #stateToSend(cut: RowCut, signal: AbortSignal | undefined): Promise<Unsent> {
    const { writer, shipped } = present(this.#begun, "a pump that was started");
    const chain = present(this.#chain, "a state belongs to a chain");
    const wallMs = this.#wallMs();
    const whole = chain.row === undefined;
    const own: KeyValuePair[] = [];
    const shipping = present(this.#shipping, "an epoch has its row");
    const putShipping = { ...shipping, manifestNumber: writer.number + 1 }; // See (1).
    if (whole) {
      const row = chain.rowWith(this.#stateOf(cut, wallMs), writer.number);
      const change = { removeRemoteChains: this.#phantoms, putRemoteChains: [row], putShipping };
      const generation = await this.#options.manifest.publish(change);
      this.#phantoms = [];
      own.push(...encodeRemoteRows({ chunks: [], chains: [row] }, generation));
    } else await this.#options.manifest.publish({ putShipping });
    await shipped(cut.maxLsn, signal);
    for (const { row, generation } of this.#view.unseen) {
      own.push(...encodeRemoteRows({ chunks: [row], chains: [] }, generation));
    }
    this.#view.stateMade();
    const state = this.#stateOf(cut, wallMs);
    const rows = await paced(withRows(cut.rows, own), this.#options.env.clock);
    const body = await this.#encode(state, { kind: "batch", part: 0, whole, rows });
    return { state, body };
  }

  /** Puts what waits to be put, if anything does. See (3). */
  async #send(signal: AbortSignal | undefined): Promise<void> {
    const unsent = this.#unsent;
    if (unsent === undefined) return;
    const { writer } = present(this.#begun, "a pump that was started");
    const number = await writer.append(unsent.body, { signal });
    this.#unsent = undefined;
    const { state } = unsent;
    const bytes = unsent.body.length;
    if (state !== undefined) await this.#sent({ state, number, bytes, signal });
  }

  async #sent(sent: {
    readonly state: RemoteState;
    readonly number: number;
    readonly bytes: number;
    readonly signal: AbortSignal | undefined;
  }): Promise<void> {
    const { manifest } = this.#options;
    const { state, number, bytes, signal } = sent;
    const begun = present(this.#begun, "a pump that was started");
    const chain = present(this.#chain, "a state belongs to a chain");
    const isWhole = chain.row === undefined;
    const row = chain.rowWith(state, number, bytes);
    chain.statePut(row, bytes);
    this.#view.putChain(row);
    this.#view.statePut();
    this.#stats.states += 1;
    this.#stats.bases += isWhole ? 1 : 0;
    this.#stats.stateBytes += isWhole ? row.bytes : bytes;
    this.#lastWallMs = Math.max(this.#lastWallMs, state.wallMs);
    const { generation, checkpointLsn, maxLsn } = state;
    this.#shipped = { generation, checkpointLsn, maxLsn };
    this.#shippedGeneration = generation;
    await manifest.publish({ putRemoteChains: [row], putShipping: this.#shippingRow(begun) });
    this.#garbage.told({ signal, struck: begun.hasNews });
  }

  /** By default a state of this epoch leads to all of its log: see checkpointLsnMin. */
  #shippingRow(begun: Begun, reachedLsn = Number.POSITIVE_INFINITY): ShippingRow {
    const wallMs = this.#options.env.clock.wallMs();
    const shippedGeneration = this.#shippedGeneration;
    this.#shipping = shippingRowOf(begun, { shippedGeneration, wallMs, reachedLsn });
    return this.#shipping;
  }

  #wallMs(): number {
    return Math.max(this.#lastWallMs, Math.floor(this.#options.env.clock.wallMs()));
  }

  #stateOf(marks: StateMarks, wallMs: number): RemoteState {
    return remoteStateOf(marks, { wallMs, wal: this.#begun?.wal() });
  }

  #encode(state: RemoteState, content: StateContent): Promise<Uint8Array> {
    const { epoch, writer } = present(this.#begun, "a pump that was started");
    const { key: chain } = present(this.#chain, "an object belongs to a chain");
    const { storeId, env } = this.#options;
    const place = { storeId, epoch, number: writer.number, chain };
    return encodeState({ state, content, place }, env.clock);
  }
}
