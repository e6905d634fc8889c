/**
 * THE BYTES OF ONE SIMULATED FILE: what the page cache shows, and, for every 512-byte sector that
 * was written since the last sync, what else a power cut may leave there.
 *
 * (1) Sectors and the size settle independently: sizes may move without data, later writes may
 *     survive while earlier ones are lost.
 * (2) A sector that a power cut catches is old, new or (a tenth of them) garbage: a mix of both, or
 *     anything. Bytes behind the size are gone.
 * (3) Blocks of zeros take no memory: a preallocated segment costs what was written to it.
 * (4) Damage at rest lies over that, and is seen by processes only: damage.ts.
 * (5) A copy costs what is written afterwards: both have the same blocks until one of them changes.
 */
import { roundUp } from "../../base/units.ts";
import { type Damage, DamagedSectors } from "./damage.ts";
import { History } from "./history.ts";
import type { SeededRandom } from "./seeded.ts";

export const SECTOR_BYTES = 512;
const BLOCK_BYTES = 4096;
const GARBAGE_CHANCE = 0.1;
const LITTER_SECTORS_MAX = 4;

/** What a failed sync leaves in the page cache. The file counts as clean afterwards. */
export type SyncFailure = "kept" | "dropped" | "partial";

/** How a power cut treats one file: everything unsynced at once, or sector by sector. */
const CUT_MODES = ["lost", "landed", "mixed", "mixed", "mixed"] as const;

/** Undefined: 512 zeros. */
type Sector = Uint8Array | undefined;

interface Written {
  readonly order: number;
  /** When it returns; but for what was written before. */
  readonly isDurable: boolean;
}

const ZERO_SECTOR = Buffer.alloc(SECTOR_BYTES);

export class Content {
  #blocks = new Map<number, Uint8Array>();
  /** Of these blocks: those that another file has too. Undefined: it has the whole map. See (5). */
  #shared: Set<number> | undefined = new Set();
  #size = new History(0);
  /** Only sectors that a power cut could change. */
  readonly #unsettled = new Map<number, History<Sector>>();
  #damage: DamagedSectors | undefined;
  /** The version before the last one, of sectors that were written more than once: if it is kept. */
  readonly #older: Map<number, Uint8Array> | undefined;

  constructor({ keepsOlder = false }: { readonly keepsOlder?: boolean } = {}) {
    this.#older = keepsOlder ? new Map() : undefined;
  }

  get keepsOlder(): boolean {
    return this.#older !== undefined;
  }

  get sizeBytes(): number {
    return this.#size.current;
  }

  /** It becomes what the other is, undecided sectors and damage included. See (5). */
  become(of: Content): void {
    this.#blocks = of.#blocks;
    this.#shared = of.#shared = undefined;
    this.#size = of.#size.copy(same);
    this.#damage = of.#damage?.copy();
    this.#older?.clear();
    for (const [sectorAt, older] of of.#older ?? []) this.#older?.set(sectorAt, older);
    this.#unsettled.clear();
    for (const [sectorAt, history] of of.#unsettled) {
      this.#unsettled.set(sectorAt, history.copy(same));
    }
  }

  /** True while a sector of it is damaged. */
  get isHurt(): boolean {
    return this.#damage !== undefined && this.#damage.count > 0;
  }

  /** What a process reads: see (4). Throws SectorUnreadable. */
  read(into: Uint8Array, at: number): number {
    const count = this.peek(into, at);
    return this.#damage?.show(into.subarray(0, count), at) ?? count;
  }

  /** False if there is damage already, or nothing that could be hurt. */
  hurt(sectorAt: number, damage: Damage): boolean {
    const isThere = sectorAt >= 0 && sectorAt < this.sizeBytes;
    if (!isThere || this.#damage?.has(sectorAt)) return false;
    this.#damage ??= new DamagedSectors(SECTOR_BYTES);
    this.#damage.add(sectorAt, damage);
    return true;
  }

  mend(): void {
    this.#damage = undefined;
  }

  /** What a sector was before it was written last, as far as that is kept; zeros if it is not. */
  older(sectorAt: number): Uint8Array {
    return new Uint8Array(this.#older?.get(sectorAt) ?? ZERO_SECTOR);
  }

  /** Sectors that hold something, in order. */
  written(): number[] {
    const found: number[] = [];
    for (const [index, block] of this.#blocks) {
      for (let at = 0; at < BLOCK_BYTES; at += SECTOR_BYTES) {
        const sectorAt = index * BLOCK_BYTES + at;
        const isZeros = isZero(block.subarray(at, at + SECTOR_BYTES));
        if (!isZeros && sectorAt < this.sizeBytes) found.push(sectorAt);
      }
    }
    return found.sort((a, b) => a - b);
  }

  /** What was written, damaged or not. */
  peek(into: Uint8Array, at: number): number {
    const end = Math.min(at + into.length, this.sizeBytes);
    for (let from = at; from < end; ) {
      const inBlock = from % BLOCK_BYTES;
      const count = Math.min(BLOCK_BYTES - inBlock, end - from);
      const block = this.#blocks.get((from - inBlock) / BLOCK_BYTES);
      const target = into.subarray(from - at, from - at + count);
      if (block === undefined) target.fill(0);
      else target.set(block.subarray(inBlock, inBlock + count));
      from += count;
    }
    return Math.max(0, end - at);
  }

  write(from: Uint8Array, place: { readonly at: number; readonly order: number }): void {
    this.#write(from, { ...place, isDurable: false });
  }

  truncate(bytes: number, order: number): void {
    const before = this.sizeBytes;
    if (bytes === before) return;
    for (let at = bytes; at < before; ) {
      const sectorAt = at - (at % SECTOR_BYTES);
      const stop = Math.min(before, sectorAt + SECTOR_BYTES);
      const old = this.#sector(sectorAt);
      if (old !== undefined) {
        const next = Uint8Array.from(old).fill(0, at - sectorAt, stop - sectorAt);
        this.#put(sectorAt, next, { order, isDurable: false });
      }
      at = stop;
    }
    this.#damage?.cut(bytes);
    this.#size.put(order, bytes);
  }

  /** Makes durable what was written up to `order`. */
  sync(order: number): void {
    this.#size.sync(order);
    for (const [sectorAt, history] of this.#unsettled) {
      history.sync(order);
      if (history.settled) this.#unsettled.delete(sectorAt);
    }
  }

  /** A write that is durable when it returns. Covers no other write. */
  writeDurably(from: Uint8Array, place: { readonly at: number; readonly order: number }): void {
    this.#write(from, { ...place, isDurable: true });
    this.#size.sync(place.order);
  }

  /** What a durable write leaves that has failed: it may be seen and still be lost. */
  failDurably(
    from: Uint8Array,
    how: {
      readonly at: number;
      readonly order: number;
      readonly after: SyncFailure;
      readonly random: SeededRandom;
    },
  ): void {
    const { at, order, after, random } = how;
    if (after === "dropped") return;
    this.write(from, { at, order });
    for (let start = at - (at % SECTOR_BYTES); start < at + from.length; start += SECTOR_BYTES) {
      const history = this.#unsettled.get(start);
      if (history === undefined) continue;
      if (after === "kept") history.lose(order);
      else if (random.chance(0.5)) history.sync(order);
      else history.drop(order);
      this.#show(start, history.current);
      if (history.settled) this.#unsettled.delete(start);
    }
  }

  failSync(order: number, { after, random }: { after: SyncFailure; random: SeededRandom }): void {
    if (after === "dropped") this.#size.drop(order);
    else this.#size.lose(order);
    for (const [sectorAt, history] of this.#unsettled) {
      if (after === "partial" && random.chance(0.5)) history.sync(order);
      else if (after === "dropped") history.drop(order);
      else history.lose(order);
      this.#show(sectorAt, history.current);
      if (history.settled) this.#unsettled.delete(sectorAt);
    }
  }

  /** What the next boot finds. */
  powerCut(random: SeededRandom): void {
    const mode = random.pick(CUT_MODES);
    for (const [sectorAt, history] of this.#unsettled) {
      this.#show(sectorAt, survivor(history, { mode, random }));
    }
    this.#unsettled.clear();
    const before = this.#size.durable;
    const sizes = this.#size.possible();
    this.#size.become(mode === "mixed" ? random.pick(sizes) : pickEnd(sizes, mode));
    if (mode === "mixed") this.#litter(before, random);
    this.#forgetBehindEnd();
  }

  /** Durable and visible at once: for tests that damage a file, and for files that were there. */
  replace(bytes: Uint8Array): void {
    this.#blocks = new Map();
    this.#shared = new Set();
    this.#unsettled.clear();
    this.mend();
    this.#size.become(bytes.length);
    for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
      const sector = new Uint8Array(SECTOR_BYTES);
      sector.set(bytes.subarray(at, at + SECTOR_BYTES));
      this.#show(at, sector);
    }
  }

  /** A file that grew without its data may show what was on the device before. */
  #litter(from: number, random: SeededRandom): void {
    const sectors = Math.floor((this.sizeBytes - from) / SECTOR_BYTES);
    for (let n = 0; n < LITTER_SECTORS_MAX && sectors > 0; n++) {
      if (!random.chance(GARBAGE_CHANCE)) continue;
      const sectorAt = roundUp(from, SECTOR_BYTES) + random.below(sectors) * SECTOR_BYTES;
      this.#show(sectorAt, random.bytes(SECTOR_BYTES));
    }
  }

  #write(from: Uint8Array, { at, ...how }: Written & { readonly at: number }): void {
    const end = at + from.length;
    this.#damage?.written(from, at);
    const copy = new Uint8Array(from); // One for all sectors: they are many, and small.
    for (let start = at; start < end; ) {
      const sectorAt = start - (start % SECTOR_BYTES);
      const stop = Math.min(end, sectorAt + SECTOR_BYTES);
      const written = copy.subarray(start - at, stop - at);
      if (written.length === SECTOR_BYTES) this.#put(sectorAt, written, how);
      else {
        const next = new Uint8Array(this.#sector(sectorAt) ?? ZERO_SECTOR);
        next.set(written, start - sectorAt);
        this.#put(sectorAt, next, how);
      }
      start = stop;
    }
    if (end > this.sizeBytes) this.#size.put(how.order, end);
  }

  #put(sectorAt: number, next: Uint8Array, { order, isDurable }: Written): void {
    const sector = isZero(next) ? undefined : next;
    if (this.#older !== undefined) {
      this.#older.set(sectorAt, new Uint8Array(this.#sector(sectorAt) ?? ZERO_SECTOR));
    }
    let history = this.#unsettled.get(sectorAt);
    if (history === undefined && !isDurable) {
      history = new History<Sector>(this.#sector(sectorAt)?.slice());
      this.#unsettled.set(sectorAt, history);
    }
    history?.put(order, sector);
    this.#show(sectorAt, sector);
    if (!isDurable) return;
    history?.sync(order);
    if (history?.settled) this.#unsettled.delete(sectorAt);
  }

  /** A view into the page cache; undefined where its block is all zeros. */
  #sector(sectorAt: number): Sector {
    const inBlock = sectorAt % BLOCK_BYTES;
    const block = this.#blocks.get((sectorAt - inBlock) / BLOCK_BYTES);
    return block?.subarray(inBlock, inBlock + SECTOR_BYTES);
  }

  #show(sectorAt: number, sector: Sector): void {
    const inBlock = sectorAt % BLOCK_BYTES;
    const index = (sectorAt - inBlock) / BLOCK_BYTES;
    if (!this.#blocks.has(index) && (sector === undefined || isZero(sector))) return;
    this.#ownBlock(index).set(sector ?? ZERO_SECTOR, inBlock);
  }

  /** A block that may be changed. */
  #ownBlock(index: number): Uint8Array {
    const shared = this.#ownMap();
    const found = this.#blocks.get(index);
    if (found !== undefined && !shared.has(index)) return found;
    const own = found === undefined ? new Uint8Array(BLOCK_BYTES) : found.slice();
    this.#blocks.set(index, own);
    shared.delete(index);
    return own;
  }

  #ownMap(): Set<number> {
    if (this.#shared === undefined) {
      this.#blocks = new Map(this.#blocks);
      this.#shared = new Set(this.#blocks.keys());
    }
    return this.#shared;
  }

  #forgetBehindEnd(): void {
    const end = this.sizeBytes;
    for (const index of this.#blocks.keys()) {
      const from = index * BLOCK_BYTES;
      if (from + BLOCK_BYTES <= end) continue;
      if (from < end) this.#ownBlock(index).fill(0, end - from);
      else {
        this.#ownMap();
        this.#blocks.delete(index);
      }
    }
  }
}

const same = <T>(value: T): T => value;

function survivor(
  history: History<Sector>,
  { mode, random }: { mode: (typeof CUT_MODES)[number]; random: SeededRandom },
): Sector {
  const possible = history.possible();
  if (mode !== "mixed") return pickEnd(possible, mode);
  if (!random.chance(GARBAGE_CHANCE)) {
    return random.chance(0.5) ? history.durable : random.pick(possible);
  }
  if (random.chance(0.5)) return random.bytes(SECTOR_BYTES);
  const torn = Uint8Array.from(history.durable ?? ZERO_SECTOR);
  const newest = possible.at(-1) ?? ZERO_SECTOR;
  torn.set(newest.subarray(0, random.below(SECTOR_BYTES)));
  return torn;
}

function pickEnd<T>(possible: readonly T[], mode: "lost" | "landed"): T {
  return possible.at(mode === "lost" ? 0 : -1) as T;
}

function isZero(sector: Uint8Array): boolean {
  return sector[0] === 0 && Buffer.compare(sector, ZERO_SECTOR) === 0;
}
