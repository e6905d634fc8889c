/**
 * AN OPEN DATABASE: its pages, its writer and its connections, shared by all handles on it.
 *
 *   writer seat   the groups, and the transactions that hold the writer; sees the newest state
 *   reader seat   reads while the writer's newest state is not durable, or is in a transaction
 *   spare seats   iterators, read transactions, connections: one each for as long as they last
 *
 * (1) A read shows the newest durable commit, or the reader's own last commit if that is newer. It
 *     uses the writer's seat when that shows exactly this, so that a quiet database has one
 *     connection.
 * (2) Connections are opened when they are needed and closed when they have been idle for long
 *     (`trim`); what they compiled goes with them, and nobody above holds on to it.
 * (3) Answers pass the gate of the database's level (levels.ts); what they show is durable here in
 *     any case, or the session's own.
 */
import { assert } from "../../base/assert.ts";
import type { Env } from "../../base/env.ts";
import type { StorageError } from "../../base/errors.ts";
import { earlierLsn, LSN_ZERO, type Lsn, laterLsn, type StreamId } from "../../base/units.ts";
import type { PageSpace } from "../../page-store/index.ts";
import {
  type EngineKind,
  type PreparedStatement,
  type SqliteConnection,
  type SqliteEngine,
  type WriteLock,
  writeLock,
} from "../../sqlite/index.ts";
import type { Durability } from "../gates/durability.ts";
import type { OutputGate } from "../gates/gate.ts";
import type { Levels } from "../gates/levels.ts";
import { type PageResidency, PageWaits } from "./page-waits.ts";
import type { Readers } from "./readers.ts";
import { NEWEST, Seat } from "./seat.ts";
import type { Session } from "./session.ts";
import { Writer } from "./writer.ts";

/** Spare seats kept open for the next iterator. */
const IDLE_SPARES_MAX = 2;

export interface OpenDatabaseOptions {
  readonly stream: StreamId;
  readonly name: () => string;
  readonly kind: EngineKind;
  /** Throws BOP_CLOSED while a broken engine is replaced. */
  readonly engine: () => SqliteEngine;
  readonly space: PageSpace;
  /** Where its pages are. */
  readonly residency: PageResidency;
  readonly pageBytes: number;
  readonly foreignKeys: boolean;
  readonly profile: "embedded" | "server";
  readonly env: Env;
  readonly levels: Levels;
  /** To begin with: see `level`. */
  readonly level: Durability;
  readonly admit: () => void;
  readonly admissionTimeoutMs: number;
  /** Puts the database on the list of those whose writer wants to run. */
  readonly schedule: (database: OpenDatabase) => void;
  /** The same, for one whose writer was just given back. */
  readonly follow: (database: OpenDatabase) => void;
  /** A transaction has the writer of this database and goes on (1), or waits or gave it back (-1). */
  readonly countHold: (change: 1 | -1) => void;
  /** Asks that what was committed be written, since somebody waits for it. */
  readonly kick: () => void;
  /** Shared by all databases: how often one was used. */
  readonly uses: { count: number };
  /** A connection was opened; there may be too many now. */
  readonly onConnect: () => void;
  /** Nobody reads or writes for now. */
  readonly onRest: () => void;
  /** Where who reads for long is listed. */
  readonly readers: Readers;
}

export class OpenDatabase {
  readonly options: OpenDatabaseOptions;
  readonly writer: Writer;
  /** Who waits for pages that are in the bucket. */
  readonly pages: PageWaits;
  readonly #locks: WriteLock = writeLock();
  readonly #idleSpares: Seat[] = [];
  readonly #lentSpares = new Set<Seat>();
  #writerSeat: Seat | undefined;
  #readerSeat: Seat | undefined;
  #hasForeignKeys: boolean | undefined;
  #closed: StorageError | undefined;
  #gate: OutputGate;
  #level: Durability;
  /** When it was last used, by the count of uses of all databases; for closing what is idle. */
  lastUse = 0;

  constructor(options: OpenDatabaseOptions) {
    this.options = options;
    const { env, levels, level, space } = options;
    const gate = levels.gateOf(level);
    this.#gate = gate;
    this.#level = level;
    this.pages = new PageWaits(options.residency, env.clock);
    this.writer = new Writer({
      clock: env.clock,
      pages: this.pages,
      gate,
      admissionTimeoutMs: options.admissionTimeoutMs,
      newestLsn: () => space.newestLsn,
      schedule: () => options.schedule(this),
      follow: () => options.follow(this),
      foreignKeys: () => this.hasForeignKeys(),
      schemaChanged: () => this.schemaChanged(),
      countHold: options.countHold,
      openSeat: () => {
        this.#used();
        return this.writerSeat();
      },
    });
  }

  get space(): PageSpace {
    return this.options.space;
  }

  get level(): Durability {
    return this.#level;
  }

  /** From now on answers wait for this. Throws a TypeError for `remote` without a sink. */
  set level(level: Durability) {
    this.#gate = this.options.levels.gateOf(level);
    this.#level = level;
    this.writer.gate = this.#gate;
  }

  /** What answers pass. See (3). */
  get gate(): OutputGate {
    return this.#gate;
  }

  get connectionCount(): number {
    const fixed = (this.#writerSeat ? 1 : 0) + (this.#readerSeat ? 1 : 0);
    return fixed + this.#idleSpares.length + this.#lentSpares.size;
  }

  /** True if nothing would be lost or disturbed by closing its connections. */
  get idle(): boolean {
    return !this.writer.busy && this.#lentSpares.size === 0;
  }

  /** Throws BOP_CLOSED, BOP_DROPPED or BOP_READ_ONLY once the database is closed. */
  assertOpen(): void {
    if (this.#closed !== undefined) throw this.#closed;
  }

  /** Monotonic time at which so much time is over; undefined for no limit. */
  deadlineMs(timeoutMs: number | undefined): number | undefined {
    if (timeoutMs === undefined) return undefined;
    return this.options.env.clock.monotonicMs() + timeoutMs;
  }

  /** For whoever has the writer. */
  writerSeat(): Seat {
    const seat = this.#openWriterSeat();
    seat.endHold();
    return seat;
  }

  /**
   * The newest moment that a session may see, by (1). Its own commits that are lost since the log
   * failed are not among them.
   */
  horizonOf(session: Session): Lsn {
    const { durableLsn, hasFailed } = this.options.levels.local;
    if (hasFailed) return durableLsn;
    return laterLsn(session.lastCommitLsn, durableLsn);
  }

  /** What an answer that shows this moment waits for at a gate, the database's unless told. */
  awaitedBy(session: Session, gate = this.#gate): Lsn {
    const horizon = this.horizonOf(session);
    if (gate === this.options.levels.local) return horizon;
    // The sink lags further behind than the log does: what others committed is not waited for.
    return earlierLsn(horizon, this.space.newestLsn);
  }

  /** The statement of a text, if the writer has run it since the schema changed last. */
  compiledToWrite(sql: string): PreparedStatement | undefined {
    const seat = this.#writerSeat;
    return seat?.connection.open === true ? seat.known(sql) : undefined;
  }

  /** A seat that shows what a session may see, for compiling, or for one read after `holdRead`. */
  readSeat(session: Session): Seat {
    const open = this.openReadSeat(session);
    if (open !== undefined) return open;
    const seat = this.#connect();
    seat.connection.share();
    seat.horizon = this.horizonOf(session);
    this.#readerSeat = seat;
    return seat;
  }

  /** The same, if it takes no second connection that is not open. */
  openReadSeat(session: Session): Seat | undefined {
    this.assertOpen();
    const horizon = this.horizonOf(session);
    if (!this.writer.held && this.space.newestLsn <= horizon) return this.#openWriterSeat();
    const seat = this.#readerSeat;
    if (seat?.connection.open !== true) return undefined;
    seat.horizon = horizon;
    return seat;
  }

  /** Makes a read seat ready for one synchronous read that nothing comes between. */
  holdRead(seat: Seat, session: Session): void {
    this.#used();
    const horizon = this.horizonOf(session);
    const { newestLsn } = this.space;
    seat.holdRead(earlierLsn(newestLsn, horizon));
  }

  /** Lets go of snapshots that are held only in case that the next read wants them. */
  endHolds(): void {
    if (!this.writer.held) this.#writerSeat?.endHold();
    this.#readerSeat?.endHold();
  }

  /** A session's own statements that wait are run before it looks, if nobody holds the writer. */
  catchUp(session: Session): void {
    while (session.queuedCount > 0 && this.writer.run() > 0);
  }

  /** A seat of one's own, until `giveBack`. Its horizon is the session's, until it is set. */
  takeSpare(session: Session): Seat {
    this.assertOpen();
    let seat = this.#idleSpares.pop();
    if (seat?.connection.open !== true) seat = this.#connect();
    seat.horizon = this.horizonOf(session);
    this.#lentSpares.add(seat);
    return seat;
  }

  /** A bare connection to the newest state, for the caller to close. */
  takeSpareConnection(): SqliteConnection {
    this.assertOpen();
    const seat = this.#connect();
    seat.horizon = NEWEST;
    return seat.connection;
  }

  /**
   * `reusable` says that its connection is as it was: no temp tables, nothing unfinished. One whose
   * settings may have changed, or that shows a commit of its own before that is durable, is not for others.
   */
  giveBack(seat: Seat, { reusable }: { readonly reusable: boolean }): void {
    if (!this.#lentSpares.delete(seat)) return;
    const { autocommit, lastCommitLsn = LSN_ZERO } = seat.connection;
    const isDurable = this.options.levels.local.isOpen(lastCommitLsn);
    const isPlain = reusable && seat.isAsMade;
    const keep = isPlain && autocommit && isDurable && this.#closed === undefined;
    if (keep && this.#idleSpares.length < IDLE_SPARES_MAX) this.#idleSpares.push(seat);
    else seat.close();
  }

  hasForeignKeys(): boolean {
    if (!this.options.foreignKeys) return false;
    this.#hasForeignKeys ??= findsForeignKey(this.writerSeat());
    return this.#hasForeignKeys;
  }

  /** What was compiled says things about a schema that is no more. */
  schemaChanged(): void {
    this.#hasForeignKeys = undefined;
    for (const seat of this.#seats()) seat.forgetStatements();
  }

  /** Closes what is idle. */
  trim(): void {
    assert(this.idle, "connections in use are not trimmed");
    this.#closeSeats();
    this.options.onRest();
  }

  /**
   * What the connections have in memory may not be durable: nobody uses them again, and what waits is
   * refused. Returns those that nobody uses now: the caller closes them.
   */
  turnReadOnly(error: StorageError): Seat[] {
    const unused = this.#unusedSeats();
    this.writer.refuseAll(error);
    for (const seat of unused) seat.endHold();
    this.#closeSeats(unused);
    return unused;
  }

  /**
   * From now on everybody gets the error. Connections that nobody uses stay open until `close`: to
   * close one takes as long as many commits.
   */
  refuse(error: StorageError): void {
    if (this.#closed !== undefined) return;
    const { idle } = this;
    this.#closed = error;
    this.pages.close(error);
    this.writer.close(error);
    if (!idle) this.#closeSeats();
  }

  /** Closes everything; whoever comes later gets the error. */
  close(error: StorageError): void {
    this.refuse(error);
    this.#closeSeats();
  }

  /** Cheaper than a look at the clock, which every read would take. */
  #used(): void {
    const { uses } = this.options;
    uses.count += 1;
    this.lastUse = uses.count;
  }

  /** Whoever holds the writer may be in the middle of something on its seat. */
  #unusedSeats(): Seat[] {
    const writerSeat = this.writer.held ? undefined : this.#writerSeat;
    const seats = [writerSeat, this.#readerSeat, ...this.#idleSpares];
    return seats.filter((seat) => seat !== undefined);
  }

  /** None is known here any more; those that are left open are the caller's. */
  #closeSeats(leftOpen: readonly Seat[] = []): void {
    for (const seat of this.#seats()) if (!leftOpen.includes(seat)) seat.close();
    this.#writerSeat = undefined;
    this.#readerSeat = undefined;
    this.#idleSpares.length = 0;
    if (this.#lentSpares.size > 0) this.options.readers.forget(this);
    this.#lentSpares.clear();
  }

  *#seats(): Iterable<Seat> {
    if (this.#writerSeat !== undefined) yield this.#writerSeat;
    if (this.#readerSeat !== undefined) yield this.#readerSeat;
    yield* this.#idleSpares;
    yield* this.#lentSpares;
  }

  #openWriterSeat(): Seat {
    this.assertOpen();
    if (this.#writerSeat?.connection.open !== true) {
      this.#writerSeat = this.#connect();
      this.#writerSeat.connection.share();
      this.#writerSeat.horizon = NEWEST;
    }
    return this.#writerSeat;
  }

  #connect(): Seat {
    const { engine, space, admit, pageBytes, foreignKeys, profile, levels, onConnect } =
      this.options;
    onConnect();
    const seat = new Seat(
      (horizon) =>
        engine().connect({
          space,
          locks: this.#locks,
          horizon,
          admit,
          profile,
          pageBytes,
        }),
      () => levels.local.durableLsn,
    );
    seat.connection.command(`PRAGMA foreign_keys = ${foreignKeys ? "ON" : "OFF"}`);
    return seat.made();
  }
}

const FOREIGN_KEY_QUERY = `select exists (
  select 1 from sqlite_schema as s, pragma_foreign_key_list(s.name) where s.type = 'table')`;

function findsForeignKey(seat: Seat): boolean {
  const statement = seat.lease(FOREIGN_KEY_QUERY);
  try {
    statement.step();
    return statement.value(0, "number") === 1;
  } finally {
    statement.finalize();
  }
}
