/**
 * DATABASES THAT ARE STILL TO BE REPLAYED: their commits lie in the backlog of recovery until
 * somebody wants to look into them.
 *
 * (1) Nobody looks into a database before its commits have been replayed: `ready` resolves then.
 * (2) Nothing is committed to one before that, so its newest commit is the newest that waits, and
 *     how large it is then is known without a look.
 * (3) A checkpoint begins when no commit waits any more.
 * (4) What the device did not read when the store was opened is asked for again first.
 *
 * What is replayed takes no more memory than it took before the crash: of each page its newest
 * version, for nobody reads an older one.
 */
import type { Lsn, StreamId } from "../../base/units.ts";
import type { Backlog } from "../../write/index.ts";
import type { SpillShelf } from "../spill/spill-shelf.ts";
import type { DatabaseSize } from "./moments.ts";

export class Replays {
  readonly #shelf: Pick<SpillShelf, "lookAgain">;
  #backlog: Backlog | undefined;

  constructor(shelf: Pick<SpillShelf, "lookAgain">) {
    this.#shelf = shelf;
  }

  /** Commits come by way of PageStore.replay. */
  expect(backlog: Backlog): void {
    this.#backlog = backlog;
  }

  /** Databases that wait. */
  get count(): number {
    return this.#backlog?.waiting.size ?? 0;
  }

  isWaiting(stream: StreamId): boolean {
    return this.#backlog?.waiting.has(stream) === true;
  }

  /** See (2). Undefined if it does not wait. */
  sizeOf(stream: StreamId): DatabaseSize | undefined {
    return this.#backlog?.waiting.get(stream);
  }

  /** Resolves when `space` may be asked for the database. Rejects with BOP_IO or BOP_CORRUPT. */
  async ready(stream: StreamId): Promise<void> {
    if (!this.isWaiting(stream)) return;
    await this.#shelf.lookAgain();
    await this.#backlog?.replay(stream);
  }

  /** Resolves when every database is ready. Rejects as `ready` does, and with BOP_CLOSED. */
  async allReady(): Promise<void> {
    if (this.count > 0) await this.#shelf.lookAgain();
    await this.#backlog?.finish();
  }

  /** The newest commit of each database that waits. */
  newest(): ReadonlyMap<StreamId, { readonly lsn: Lsn }> {
    return this.#backlog?.waiting ?? new Map();
  }

  /** See PageStore.holdsLog. */
  holdsLog(): { readonly stream: StreamId; readonly fromLsn: Lsn }[] {
    const waiting = [...(this.#backlog?.waiting.values() ?? [])];
    return waiting.map(({ stream, oldestLsn }) => ({ stream, fromLsn: oldestLsn }));
  }

  forget(stream: StreamId): void {
    this.#backlog?.drop(stream);
  }

  async close(): Promise<void> {
    await this.#backlog?.close();
  }
}
