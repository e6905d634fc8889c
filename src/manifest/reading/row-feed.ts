/**
 * A FEED OF ROWS: what the manifest holds and how it changes, for whoever ships it. It stands between
 * the manifest and its key-value store, as the mirror does, and notes what passes.
 *
 *            base: noting begins           too much waits, or a commit failed
 *     stale ─────────────────────► noting ────────────────────────────────────► stale
 *                                    │ ▲
 *                                    └─┘ cut: what was noted, of one moment
 *
 *   stale    Nothing is noted: only a base tells what there is.
 *   noting   Every commit of a shipped row since the base began waits to be cut, of each row the
 *            newest only.
 *
 * (1) A cut is of one commit: the base with all cuts up to it, one over the other, is the manifest of
 *     that generation. Rows of a base alone are of no one moment.
 * (2) The memory that it takes is bounded: when more waits than `limitBytes`, it turns stale.
 * (3) A commit whose outcome is not known makes it stale, for it is not known what there is.
 * (4) Shipped is what a manifest can be made of elsewhere. The log's files and its history, the change
 *     log, cursors, jobs, the journal, dead letters and scrubs are of this disk.
 * (5) What the shipping itself writes down is no news: else every state that is shipped would call for
 *     the next.
 */
import type { Clock } from "../../base/env.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { TimeSlice } from "../../base/time-slice.ts";
import { LSN_ZERO, type Lsn } from "../../base/units.ts";
import { MirroredStore } from "../mirror/mirrored-store.ts";
import { STATE_KEY, STORE_KEY, TABLE, type TableName } from "../rows/keys.ts";
import type {
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  OpenKeyValueStore,
} from "../stores/key-value.ts";
import { decodeState } from "../tables/state.ts";
import { type KeyText, keyText, sortedKeys } from "./sorted-rows.ts";

/** See (4). Of `meta` only what the store is and how far it has come. */
const SHIPPED: readonly TableName[] = [
  "databases",
  "chunks",
  "mapRows",
  "recordLogs",
  "names",
  "snapshots",
  "mapVersions",
  "forks",
  "shipping",
  "epochs",
  "remoteChunks",
  "remoteGarbage",
  "remoteChains",
  "lostWindows",
];
const SHIPPED_NUMBERS = SHIPPED.map((name) => TABLE[name] as number).sort((a, b) => a - b);
const IS_SHIPPED: ReadonlySet<number> = new Set(SHIPPED_NUMBERS);
/** See (5). */
const NO_NEWS: ReadonlySet<number> = new Set([
  TABLE.shipping,
  TABLE.epochs,
  TABLE.remoteChunks,
  TABLE.remoteGarbage,
  TABLE.remoteChains,
  TABLE.lostWindows,
]);

/** Rows that are read, and bytes after which no more are, between two turns of the event loop. */
const SLICE_ROWS = 500;
const SLICE_BYTES = 512 * 1024;
const LIMIT_BYTES = 64 * 1024 * 1024;
/** What a row takes beside its bytes. */
const ROW_OVERHEAD_BYTES = 64;

export interface RowFeedOptions {
  readonly clock: Clock;
  /** Where the key-value store lies, for messages. */
  readonly file: string;
  /** See (2). Default 64 MiB. */
  readonly limitBytes?: number;
}

export type RowListener = (rows: readonly KeyValueOperation[]) => void;

export interface RowCut {
  readonly generation: number;
  readonly checkpointLsn: Lsn;
  /** No row names a higher LSN. */
  readonly maxLsn: Lsn;
  /** In order of their keys, one for each; those without a value are gone. */
  readonly rows: readonly KeyValueOperation[];
  readonly bytes: number;
}

export class RowFeed {
  readonly #options: RowFeedOptions;
  readonly #limitBytes: number;
  #store: KeyValueStore | undefined;
  /** Undefined while stale. The row of the state is not in it. */
  #noted: Map<KeyText, KeyValueOperation> | undefined;
  #notedBytes = 0;
  #hasNews = false;
  /** The newest row of marks that was noted. */
  #state: Uint8Array | undefined;
  readonly #listeners: RowListener[] = [];
  readonly #commits = new Set<Promise<void>>();

  constructor(options: RowFeedOptions) {
    this.#options = options;
    this.#limitBytes = options.limitBytes ?? LIMIT_BYTES;
  }

  /** How the manifest is to open its store, so that the feed sees what is committed. */
  over(open: OpenKeyValueStore): OpenKeyValueStore {
    return async (place) => {
      const store = await open(place);
      this.#store = store;
      return new MirroredStore(store, {
        committing: (commit, batch) => this.#watch(commit, batch),
        closing: async () => undefined,
      });
    };
  }

  /** Tells of every commit that has taken place, whether it is noted or not. */
  onCommit(listener: RowListener): void {
    this.#listeners.push(listener);
  }

  get isStale(): boolean {
    return this.#noted === undefined;
  }

  /** Something that a restored store would show differently was noted since the last cut. */
  get hasNews(): boolean {
    return this.#hasNews;
  }

  /** Of the manifest as it is committed. */
  get checkpointLsn(): Lsn {
    const value = this.#store?.get(STATE_KEY);
    if (value === undefined) return LSN_ZERO;
    return decodeState({ key: STATE_KEY, value, file: this.#options.file }).checkpointLsn;
  }

  get notedBytes(): number {
    return this.#notedBytes;
  }

  /**
   * All rows in order of their keys, in slices, while commits go on; noting begins anew. Behind the
   * last slice `cut` gives what makes them one state.
   */
  async *base(): AsyncGenerator<readonly KeyValuePair[]> {
    const store = this.#store;
    if (store === undefined) throw new Error("a feed is read while its manifest is open");
    this.#noted = new Map();
    this.#notedBytes = 0;
    this.#hasNews = false;
    this.#state = store.get(STATE_KEY);
    yield pairsOf(store, [STATE_KEY, STORE_KEY]);
    for (const number of SHIPPED_NUMBERS) {
      for (const slice of slicesOf(store, number)) {
        yield slice;
        await nextTurn(this.#options.clock);
      }
    }
    // A slice may have shown of a commit what is noted only when the commit is told of.
    await Promise.all(this.#commits);
  }

  /** What was noted since the last, at one moment: that of the call. Undefined if it is stale. */
  async cut(): Promise<RowCut | undefined> {
    const [noted, state, bytes] = [this.#noted, this.#state, this.#notedBytes];
    if (noted === undefined || state === undefined) return undefined;
    this.#noted = new Map();
    this.#notedBytes = 0;
    this.#hasNews = false;
    const marks = decodeState({ key: STATE_KEY, value: state, file: this.#options.file });
    noted.set(keyText(STATE_KEY), { key: STATE_KEY, value: state });
    const keys = await sortedKeys(noted.keys(), new TimeSlice(this.#options.clock));
    const { generation, checkpointLsn, durableLsn: maxLsn } = marks;
    const rows = keys.map((key) => noted.get(key) as KeyValueOperation);
    return { generation, checkpointLsn, maxLsn, rows, bytes };
  }

  /** A cut that could not be used: the next one has its rows, as far as no newer ones are noted. */
  giveBack({ rows }: RowCut): void {
    const noted = this.#noted;
    if (noted === undefined) return;
    for (const operation of rows) {
      const text = keyText(operation.key);
      if (noted.has(text)) continue;
      noted.set(text, operation);
      this.#notedBytes += bytesOf(operation);
    }
    this.#hasNews = true;
    if (this.#notedBytes > this.#limitBytes) this.stop();
  }

  /** Whoever ships does not need it any more; what waits is let go. */
  stop(): void {
    this.#noted = undefined;
    this.#notedBytes = 0;
    this.#hasNews = false;
  }

  #watch(commit: Promise<boolean>, batch: readonly KeyValueOperation[]): void {
    const watched = commit.then(
      (applied) => {
        if (!applied) return;
        for (const tell of this.#listeners) tell(batch);
        this.#note(batch);
      },
      () => this.stop(), // See (3).
    );
    this.#commits.add(watched);
    void watched.then(() => this.#commits.delete(watched));
  }

  #note(batch: readonly KeyValueOperation[]): void {
    const noted = this.#noted;
    if (noted === undefined) return;
    for (const operation of batch) {
      const { key, value } = operation;
      const table = key[0] ?? 0;
      if (table === TABLE.meta) {
        if (value !== undefined && Buffer.compare(key, STATE_KEY) === 0) this.#noteState(value);
        continue;
      }
      if (!IS_SHIPPED.has(table)) continue;
      const text = keyText(key);
      const before = noted.get(text);
      if (before !== undefined) this.#notedBytes -= bytesOf(before);
      noted.set(text, operation);
      this.#notedBytes += bytesOf(operation);
      if (!NO_NEWS.has(table)) this.#hasNews = true;
    }
    if (this.#notedBytes > this.#limitBytes) this.stop();
  }

  /** A checkpoint that only moves the marks is news: the log is needed from a later LSN on. */
  #noteState(value: Uint8Array): void {
    const { file } = this.#options;
    const before = this.#state;
    this.#state = value;
    if (before === undefined || this.#hasNews) return;
    const [was, is] = [before, value].map((each) => {
      return decodeState({ key: STATE_KEY, value: each, file }).checkpointLsn;
    });
    if (was !== is) this.#hasNews = true;
  }
}

const bytesOf = ({ key, value }: KeyValueOperation): number =>
  key.length + (value?.length ?? 0) + ROW_OVERHEAD_BYTES;

function pairsOf(store: KeyValueStore, keys: readonly Uint8Array[]): KeyValuePair[] {
  return keys.flatMap((key) => {
    const value = store.get(key);
    return value === undefined ? [] : [{ key, value }];
  });
}

/** Rows of one table, in slices that are each of one moment. */
function* slicesOf(store: KeyValueStore, table: number): Generator<KeyValuePair[]> {
  let from = Uint8Array.of(table);
  while (true) {
    const rows: KeyValuePair[] = [];
    let bytes = 0;
    let isCut = false;
    for (const row of store.range(from, Uint8Array.of(table + 1))) {
      rows.push(row);
      bytes += row.key.length + row.value.length;
      isCut = rows.length >= SLICE_ROWS || bytes >= SLICE_BYTES;
      if (isCut) break;
    }
    if (rows.length > 0) yield rows;
    const last = rows.at(-1)?.key;
    if (last === undefined || !isCut) return;
    from = Uint8Array.of(...last, 0); // The next key there can be.
  }
}
