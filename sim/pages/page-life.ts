/**
 * A PAGE STORE AND WHAT IT MUST HOLD: databases, forks and snapshots of random pages, over the real page
 * store and a real manifest on a simulated disk, with a log of which the scenario says how far it is
 * durable. Nothing of SQL, so that a seed takes milliseconds.
 *
 * (1) What is durable in the log is there after every crash; what is not never was.
 * (2) Work of a process that is dead changes nothing: a step is over when its world is.
 */
import type { Lsn, StreamId } from "../../src/base/units.ts";
import type { SeededRandom } from "../../src/io/index.ts";
import {
  expectFrozen,
  expectNewest,
  expectUnmoved,
  Oracle,
  type Reader,
  type State,
  type View,
} from "../../src/page-store/oracle.fixture.ts";
import type { PageSpace, Snapshot } from "../../src/page-store/page-space.ts";
import type { Rig } from "../../src/page-store/rig.fixture.ts";

const PAGE_SIZES = [512, 512, 512, 1024];
const DATABASES_MAX = 9;
/** Changes of the disk after which a recovery is cut off, at most. */
export const RECOVERY_CHANGES_MAX = 12;
/** More than one row of a page map. */
const PAGES_MAX = 1100;

type Change = { pageCount: number; pageBytes: number; pages: Map<number, Uint8Array> };

export class PageLife {
  readonly rig: Rig;
  readonly #random: SeededRandom;
  readonly #oracle: Oracle;
  #readers: Reader[] = [];
  #views: View[] = [];
  #names = 0;
  #stamp = 0;

  constructor(rig: Rig, random: SeededRandom, oracle = new Oracle()) {
    this.rig = rig;
    this.#random = random;
    this.#oracle = oracle;
  }

  /** The same with another store that the crash could have left; this one learns nothing from it. */
  echo(rig: Rig, random: SeededRandom): PageLife {
    return new PageLife(rig, random, this.#oracle.copy());
  }

  create(): void {
    const stream = this.rig.catalogue.create();
    this.#oracle.create(stream, this.rig.log.newestLsn);
  }

  commit(): void {
    const stream = this.#pickLive();
    if (stream === undefined) return;
    const random = this.#random;
    const space = this.rig.store.space(stream);
    const before = this.#oracle.newest(stream);
    const change = this.#change(before);
    const { pageCount, pageBytes, pages } = change;
    const kept = pageBytes === before.pageBytes ? before.pages : new Map<number, Uint8Array>();
    const rest = [...kept].filter(([page]) => page <= pageCount);
    const became = { pageCount, pageBytes, pages: new Map([...rest, ...pages]) };
    const copies = new Map([...pages].map(([page, image]) => [page, image.slice()]));
    const base = space.pin(space.newestLsn);
    const told = (lsn: Lsn) => this.#oracle.commit(stream, { lsn, ...became });
    if (random.chance(0.15)) this.#spill({ space, base, told }, { ...change, pages: copies });
    else told(space.stage({ base, pageCount, pageBytes, pages: copies }).seal());
    space.unpin(base);
  }

  fork(): void {
    const random = this.#random;
    const { catalogue, log, store } = this.rig;
    const stream = this.#pickLive();
    if (stream === undefined || catalogue.live.length >= DATABASES_MAX) return;
    const moments = [log.newestLsn];
    for (const [of, lsn] of this.rig.catalogue.moments) if (of === stream) moments.push(lsn);
    if (random.chance(0.3)) {
      for (const { lsn, upToLsn } of store.versions(stream)) moments.push(lsn, upToLsn);
    }
    const lsn = random.pick(moments);
    const child = catalogue.fork(stream, lsn);
    this.#oracle.fork(child, log.newestLsn, { stream, lsn });
  }

  snapshot(): void {
    const stream = this.#random.chance(0.3) ? 0 : this.#pickLive();
    if (stream === undefined) return;
    this.#names += 1;
    this.rig.catalogue.snapshot(stream, `snapshot-${this.#names}`);
  }

  dropSnapshot(): void {
    const { catalogue } = this.rig;
    const snapshots = [...catalogue.snapshots.values()];
    if (snapshots.length === 0) return;
    const { stream, name } = this.#random.pick(snapshots);
    catalogue.dropSnapshot(stream, name);
  }

  drop(): void {
    const stream = this.#pickLive();
    if (stream === undefined) return;
    for (const { space, snapshot } of this.#readers.filter((each) => each.stream === stream)) {
      space.unpin(snapshot);
    }
    this.#readers = this.#readers.filter((each) => each.stream !== stream);
    this.rig.catalogue.drop(stream);
  }

  read(): void {
    const random = this.#random;
    const { store, log } = this.rig;
    const snapshots = this.rig.catalogue.moments;
    if (snapshots.length > 0 && random.chance(0.5)) {
      const [stream, lsn] = random.pick(snapshots);
      const space = store.view(stream, lsn);
      this.#views.push({ stream, space, state: this.#oracle.at(stream, lsn) });
      return;
    }
    const stream = this.#pickLive();
    if (stream === undefined) return;
    const space = store.space(stream);
    const snapshot = space.pin(random.pick([log.durableLsn, ...log.undurable]));
    this.#readers.push({ stream, space, snapshot, state: this.#oracle.at(stream, snapshot.lsn) });
  }

  unread(): void {
    const [reader] = this.#readers.splice(this.#random.below(this.#readers.length), 1);
    reader?.space.unpin(reader.snapshot);
    const [view] = this.#views.splice(this.#random.below(this.#views.length), 1);
    view?.space.close();
  }

  flush(): void {
    const { log } = this.rig;
    log.makeDurable(this.#random.pick([log.durableLsn, ...log.undurable]));
  }

  /** The process is gone: of the log some more than anybody was told may be durable. */
  died(): void {
    this.flush();
    this.#readers = [];
    this.#views = [];
  }

  /** Another process has opened what was left. */
  reopened(): void {
    this.#oracle.cut(this.rig.log.durableLsn);
  }

  /** Everything that anybody may look at is as it was. */
  check(): void {
    const { store, catalogue } = this.rig;
    expectUnmoved(this.#readers, this.#views);
    for (const stream of catalogue.live) {
      expectNewest(store.space(stream), this.#oracle.newest(stream), stream);
      for (const { lsn, upToLsn } of store.versions(stream)) {
        this.#checkAt(stream, lsn);
        if (upToLsn > lsn) this.#checkAt(stream, upToLsn);
      }
    }
    for (const [stream, lsn] of this.rig.catalogue.moments) this.#checkAt(stream, lsn);
  }

  #checkAt(stream: StreamId, lsn: Lsn): void {
    const space = this.rig.store.view(stream, lsn);
    expectFrozen(space, this.#oracle.at(stream, lsn), `stream ${stream} at ${lsn}`);
    space.close();
  }

  #change(before: State): Change {
    const random = this.#random;
    const isResized = before.pageBytes === 0 || random.chance(0.03);
    const pageBytes = isResized ? random.pick(PAGE_SIZES) : before.pageBytes;
    const pageCount = this.#pageCount(before.pageCount);
    const pages = new Map<number, Uint8Array>();
    for (let n = random.below(8); n > 0; n -= 1) {
      if (pageCount > 0) pages.set(1 + random.below(pageCount), this.#image(pageBytes));
    }
    return { pageCount, pageBytes, pages };
  }

  /** Cheap, and no two are the same. */
  #image(pageBytes: number): Uint8Array {
    this.#stamp += 1;
    const image = Buffer.alloc(pageBytes, this.#stamp & 255);
    image.writeUInt32LE(this.#stamp, 0);
    image.writeUInt32LE(this.#stamp, pageBytes - 4);
    return new Uint8Array(image.buffer, image.byteOffset, pageBytes);
  }

  #spill(
    { space, base, told }: { space: PageSpace; base: Snapshot; told: (lsn: Lsn) => void },
    change: Change,
  ): void {
    const spill = space.spill(base, change.pageBytes);
    const pages = new Map<number, Uint8Array>();
    try {
      for (const [page, image] of change.pages) {
        if (this.#random.chance(0.5)) pages.set(page, image);
        else spill.put(new Map([[page, image]]));
      }
      told(space.stage({ ...change, base, pages, spill }).seal());
    } catch (error) {
      spill.discard();
      throw error;
    }
    spill.close();
  }

  #pageCount(before: number): number {
    const random = this.#random;
    if (random.chance(0.1)) return random.below(Math.max(1, before));
    const growth = random.chance(0.04) ? random.below(700) : random.below(6);
    return Math.min(PAGES_MAX, before + growth);
  }

  #pickLive(): StreamId | undefined {
    const { live } = this.rig.catalogue;
    return live.length === 0 ? undefined : this.#random.pick(live);
  }
}
