/**
 * THE OPEN STREAMS of the server, and who may go on with which.
 *
 *                open / resume                    release
 *     (nothing) ───────────────► busy ───────────────────────► waiting ──► (gone)
 *                                 │  ◄───────────────────────     │  idle or transaction timeout
 *                                 │           resume               │
 *                                 └──────────► (gone)              │
 *                                   release of an ended stream ◄───┘
 *
 *   busy      A request works on it. No other may: the baton that was shown is used up.
 *   waiting   Its client holds the only baton that is good. A timer runs.
 *   gone      Rolled back and closed. Its batons still verify, which tells an expired stream from
 *             a forged baton without anything being kept for it.
 */
import type { Clock, Disposer } from "../../base/env.ts";
import type { Database } from "../../manager/index.ts";
import { BatonIssuer } from "./baton.ts";
import { HranaError } from "./error.ts";
import { Stream, type StreamLimits } from "./stream.ts";

/** Transactions whose end by timeout is remembered, so that their client is told why. */
const TIMEOUTS_KEPT = 1000;

export interface StreamTableLimits extends StreamLimits {
  readonly streams: number;
  readonly streamIdleMs: number;
}

export interface StreamTableOptions {
  readonly clock: Clock;
  readonly limits: StreamTableLimits;
  /** A handle that the stream owns. Throws for a database that there is not. */
  readonly openDatabase: (name: string) => Promise<Database>;
  readonly onError: (error: unknown) => void;
}

export interface StreamEntry {
  readonly stream: Stream;
  readonly database: string;
  readonly id: string;
  readonly handle: Database;
  sequence: number;
  busy: boolean;
  idle: Disposer | undefined;
}

export class StreamTable {
  readonly #options: StreamTableOptions;
  readonly #batons = new BatonIssuer();
  readonly #entries = new Map<string, StreamEntry>();
  readonly #timeouts = new Map<string, HranaError>();
  #openingCount = 0;
  #closed = false;

  constructor(options: StreamTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** A new stream, busy. */
  async open(database: string): Promise<StreamEntry> {
    this.#assertRoom();
    this.#openingCount++;
    try {
      const handle = await this.#options.openDatabase(database);
      try {
        return this.#enter(database, handle, await handle.connect());
      } catch (error) {
        await handle.close();
        throw error;
      }
    } finally {
      this.#openingCount--;
    }
  }

  /** The stream of a baton, busy. Throws what is wrong with the baton. */
  resume(text: string, database: string): StreamEntry {
    const { streamId, sequence } = this.#batons.verify(text, database);
    const entry = this.#entries.get(streamId);
    if (entry === undefined) throw this.#timeouts.get(streamId) ?? expired();
    if (entry.busy || entry.sequence !== sequence) {
      throw new HranaError("BATON_REUSED", "this baton was used before");
    }
    entry.busy = true;
    entry.idle?.dispose();
    return entry;
  }

  /** The baton for the next request; undefined if there is none to come. */
  async release(entry: StreamEntry): Promise<string | undefined> {
    if (entry.stream.ended !== undefined || this.#closed) {
      await this.#drop(entry);
      return undefined;
    }
    const { clock, limits } = this.#options;
    entry.busy = false;
    entry.sequence++;
    entry.idle = clock.after(limits.streamIdleMs, () => void this.#drop(entry));
    const { id: streamId, sequence } = entry;
    return this.#batons.issue({ streamId, sequence }, entry.database);
  }

  /**
   * Opens and keeps nothing from now on, and rolls back what waits for its client: a request that
   * runs may wait for just that. Streams at work go on.
   */
  async drain(): Promise<void> {
    this.#closed = true;
    const waiting = [...this.#entries.values()].filter(({ busy }) => !busy);
    await Promise.all(waiting.map((entry) => this.#drop(entry)));
  }

  /** Rolls back and closes all. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#entries.values()].map((entry) => this.#drop(entry)));
  }

  #enter(
    database: string,
    handle: Database,
    connection: Awaited<ReturnType<Database["connect"]>>,
  ): StreamEntry {
    const id = this.#batons.newStreamId();
    const { clock, limits, onError } = this.#options;
    const onTimeout = () => this.#timedOut(entry);
    const stream = new Stream({ connection, clock, limits, onTimeout, onError });
    const entry: StreamEntry = {
      stream,
      database,
      id,
      handle,
      sequence: 0,
      busy: true,
      idle: undefined,
    };
    this.#entries.set(id, entry);
    return entry;
  }

  /** Whoever is at work on it sees that it has ended, and drops it on release. */
  #timedOut(entry: StreamEntry): void {
    const { ended } = entry.stream;
    if (ended !== undefined) this.#timeouts.set(entry.id, ended);
    for (const oldest of this.#timeouts.keys()) {
      if (this.#timeouts.size <= TIMEOUTS_KEPT) break;
      this.#timeouts.delete(oldest);
    }
    if (!entry.busy) void this.#drop(entry);
  }

  async #drop(entry: StreamEntry): Promise<void> {
    this.#entries.delete(entry.id);
    entry.idle?.dispose();
    try {
      await entry.stream.close();
      await entry.handle.close();
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #assertRoom(): void {
    if (this.#closed) throw new HranaError("SERVER_CLOSING", "the server is closing", 503);
    if (this.#entries.size + this.#openingCount < this.#options.limits.streams) return;
    throw new HranaError("TOO_MANY_STREAMS", "too many streams are open", 429);
  }
}

function expired(): HranaError {
  return new HranaError("STREAM_EXPIRED", "the stream has expired; its transaction is rolled back");
}
