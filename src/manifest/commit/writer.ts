/**
 * THE ONE WRITER OF THE MANIFEST: batches that wait together become one commit of the store.
 *
 *            submit           delayMs              drafted                synced
 *     idle ─────────► waiting ───────► drafting ───────────► committing ────────► idle, or drafting
 *                                      slices of 3 ms          what is submitted meanwhile waits for
 *                                                              the next commit, and shares it
 *
 * (1) A receipt resolves when the commit survives a power cut. Receipts of a commit bear its
 *     generation, which is one above that of the commit before.
 * (2) Batches take place in the order in which they were submitted.
 * (3) A batch that breaks an invariant, or meets a damaged row, is refused alone: what was drafted of
 *     it is undone, and its neighbours do not notice.
 * (4) After a commit that the system refused (a full disk, an I/O error), the next one opens the store
 *     again. If the refused one was made after all, it is taken back first: its callers were told that
 *     it was not, and go on with what was before. After any other failure nothing more is taken.
 * (5) Until that is done, and for ever after any other failure, reads show what was before the commit
 *     that failed, whoever has opened the directory since (before-images.ts).
 * (6) What a refused sync has left of the pages of its commit is unknown, and of no account: no root
 *     that was synced leads to them, and whoever uses them again writes and syncs them anew.
 */
import type { Clock } from "../../base/env.ts";
import { isStorageError, StorageError } from "../../base/errors.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { TimeSlice } from "../../base/time-slice.ts";
import type { Lsn } from "../../base/units.ts";
import type { ChangeLog, ChangeLogCommit } from "../change-log/change-log.ts";
import type { ChangeLogRequest } from "../change-log/change-log-core.ts";
import { checkMarks, checkRows } from "../invariants/invariants.ts";
import { required } from "../opening/migrations/migration.ts";
import { STATE_KEY, TABLE } from "../rows/keys.ts";
import type { KeyValueOperation, KeyValueStore } from "../stores/key-value.ts";
import { type CountedRows, decodeState, encodeState, type StateValue } from "../tables/state.ts";
import { type WatermarkRow, watermarks } from "../tables/watermarks.ts";
import { type Batch, nextMarks, type Receipt } from "./batch.ts";
import { BeforeImages } from "./before-images.ts";
import { type Base, Draft } from "./draft.ts";
import { indexRows } from "./row-indexes.ts";

/** Batches, and rows, after which a commit takes no more in. */
const BATCHES_MAX = 1024;
const ROWS_MAX = 4096;

export interface WriterOptions {
  readonly clock: Clock;
  /** How long a batch waits for others. 0: until the next turn of the event loop. */
  readonly delayMs: number;
  /** Where the store lies, for messages. */
  readonly file: string;
  /** Opens it again: see (4). */
  readonly open: () => Promise<KeyValueStore>;
  /** Called after each commit, before its receipts resolve. */
  readonly onCommit: (state: StateValue, marks: readonly WatermarkRow[]) => void;
}

export interface WriterStats {
  readonly commits: number;
  readonly batches: number;
  /** Batches of the commit that had the most. */
  readonly batchesMax: number;
  readonly refused: number;
}

interface Pending {
  readonly batch: Batch;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: unknown) => void;
}

/** A commit in the making. */
interface Group {
  readonly draft: Draft;
  readonly accepted: Pending[];
  readonly requests: ChangeLogRequest[];
  /** Of the first request, if it stays alone. */
  changes: { readonly commit: ChangeLogCommit | undefined; readonly durableLsn: Lsn } | undefined;
  readonly moved: WatermarkRow[];
  state: StateValue;
}

export class Writer {
  readonly #options: WriterOptions;
  readonly #slice: TimeSlice;
  #store: KeyValueStore;
  #state: StateValue;
  #changeLog: ChangeLog | undefined;
  readonly #queue: Pending[] = [];
  #draining: Promise<void> | undefined;
  /** The system has refused a commit: see (4). */
  #mustReopen = false;
  /** Of the commit that failed: see (5). */
  #before: BeforeImages | undefined;
  #view: Base | undefined;
  #closed: Promise<void> | undefined;
  #stats = { commits: 0, batches: 0, batchesMax: 0, refused: 0 };

  constructor(store: KeyValueStore, state: StateValue, options: WriterOptions) {
    this.#store = store;
    this.#state = state;
    this.#options = options;
    this.#slice = new TimeSlice(options.clock);
  }

  /** What is committed. See (5). */
  get store(): Base {
    return this.#view ?? this.#store;
  }

  get state(): StateValue {
    return this.#state;
  }

  get stats(): WriterStats {
    return this.#stats;
  }

  /** Its rows ride in the commits of the batches that ask for it. */
  attach(changeLog: ChangeLog): void {
    this.#changeLog = changeLog;
  }

  submit(batch: Batch): Promise<Receipt> {
    if (this.#closed !== undefined) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#queue.push({ batch, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** What was submitted before takes place. */
  close(): Promise<void> {
    this.#closed ??= Promise.resolve(this.#draining).then(() => this.#store.close());
    return this.#closed;
  }

  /** Never rejects: whoever submitted hears of it. */
  async #drain(): Promise<void> {
    const { clock, delayMs } = this.#options;
    if (delayMs > 0) await clock.sleep(delayMs);
    else await nextTurn(clock);
    while (this.#queue.length > 0) {
      await this.#commit(this.#queue.splice(0, BATCHES_MAX));
      const room = this.#store.keepRoom();
      if (room !== undefined) await room;
    }
    this.#draining = undefined;
  }

  async #commit(batches: Pending[]): Promise<void> {
    try {
      if (this.#mustReopen) await this.#reopen();
    } catch (error) {
      for (const { reject } of batches) reject(error);
      return;
    }
    const group = await this.#group(batches);
    if (group.accepted.length === 0) return;
    try {
      const { draft, state } = group;
      const changes = this.#planned(group);
      const operations = [...draft.operations(), ...(changes?.operations ?? [])];
      const next = { ...state, rows: await this.#counted(operations) };
      await this.#write([...operations, encodeState(next)]);
      this.#committed(next, group, changes);
    } catch (error) {
      for (const { reject } of group.accepted) reject(error);
    }
  }

  async #write(operations: readonly KeyValueOperation[]): Promise<void> {
    try {
      await this.#store.commit(operations, () => this.#slice.step());
    } catch (error) {
      this.#keepBefore(operations);
      this.#mustReopen = isStorageError(error, "BOP_DISK_FULL") || isStorageError(error, "BOP_IO");
      throw error;
    }
  }

  /** See (5). */
  #keepBefore(operations: readonly KeyValueOperation[]): void {
    if (this.#before !== undefined) return;
    try {
      this.#before = BeforeImages.take(this.#store, operations);
      this.#view = this.#before.over(() => this.#store);
    } catch {
      // What refuses to be read is refused to whoever reads it, too; nothing can be taken back.
    }
  }

  #committed(state: StateValue, group: Group, changes: ChangeLogCommit | undefined): void {
    const { accepted, moved } = group;
    const { commits, batches, batchesMax, refused } = this.#stats;
    this.#state = state;
    this.#stats = {
      commits: commits + 1,
      batches: batches + accepted.length,
      batchesMax: Math.max(batchesMax, accepted.length),
      refused,
    };
    if (changes !== undefined) this.#changeLog?.apply(changes.plan);
    this.#options.onCommit(state, moved);
    for (const { resolve } of accepted) resolve({ generation: state.generation });
  }

  /** As many of the batches as fit one commit; the others go back to the head of the queue. */
  async #group(batches: Pending[]): Promise<Group> {
    const generation = this.#state.generation + 1;
    const { file } = this.#options;
    const group: Group = {
      draft: new Draft(this.store, { generation, file }),
      accepted: [],
      requests: [],
      changes: undefined,
      moved: [],
      state: { ...this.#state, generation },
    };
    for (const [index, pending] of batches.entries()) {
      if (group.draft.size >= ROWS_MAX) {
        this.#queue.unshift(...batches.slice(index));
        break;
      }
      group.draft.begin();
      try {
        await this.#take(pending.batch, group);
        group.accepted.push(pending);
      } catch (error) {
        group.draft.undo(); // See (3).
        this.#stats = { ...this.#stats, refused: this.#stats.refused + 1 };
        pending.reject(error);
      }
    }
    return group;
  }

  /** Throws what is wrong with the batch; the group is as before then, but for the draft. */
  async #take({ marks, operations = [], changeLog }: Batch, group: Group): Promise<void> {
    const { draft, state } = group;
    const next = nextMarks(state, marks);
    checkMarks(state, next);
    for (const operation of operations) {
      for (const _ of draft.apply(operation)) await this.#slice.step();
      await this.#slice.step();
    }
    if (marks?.checkpointLsn !== undefined) {
      draft.put(watermarks, { component: "checkpoint", generation: draft.generation });
    }
    for (const _ of indexRows(draft)) await this.#slice.step();
    for (const _ of checkRows(draft, next)) await this.#slice.step();
    if (changeLog !== undefined) {
      const commit = this.#plan([changeLog], { ...state, ...next });
      group.changes ??= { commit, durableLsn: next.durableLsn };
      group.requests.push(changeLog);
    }
    for (const { after } of draft.changes(watermarks)) if (after) group.moved.push(after);
    group.state = { ...state, ...next };
  }

  /** What came alone was planned when it was looked at. */
  #planned({ requests, changes, state }: Group): ChangeLogCommit | undefined {
    const isAlone = requests.length === 1 && changes?.durableLsn === state.durableLsn;
    return isAlone ? changes.commit : this.#plan(requests, state);
  }

  #plan(requests: readonly ChangeLogRequest[], state: StateValue): ChangeLogCommit | undefined {
    return requests.length === 0 ? undefined : this.#changeLog?.plan(requests, state);
  }

  /** How many rows each table has afterwards. */
  async #counted(operations: readonly KeyValueOperation[]): Promise<CountedRows> {
    const rows = new Map(this.#state.rows);
    for (const { key, value } of operations) {
      const table = key[0] as number;
      const by = Number(value !== undefined) - Number(this.store.get(key) !== undefined);
      if (by !== 0 && table !== TABLE.meta)
        rows.set(table, Math.max(0, (rows.get(table) ?? 0) + by));
      await this.#slice.step();
    }
    return rows;
  }

  /**
   * The refused commit is there after all. If this is refused, too, the next commit tries again. It
   * is a generation of its own, since somebody may have seen that of the one that is taken back.
   */
  async #takeBack(store: KeyValueStore, found: number): Promise<void> {
    const { file, onCommit } = this.#options;
    if (this.#before === undefined || found < this.#state.generation) {
      const what = this.#before === undefined ? "a refused commit was made" : "commits are lost";
      throw new StorageError("BOP_IO", `${what} in ${file}: open the store again`, {
        details: { operation: "commit", file },
      });
    }
    const state = { ...this.#state, generation: found + 1 };
    await store.commit([...this.#before.operations, encodeState(state)]);
    this.#state = state;
    onCommit(state, []);
  }

  /** See (4). The new handle is there before the old one goes: readers never find none. */
  async #reopen(): Promise<void> {
    const { open, file } = this.#options;
    const store = await open();
    const old = this.#store;
    this.#store = store;
    await old.close();
    const { generation: found } = decodeState(required(store, STATE_KEY, file));
    if (found !== this.#state.generation) await this.#takeBack(store, found);
    this.#before = undefined;
    this.#view = undefined;
    this.#mustReopen = false;
  }
}

function closed(): StorageError {
  return new StorageError("BOP_CLOSED", "the manifest was closed", {
    details: { what: "manifest" },
  });
}
