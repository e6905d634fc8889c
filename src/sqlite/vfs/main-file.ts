/**
 * THE DATABASE FILE OF ONE CONNECTION: SQLite's locks, reads and writes over the versions of a
 * PageSpace. To SQL users this is WAL mode; to SQLite's pager it is a rollback-journal file.
 *
 *            SHARED              RESERVED           write              SYNC
 *     none ─────────► reading ─────────► reserved ─────────► pending ─────────► staged
 *       ▲                │ ▲                │                   │                  │
 *       └────────────────┘ └────────────────┴───── unlock ──────┘   COMMIT_PHASETWO│
 *            unlock        ▲                                                       │
 *                          └──────────────────── sealed ◄──────────────────────────┘
 *
 *   reading    A snapshot is pinned; every read goes through it.
 *   reserved   The snapshot is the newest, and nobody else may write.
 *   pending    Whole pages that this transaction changed; reads look there first.
 *   staged     All that can fail was done. A write after it makes it void.
 *   sealed     The commit is visible to others; the snapshot has moved to it.
 *
 * (1) What is pending belongs to this connection alone and is dropped when the lock falls below
 *     RESERVED without a seal.
 * (2) The pager syncs the file when it commits and also when it has rolled back a transaction that
 *     had spilled. Only a commit changes the change counter in page 1: without that nothing is
 *     staged.
 * (3) The pager keeps its cache from one lock to the next if 16 bytes of page 1 are as they were.
 *     When the snapshot is another than the cache was filled from, it is told other bytes. So a
 *     cache is never stale, whatever the counter says, forwards or backwards in time.
 * (4) A staging that failed dooms the transaction: SQLite rolls it back, and the syncs of that
 *     roll-back stage nothing.
 * (5) VACUUM can change the size of pages, and writes them in the old size: they are cut anew when
 *     they are staged.
 */
import { assert, present } from "../../base/assert.ts";
import { type Lsn, pageNumber } from "../../base/units.ts";
import type { PageSpace, Snapshot, StagedCommit } from "../../page-store/index.ts";
import type { SqliteConnection } from "../api.ts";
import {
  CACHE_STAMP,
  HEADER,
  LOCK_NONE,
  LOCK_RESERVED,
  SQLITE_BUSY,
  SQLITE_BUSY_SNAPSHOT,
  SQLITE_IOERR_SHORT_READ,
  SQLITE_OK,
} from "../wasm/abi.ts";
import { PendingPages, type Piece } from "./pending-pages.ts";

export interface MainFileOptions {
  readonly space: PageSpace;
  readonly locks: { holder: SqliteConnection | undefined };
  readonly horizon: () => Lsn;
  readonly admit: () => void;
}

export class MainFile {
  readonly #space: PageSpace;
  readonly #locks: { holder: SqliteConnection | undefined };
  readonly #horizon: () => Lsn;
  readonly #admit: () => void;
  /** Who holds the lock when this file does. Set before SQL runs. */
  owner: SqliteConnection | undefined;
  lastCommitLsn: Lsn | undefined;
  snapshot: Snapshot | undefined;
  #level: number = LOCK_NONE;
  #pending: PendingPages | undefined;
  #staged: StagedCommit | undefined;
  #doomed = false;

  /** The moment from which the pager filled its cache; undefined if it never did. */
  #cachedLsn: Lsn | undefined;
  #cacheIsStale = false;
  /** What the pager was told last, or what page 1 says at `#stampLsn`. See (3). */
  readonly #stamp = new Uint8Array(CACHE_STAMP.bytes);
  #stampLsn: Lsn | undefined;
  #staleCount = 0;

  constructor({ space, locks, horizon, admit }: MainFileOptions) {
    this.#space = space;
    this.#locks = locks;
    this.#horizon = horizon;
    this.#admit = admit;
  }

  /** True if no commit that this connection may see has made a database yet. */
  get empty(): boolean {
    return this.#withSnapshot((snapshot) => snapshot.pageCount === 0);
  }

  get writing(): boolean {
    return this.#level >= LOCK_RESERVED;
  }

  lock(level: number): number {
    if (this.#level === LOCK_NONE) this.#pin();
    if (level >= LOCK_RESERVED && this.#level < LOCK_RESERVED) {
      const refusal = this.#reserve();
      if (refusal !== SQLITE_OK) return refusal;
    }
    if (level > this.#level) this.#level = level;
    return SQLITE_OK;
  }

  unlock(level: number): void {
    if (level < LOCK_RESERVED && this.#level >= LOCK_RESERVED) this.#release();
    if (level === LOCK_NONE && this.snapshot !== undefined) {
      this.#space.unpin(this.snapshot);
      this.snapshot = undefined;
    }
    if (level < this.#level) this.#level = level;
  }

  #pin(): void {
    const horizon = this.#horizon();
    const own = this.lastCommitLsn;
    const snapshot = this.#space.pin(own !== undefined && own > horizon ? own : horizon);
    this.snapshot = snapshot;
    if (this.#cachedLsn !== undefined && snapshot.lsn !== this.#cachedLsn)
      this.#cacheIsStale = true;
    this.#cachedLsn = snapshot.lsn;
  }

  #reserve(): number {
    const owner = present(this.owner, "a file without a connection");
    const { holder } = this.#locks;
    if (holder !== undefined && holder !== owner) return SQLITE_BUSY;
    if (this.snapshot?.lsn !== this.#space.newestLsn) return SQLITE_BUSY_SNAPSHOT;
    this.#admit();
    this.#locks.holder = owner;
    return SQLITE_OK;
  }

  /** Ends a write transaction; what was not sealed is gone. */
  #release(): void {
    this.#staged?.discard();
    this.#staged = undefined;
    this.#pending?.end({ isSealed: false });
    this.#pending = undefined;
    this.#doomed = false;
    if (this.#locks.holder === this.owner) this.#locks.holder = undefined;
  }

  /** Fills a piece of `u8`. What lies behind the end of the file is zeros, and the result says so. */
  read(u8: Uint8Array, piece: Piece): number {
    const snapshot = this.snapshot;
    if (snapshot === undefined) {
      return this.#withSnapshot((pinned) => this.#readFrom(pinned, u8, piece));
    }
    const { address, bytes, offset } = piece;
    if (offset === CACHE_STAMP.offset && bytes === CACHE_STAMP.bytes) {
      if (this.#stampInto(snapshot, u8, address)) return SQLITE_OK;
    }
    const pageBytes = this.#pending?.pageBytes ?? snapshot.pageBytes;
    const index = offset / pageBytes;
    if (bytes === pageBytes && Number.isInteger(index) && offset < this.fileBytes()) {
      u8.set(this.#page(snapshot, index + 1), address);
      return SQLITE_OK;
    }
    return this.#readFrom(snapshot, u8, piece);
  }

  /** Any piece, across pages. */
  #readFrom(snapshot: Snapshot, u8: Uint8Array, { address, bytes, offset }: Piece): number {
    const pageBytes = this.#pending?.pageBytes ?? snapshot.pageBytes;
    const fileBytes = this.#pending?.fileBytes ?? snapshot.pageCount * snapshot.pageBytes;
    const end = Math.min(offset + bytes, fileBytes);
    let done = 0;
    for (let at = offset; at < end; at = offset + done) {
      const index = Math.floor(at / pageBytes);
      const from = at - index * pageBytes;
      const count = Math.min(pageBytes - from, end - at);
      u8.set(this.#page(snapshot, index + 1).subarray(from, from + count), address + done);
      done += count;
    }
    if (done === bytes) return SQLITE_OK;
    u8.fill(0, address + done, address + bytes);
    return SQLITE_IOERR_SHORT_READ;
  }

  #page(snapshot: Snapshot, number: number): Uint8Array {
    const pending = this.#pending;
    if (pending === undefined) return this.#space.read(snapshot, pageNumber(number));
    const page = pending.get(number);
    if (page !== undefined) return page;
    if (number > pending.basePageCount) return new Uint8Array(pending.pageBytes);
    return this.#space.read(snapshot, pageNumber(number));
  }

  /** The read by which the pager asks if its cache is still true: see (3). False: read the page. */
  #stampInto(snapshot: Snapshot, u8: Uint8Array, address: number): boolean {
    if (this.#pending !== undefined || snapshot.pageCount === 0) return false;
    if (this.#cacheIsStale) {
      this.#cacheIsStale = false;
      this.#staleCount = (this.#staleCount + 1) % 256;
      // Differs from what any page 1 holds, and from what was told before.
      u8.fill(0xa5, address, address + CACHE_STAMP.bytes);
      u8[address] = this.#staleCount;
      return true;
    }
    if (this.#stampLsn !== snapshot.lsn) this.#keepStamp(snapshot);
    u8.set(this.#stamp, address);
    return true;
  }

  #keepStamp(snapshot: Snapshot): void {
    this.#setStamp(this.#space.read(snapshot, pageNumber(1)), snapshot.lsn);
  }

  #setStamp(firstPage: Uint8Array, lsn: Lsn): void {
    const { offset, bytes } = CACHE_STAMP;
    for (let index = 0; index < bytes; index++) {
      this.#stamp[index] = firstPage[offset + index] as number;
    }
    this.#stampLsn = lsn;
  }

  write(u8: Uint8Array, piece: Piece): void {
    this.#writable(piece.bytes).write(u8, piece);
  }

  truncate(fileBytes: number): void {
    const pending = this.#pending;
    // The pager cuts the file after the sync; the staged commit has known that size already.
    if (this.#staged !== undefined && pending?.finalBytes === fileBytes) return;
    this.#writable(present(this.snapshot, "truncated without a lock").pageBytes).truncate(
      fileBytes,
    );
  }

  #writable(pageBytes: number): PendingPages {
    assert(this.#level >= LOCK_RESERVED, "a page is written without the write lock");
    this.#staged?.discard();
    this.#staged = undefined;
    if (this.#pending === undefined) {
      const base = present(this.snapshot, "a write transaction without a snapshot");
      this.#pending = new PendingPages(base, pageBytes, this.#space);
    }
    return this.#pending;
  }

  fileBytes(): number {
    if (this.#pending !== undefined) return this.#pending.fileBytes;
    const { snapshot } = this;
    if (snapshot !== undefined) return snapshot.pageCount * snapshot.pageBytes;
    return this.#withSnapshot(({ pageCount, pageBytes }) => pageCount * pageBytes);
  }

  /** SQLITE_FCNTL_SYNC. */
  stage(): void {
    const pending = this.#pending;
    if (pending === undefined || this.#doomed || this.#staged !== undefined) return;
    const base = present(this.snapshot, "a write transaction without a snapshot");
    const { first } = pending;
    if (first === undefined || !this.#isCommit(base, first)) return;
    try {
      this.#staged = this.#space.stage(pending.finished());
    } catch (error) {
      this.#doomed = true;
      throw error;
    }
  }

  /** See (2). */
  #isCommit(base: Snapshot, first: Uint8Array): boolean {
    if (base.pageCount === 0) return (this.#pending?.fileBytes ?? 0) > 0;
    if (this.#stampLsn !== base.lsn) this.#keepStamp(base);
    for (let index = 0; index < 4; index++) {
      if (first[HEADER.changeCounter + index] !== this.#stamp[index]) return true;
    }
    return false;
  }

  /** SQLITE_FCNTL_COMMIT_PHASETWO. A transaction that wrote nothing has nothing staged. */
  seal(): void {
    const staged = this.#staged;
    if (staged === undefined) {
      assert(this.#pending === undefined, "a commit was not synced before it was sealed");
      return;
    }
    const pending = present(this.#pending, "a commit without pages");
    const first = present(pending.first, "a commit without page 1");
    const base = present(this.snapshot, "a write transaction without a snapshot");
    const lsn = staged.seal();
    this.#staged = undefined;
    pending.end({ isSealed: true });
    this.#pending = undefined;
    this.lastCommitLsn = lsn;
    this.snapshot = this.#space.pin(lsn);
    this.#space.unpin(base);
    this.#cachedLsn = lsn;
    this.#setStamp(first, lsn);
  }

  /** Gives everything back, whatever state it is in. */
  close(): void {
    this.unlock(LOCK_NONE);
    this.owner = undefined;
  }

  /** SQLite looks at the header once before it takes its first lock. */
  #withSnapshot<T>(use: (snapshot: Snapshot) => T): T {
    if (this.snapshot !== undefined) return use(this.snapshot);
    const snapshot = this.#space.pin(this.#horizon());
    try {
      return use(snapshot);
    } finally {
      this.#space.unpin(snapshot);
    }
  }
}
