/**
 * THE CHANGE LOG IN THE HANDS OF ITS READERS: who reads by which cursor, what they acknowledge, and
 * word of databases that have new commits.
 *
 * (1) One loop reads by a cursor at a time; another is refused with BOP_CURSOR_BUSY.
 * (2) Acknowledgements that come while one is being made durable share the next commit.
 * (3) While somebody reads, databases with commits above `advancedLsn` are told of after
 *     `advanceDelayMs`, all in one commit; while nobody does, that costs nothing, and a checkpoint
 *     tells of them. Their creation is told before. What the manifest does not take is told again
 *     after a pause, twice as long after each further failure, also if nobody ever commits again.
 */
import { present } from "../../base/assert.ts";
import type { Clock, Disposer } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { type Lsn, laterLsn } from "../../base/units.ts";
import {
  type AdvancedDatabase,
  evictedError,
  factsOfDatabases,
  type Manifest,
} from "../../manifest/index.ts";
import type { PageStore } from "../../page-store/index.ts";
import type { Log } from "../../write/index.ts";
import type { Catalogue } from "../catalogue/catalogue.ts";
import { cursorName } from "../catalogue/names.ts";
import { refuseUnknown } from "../refuse-unknown.ts";
import type { Change, ChangesOptions, CursorInfo, CursorOptions } from "./change.ts";
import { ChangeReader } from "./change-reader.ts";

const PAUSE_MS = 1000;
const PAUSE_MS_MAX = 60_000;
/** Beyond it doubling would overflow, long after it has reached its bound. */
const DOUBLINGS_MAX = 20;

export interface ChangeFeedOptions {
  readonly manifest: Manifest;
  readonly log: Log;
  readonly pages: Pick<PageStore, "advancedSince">;
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  readonly advanceDelayMs: number;
  /** Resolves when the manifest has the catalogue up to an LSN. */
  readonly materialised: (lsn: Lsn) => Promise<void>;
  /** Throws once the store is closed. */
  readonly assertOpen: () => void;
  readonly onFailure: (error: unknown) => void;
}

interface Acknowledgements {
  readonly sequences: Map<string, number>;
  readonly durable: Promise<void>;
}

export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #readers = new Map<string, ChangeReader>();
  /** Acknowledgements that wait for those before them. See (2). */
  #next: Acknowledgements | undefined;
  #committing: Promise<unknown> = Promise.resolve();
  #timer: Disposer | undefined;
  #failuresInARow = 0;
  /** No database has commits between the mark and here that were not told of. */
  #toldLsn: Lsn;
  #stopped = false;

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
    this.#toldLsn = options.manifest.changeLog.state.advancedLsn;
  }

  /** Throws a TypeError or RangeError. The cursor is taken, and read by, from the first `next` on. */
  read(options: ChangesOptions): AsyncIterableIterator<Change> {
    refuseUnknown("changes", options, ["cursor", "fromNow", "reset", "signal"]);
    const { manifest, assertOpen } = this.#options;
    const cursor = cursorName(options.cursor);
    assertOpen();
    const reader: ChangeReader = new ChangeReader({
      cursor,
      changeLog: manifest.changeLog,
      signal: options.signal,
      assertOpen,
      begin: () => {
        if (this.#readers.has(cursor)) throw busy(cursor);
        this.#readers.set(cursor, reader);
        this.consider();
        return this.#begin(cursor, options);
      },
      acknowledge: (sequence) => this.#acknowledge(cursor, sequence),
      end: () => {
        if (this.#readers.get(cursor) === reader) this.#readers.delete(cursor);
      },
    });
    return reader;
  }

  cursors(): CursorInfo[] {
    this.#options.assertOpen();
    const { cursors, state } = this.#options.manifest.changeLog;
    return [...cursors.values()]
      .map(({ name, state: cursorState, acknowledged, atMs }) => ({
        name,
        state: cursorState,
        acknowledged,
        lag: state.next - 1 - acknowledged,
        inUse: this.#readers.has(name),
        at: new Date(atMs),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Makes a cursor, or finds it, without reading by it. */
  async createCursor(name: string, options: CursorOptions = {}): Promise<CursorInfo> {
    refuseUnknown("createCursor", options, ["fromNow", "reset"]);
    const cursor = cursorName(name);
    this.#options.assertOpen();
    if (this.#readers.has(cursor)) throw busy(cursor);
    await this.#begin(cursor, options);
    return present(
      this.cursors().find((each) => each.name === cursor),
      "a cursor that was begun is there",
    );
  }

  /** Resolves when the cursor is gone; one that is not there is gone already. */
  async dropCursor(name: string): Promise<void> {
    const cursor = cursorName(name);
    const { manifest, assertOpen } = this.#options;
    assertOpen();
    if (this.#readers.has(cursor)) throw busy(cursor);
    if (!manifest.changeLog.cursors.has(cursor)) return;
    await manifest.publish({ changeLog: { dropCursors: [cursor] } });
  }

  /** Cheap; called whenever the durable LSN advances. See (3). */
  consider(): void {
    if (this.#readers.size === 0 || this.#timer !== undefined || this.#stopped) return;
    if (this.#options.log.newestLsn <= this.#toldLsn) return;
    const { clock, advanceDelayMs } = this.#options;
    this.#timer = clock.deadline(advanceDelayMs, () => {
      this.#advance().then(
        () => {
          this.#failuresInARow = 0;
          this.#timer = undefined;
          this.consider();
        },
        (error: unknown) => this.#failed(error),
      );
    });
  }

  /** See (3). */
  #failed(error: unknown): void {
    if (this.#stopped) return;
    const { clock, onFailure } = this.#options;
    const doublings = Math.min(DOUBLINGS_MAX, this.#failuresInARow);
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** doublings);
    this.#failuresInARow += 1;
    this.#timer = clock.after(pauseMs, () => {
      this.#timer = undefined;
      this.consider();
    });
    onFailure(error);
  }

  /** Whoever waits is told that the store is closing. Resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.dispose();
    for (const reader of [...this.#readers.values()]) reader.wake();
    await this.#next?.durable.catch(() => undefined);
    await this.#committing;
  }

  async #begin(cursor: string, { reset, fromNow }: CursorOptions): Promise<number> {
    const { manifest, materialised, log } = this.#options;
    const { changeLog } = manifest;
    const row = changeLog.cursors.get(cursor);
    if (row?.state === "active" && reset !== true) return row.acknowledged;
    if (row?.state === "evicted" && reset !== true) throw evictedError(row, changeLog.state);
    const others = changeLog.cursors.size - (row === undefined ? 0 : 1);
    if (others >= changeLog.limits.maxCursors) throw tooMany(changeLog.limits.maxCursors);
    // What its caller knows to have happened is not to come as news.
    if (fromNow === true) await materialised(log.durableLsn);
    const at = fromNow === true ? "now" : "oldest";
    await manifest.publish({ changeLog: { beginCursors: [{ name: cursor, at }] } });
    const begun = changeLog.cursors.get(cursor);
    if (begun?.state === "evicted") throw evictedError(begun, changeLog.state);
    return begun?.acknowledged ?? 0;
  }

  /** See (2). */
  #acknowledge(cursor: string, sequence: number): Promise<void> {
    const { manifest, assertOpen } = this.#options;
    try {
      assertOpen();
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#next === undefined) {
      const sequences = new Map<string, number>();
      const durable = this.#committing.then(async () => {
        this.#next = undefined;
        await manifest.publish({ changeLog: { acknowledge: sequences } });
      });
      this.#committing = durable.catch(() => undefined); // Those who acknowledged hear of it.
      this.#next = { sequences, durable };
    }
    const { sequences, durable } = this.#next;
    sequences.set(cursor, Math.max(sequence, sequences.get(cursor) ?? 0));
    return durable;
  }

  /** See (3). */
  async #advance(): Promise<void> {
    const { manifest, log, pages, materialised } = this.#options;
    if (this.#readers.size === 0) return; // Whoever comes next hears of it then.
    const upTo = log.newestLsn;
    const databases = this.#named(pages.advancedSince(this.#toldLsn));
    if (databases.length > 0) {
      await log.durable(upTo);
      await materialised(upTo);
      await manifest.publish({
        durableLsn: log.durableLsn,
        changeLog: {
          append: factsOfDatabases({ kind: "advanced", lsn: upTo }, databases),
          advancedLsn: upTo,
        },
      });
    }
    this.#toldLsn = laterLsn(this.#toldLsn, upTo);
  }

  /** Those that can be seen; an import is told of as such, when it is done. */
  #named(advanced: ReturnType<PageStore["advancedSince"]>): AdvancedDatabase[] {
    return advanced.flatMap(({ stream, lsn }) => {
      const row = this.#options.catalogue.databases.row(stream);
      return row?.state === "live" ? [{ stream, name: row.name, lsn }] : [];
    });
  }
}

function busy(cursor: string): StorageError {
  const message = `another loop reads by cursor ${JSON.stringify(cursor)}; end it first`;
  return new StorageError("BOP_CURSOR_BUSY", message, { details: { cursor } });
}

function tooMany(limit: number): StorageError {
  const message = `there are ${limit} cursors; drop one, or open with more changeLog.maxCursors`;
  return new StorageError("BOP_CURSOR_LIMIT", message, { details: { limit } });
}
