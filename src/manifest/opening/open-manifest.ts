/**
 * OPENS THE MANIFEST over a key-value store: brings it up to today's schema, applies what waits in its
 * journal, reads everything but the page map, and hands every change to the one writer.
 *
 * (1) Nothing is handed out before the journal is empty: what was enqueued before a crash is in what
 *     `opened` says.
 * (2) It is read in slices: a store of many databases holds nobody up who shares the process.
 * (3) What is read later (rows of the page map, of the change log) is read from what is committed.
 */
import type { Clock } from "../../base/env.ts";
import { TimeSlice } from "../../base/time-slice.ts";
import type { Lsn, StreamId } from "../../base/units.ts";
import { ChangeLog } from "../change-log/change-log.ts";
import { CHANGE_LOG_LIMITS, type ChangeLogLimits } from "../change-log/change-log-core.ts";
import { type Batch, batchOf, type Receipt } from "../commit/batch.ts";
import type { Base } from "../commit/draft.ts";
import { Generations, type WaitOptions } from "../commit/generations.ts";
import { JOURNAL_LIMITS, Journal, type JournalLimits } from "../commit/journal.ts";
import { Writer } from "../commit/writer.ts";
import type { Manifest, ManifestState, ManifestStats } from "../manifest.ts";
import type { ManifestChange } from "../manifest-change.ts";
import { STATE_KEY, STORE_KEY } from "../rows/keys.ts";
import { type Operation, put, type Table } from "../rows/table.ts";
import { TABLES } from "../schema.ts";
import type { KeyValueStore, OpenKeyValueStore } from "../stores/key-value.ts";
import { chunks } from "../tables/chunks.ts";
import { databases } from "../tables/databases.ts";
import { deadLetters } from "../tables/dead-letters.ts";
import { epochs } from "../tables/epochs.ts";
import { history } from "../tables/history.ts";
import { jobs } from "../tables/jobs.ts";
import { lostWindows } from "../tables/lost-windows.ts";
import { mapVersions } from "../tables/map-versions.ts";
import {
  type MapRow,
  type MapRowChange,
  pageMap,
  versionsOf,
  versionsUpTo,
} from "../tables/page-map.ts";
import { pendingBatches } from "../tables/pending-batches.ts";
import { recordLogs } from "../tables/record-logs.ts";
import { remoteChains } from "../tables/remote-chains.ts";
import { remoteChunks } from "../tables/remote-chunks.ts";
import { remoteGarbage } from "../tables/remote-garbage.ts";
import { scrubs } from "../tables/scrubs.ts";
import { segments } from "../tables/segments.ts";
import { shipping } from "../tables/shipping.ts";
import { snapshots } from "../tables/snapshots.ts";
import { decodeState, decodeStore } from "../tables/state.ts";
import { watermarks } from "../tables/watermarks.ts";
import { firstRows } from "./first-rows.ts";
import { required } from "./migrations/migration.ts";
import { migrate } from "./migrations.ts";

/** Rows that are read in one go. */
const ROWS_AT_ONCE = 64;

export interface ManifestOptions {
  readonly openStore: OpenKeyValueStore;
  /** Where the key-value store lies. */
  readonly directory: string;
  /** Identity of the store if there is none yet. Up to 255 bytes. */
  readonly storeIdForNew: Uint8Array;
  readonly clock: Clock;
  /** How long a batch waits for others to share its commit. Default 0: the rest of the turn. */
  readonly delayMs?: number;
  /** Default: CHANGE_LOG_LIMITS. */
  readonly changeLog?: ChangeLogLimits;
  /** Default: JOURNAL_LIMITS. */
  readonly journal?: JournalLimits;
}

/** Opens the manifest, or makes one. Throws BOP_CORRUPT, BOP_FORMAT, BOP_IO or BOP_DISK_FULL. */
export async function openManifest(options: ManifestOptions): Promise<Manifest> {
  const store = await options.openStore(options.directory);
  try {
    if (store.get(STORE_KEY) === undefined) await create(store, options);
    else await migrate(store, options.directory);
    return await StoredManifest.open(store, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function create(store: KeyValueStore, options: ManifestOptions): Promise<void> {
  const { storeIdForNew: storeId, directory } = options;
  if (store.get(STATE_KEY) !== undefined) required(store, STORE_KEY, directory);
  await store.commit([...firstRows(storeId)]);
}

class StoredManifest implements Manifest {
  readonly opened: ManifestState;
  readonly changeLog: ChangeLog;
  readonly #writer: Writer;
  readonly #journal: Journal;
  readonly #generations: Generations;
  readonly #directory: string;
  #closed: Promise<void> | undefined;

  private constructor(parts: {
    readonly writer: Writer;
    readonly journal: Journal;
    readonly generations: Generations;
    readonly changeLog: ChangeLog;
    readonly directory: string;
    readonly opened: ManifestState;
  }) {
    this.#writer = parts.writer;
    this.#journal = parts.journal;
    this.#generations = parts.generations;
    this.#directory = parts.directory;
    this.changeLog = parts.changeLog;
    this.opened = parts.opened;
  }

  static async open(store: KeyValueStore, options: ManifestOptions): Promise<StoredManifest> {
    const { directory, openStore, clock, delayMs = 0 } = options;
    const state = decodeState(required(store, STATE_KEY, directory));
    const reading: Reading = { file: directory, slice: new TimeSlice(clock) };
    const generations = new Generations(clock, await rowsOf(store, watermarks, reading));
    generations.reached("manifest", state.generation);
    const writer = new Writer(store, state, {
      clock,
      delayMs,
      file: directory,
      open: () => openStore(directory),
      onCommit({ generation }, moved) {
        generations.reached("manifest", generation);
        for (const row of moved) generations.reached(row.component, row.generation);
      },
    });
    const changeLog = new ChangeLog({
      store: () => writer.store,
      file: directory,
      clock,
      limits: options.changeLog ?? CHANGE_LOG_LIMITS,
    });
    writer.attach(changeLog);
    const journal = new Journal({
      submit: (batch) => writer.submit(batch),
      clock,
      limits: options.journal ?? JOURNAL_LIMITS,
      file: directory,
    });
    await journal.replay({
      pending: await rowsOf(store, pendingBatches, reading),
      dead: await rowsOf(store, deadLetters, reading),
    });
    const opened = await readAll(writer, reading);
    return new StoredManifest({ writer, journal, generations, changeLog, directory, opened });
  }

  get generation(): number {
    return this.#writer.state.generation;
  }

  get nextStreamId(): StreamId {
    return this.#writer.state.nextStreamId;
  }

  get stats(): ManifestStats {
    const { generation, rows } = this.#writer.state;
    const counted = TABLES.map(({ name, number }) => [name, rows.get(number) ?? 0] as const);
    return {
      generation,
      ...this.#writer.stats,
      journal: this.#journal.stats,
      watermarks: this.#generations.all(),
      waiting: this.#generations.waiting,
      rows: Object.fromEntries(counted),
    };
  }

  submit(batch: Batch): Promise<Receipt> {
    return this.#writer.submit(batch);
  }

  async publish(change: ManifestChange): Promise<number> {
    const { generation } = await this.#writer.submit(batchOf(change));
    return generation;
  }

  enqueue(operations: readonly Operation[]): Promise<void> {
    return this.#journal.enqueue(operations);
  }

  nextSequence(): number {
    return this.#journal.nextSequence();
  }

  async advance(component: string, generation: number): Promise<void> {
    await this.#writer.submit({ operations: [put(watermarks, { component, generation })] });
  }

  waitFor(component: string, generation: number, options?: WaitOptions): Promise<void> {
    return this.#generations.waitFor(component, generation, options);
  }

  mapRow(stream: StreamId, rowIndex: number, atMost: Lsn): MapRow | undefined {
    const { from, to } = versionsUpTo({ stream, rowIndex }, atMost);
    for (const { key, value } of this.#writer.store.range(from, to)) {
      return pageMap.decode({ key, value, file: this.#directory });
    }
    return undefined;
  }

  mapRowVersions(stream: StreamId, rowIndex: number): MapRowChange[] {
    const { from, to } = versionsOf(stream, rowIndex);
    const versions: MapRowChange[] = [];
    for (const { key, value } of this.#writer.store.range(from, to)) {
      versions.push(pageMap.decode({ key, value, file: this.#directory }));
    }
    return versions.reverse();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const journal = this.#journal.close();
    const writer = this.#writer.close();
    this.#generations.close();
    await journal;
    await writer;
  }
}

/** See (2). */
interface Reading {
  readonly file: string;
  readonly slice: TimeSlice;
}

async function readAll({ store, state }: Writer, reading: Reading): Promise<ManifestState> {
  const { storeId } = decodeStore(required(store, STORE_KEY, reading.file));
  const { generation: _, rows: _rows, ...marks } = state;
  return {
    storeId,
    ...marks,
    databases: await rowsOf(store, databases, reading),
    recordLogs: await rowsOf(store, recordLogs, reading),
    chunks: await rowsOf(store, chunks, reading),
    mapVersions: await rowsOf(store, mapVersions, reading),
    snapshots: await rowsOf(store, snapshots, reading),
    segments: await rowsOf(store, segments, reading),
    history: await rowsOf(store, history, reading),
    jobs: await rowsOf(store, jobs, reading),
    shipping: (await rowsOf(store, shipping, reading))[0],
    epochs: await rowsOf(store, epochs, reading),
    remoteChunks: await rowsOf(store, remoteChunks, reading),
    remoteGarbage: await rowsOf(store, remoteGarbage, reading),
    remoteChains: await rowsOf(store, remoteChains, reading),
    lostWindows: await rowsOf(store, lostWindows, reading),
    deadLetters: await rowsOf(store, deadLetters, reading),
    scrubs: await rowsOf(store, scrubs, reading),
  };
}

/** Nobody writes meanwhile: what is read in several goes is of one moment. */
async function rowsOf<Key, Row>(
  store: Base,
  table: Table<Key, Row>,
  { file, slice }: Reading,
): Promise<Row[]> {
  const rows: Row[] = [];
  const { from: first, to } = table.range();
  let from = first;
  while (true) {
    let last: Uint8Array | undefined;
    let count = 0;
    for (const { key, value } of store.range(from, to)) {
      rows.push(table.decode({ key, value, file }));
      last = key;
      count += 1;
      if (count === ROWS_AT_ONCE) break;
    }
    if (last === undefined || count < ROWS_AT_ONCE) return rows;
    from = Uint8Array.of(...last, 0); // The next key there can be.
    await slice.pause();
  }
}
