/**
 * WHAT STAYS ON THIS DISK FOR THE SINK: log that it does not have, and files of chunks that such log
 * may name.
 *
 *   no sink, and none ever         nothing
 *   a sink                         until whoever ships says that it may go (`attach`)
 *   opened without, once shipped   whatever the sink did not have then: it is missed only later
 *
 * (1) A store that has shipped keeps for its sink what is new, also while it is opened without: what
 *     went meanwhile would be a hole in what can be restored. `sink: "none"` gives that up.
 * (2) More may be held than waits for the sink: until a state leads there, also what the sink has, or
 *     what was given up. Only what waits counts against `maxUnshippedBytes`.
 * (3) A sink at another place than the one that is remembered may be another bucket, which needs the
 *     log behind the checkpoint; or the same one, or a mistake, and then the old one misses its own.
 */
import type { Env, Storage } from "../../base/env.ts";
import { earlierLsn, type Lsn } from "../../base/units.ts";
import { BucketArchive, ChunkFetcher, rememberedOf, waitsFrom } from "../../flush/index.ts";
import { type ManifestState, type OpenKeyValueStore, RowFeed } from "../../manifest/index.ts";
import type { RemoteChunks } from "../../page-store/index.ts";
import type { ObjectStore } from "../../sink/index.ts";
import type { ResolvedOptions } from "../resolve-options.ts";
import { absentSink } from "./absent-sink.ts";
import { NO_SINK } from "./sink-options.ts";

export class SinkHold {
  /** What the manifest holds and how it changes, for whoever ships; undefined without a sink. */
  readonly feed: RowFeed | undefined;
  readonly #isGivenUp: boolean;
  readonly #sink: ObjectStore | undefined;
  #heldLsn: Lsn | undefined;
  #waitsFromLsn: Lsn | undefined;
  #archive: BucketArchive | undefined;
  readonly #clock: Env["clock"];
  #remote: ChunkFetcher | undefined;
  #mayForget: ((diedAtLsn: Lsn) => boolean) | undefined;

  constructor(
    { sink, directory }: ResolvedOptions,
    { clock }: Pick<Env, "clock">,
    opened: ObjectStore | undefined,
  ) {
    this.#sink = opened;
    this.#clock = clock;
    this.#isGivenUp = sink === NO_SINK;
    this.feed =
      sink === undefined || this.#isGivenUp
        ? undefined
        : new RowFeed({ clock, file: `${directory}/manifest` });
  }

  /** Log from here on is held; undefined: none is. */
  get archivedLsn(): Lsn | undefined {
    return this.#heldLsn;
  }

  /** Log up to here does not wait for the sink, though it may be held; undefined: none is. */
  get waitsFromLsn(): Lsn | undefined {
    return this.#waitsFromLsn;
  }

  /** Log that was shipped mends what is damaged here; undefined without a sink. */
  get archive(): BucketArchive | undefined {
    return this.#archive;
  }

  /** Where the sink is, whose calls are repeated; undefined without one. */
  get bucket(): ObjectStore | undefined {
    return this.#sink;
  }

  /** Chunks that are not on this disk; undefined without a sink. */
  get remote(): ChunkFetcher | undefined {
    return this.#remote;
  }

  /** The same for whoever reads them; without a sink, those that are missing here. */
  async chunks(
    place: { readonly storage: Storage; readonly directory: string },
    opened: ManifestState,
  ): Promise<RemoteChunks | undefined> {
    return this.#remote ?? (await absentSink(place, opened));
  }

  /** How the manifest is to open its store. */
  over(open: OpenKeyValueStore): OpenKeyValueStore {
    return this.feed?.over(open) ?? open;
  }

  /** What the manifest says of the sink. A store that never shipped begins at its checkpoint. */
  learn(opened: ManifestState): void {
    const { shipping, checkpointLsn, storeId } = opened;
    const store = this.#sink;
    if (store !== undefined) {
      const remote = new ChunkFetcher({ store, clock: this.#clock, opened });
      this.feed?.onCommit((rows) => remote.learn(rows));
      this.#remote = remote;
      this.#archive = new BucketArchive({ store, storeId, shipped: shipping });
    }
    if (this.#isGivenUp || (shipping === undefined && this.feed === undefined)) return;
    const remembered = rememberedOf(opened, store?.location);
    const knownLsn = remembered.shipping?.shippedLsn;
    this.#heldLsn = knownLsn ?? earlierLsn(shipping?.shippedLsn ?? checkpointLsn, checkpointLsn); // (3)
    this.#waitsFromLsn = waitsFrom(remembered);
  }

  /** From now on whoever ships says what may go. */
  attach(mayForget: (diedAtLsn: Lsn) => boolean): void {
    this.#mayForget = mayForget;
  }

  /** Asked before the file of a chunk goes; undefined where nothing is held. */
  get mayForget(): ((diedAtLsn: Lsn) => boolean) | undefined {
    if (this.#heldLsn === undefined) return undefined;
    const heldLsn = this.#heldLsn;
    return (diedAtLsn) => this.#mayForget?.(diedAtLsn) ?? diedAtLsn <= heldLsn;
  }
}
