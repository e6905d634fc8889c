/**
 * ONE FILE AS A DEVICE MAY HAVE IT: what is durable, and what was asked of it since.
 *
 * (1) A sync makes durable what had ended before it began, and the size.
 * (2) After a sync that failed, nothing tells whether what it should have covered is there: it is
 *     *forsaken*, and no later sync makes it durable.
 * (3) A power cut leaves of each sector that was not synced one of the versions that it has had since;
 *     with `tears`, a tenth of these sectors is nothing that was ever written.
 */
import { Growing } from "./growing.ts";

export const SECTOR_BYTES = 512;
const TORN_OF_TEN = 1;

export interface Change {
  readonly at: number;
  /** Undefined: the file is cut or grown to `at`. */
  bytes: Uint8Array | undefined;
  state: "begun" | "ended" | "durable";
  isForsaken: boolean;
}

export interface Chance {
  /** At least 0, less than `below`. */
  readonly below: (below: number) => number;
}

export interface Cut {
  readonly chance: Chance;
  /** `all` is a kill: nothing is lost. `none`: all that was not synced. */
  readonly keeps: "all" | "none" | "some";
  readonly tears: boolean;
}

interface Sector {
  readonly sector: number;
  /** Changes, by index. */
  readonly touching: readonly number[];
  /** The newest that is durable, by index; -1 if none is. */
  readonly last: number;
  readonly cut: Cut;
}

export class RecordedFile {
  readonly #durable: Growing;
  /** In the order of their beginnings; the first of them is not durable. */
  #changes: Change[] = [];

  constructor(durable: Uint8Array = new Uint8Array(0)) {
    this.#durable = new Growing(durable);
  }

  begin(at: number, bytes: Uint8Array | undefined): Change {
    const change: Change = { at, bytes, state: "begun", isForsaken: false };
    this.#changes.push(change);
    return change;
  }

  /** What a sync that begins now will cover. */
  covered(): Change[] {
    return this.#changes.filter(({ state, isForsaken }) => state === "ended" && !isForsaken);
  }

  /** `changes` are durable, whatever others are. */
  made(changes: readonly Change[]): void {
    for (const change of changes) if (!change.isForsaken) change.state = "durable";
    let done = 0;
    while (this.#changes[done]?.state === "durable") done += 1;
    for (const change of this.#changes.splice(0, done)) apply(this.#durable, change);
  }

  forsake(changes: readonly Change[]): void {
    for (const change of changes) change.isForsaken = true;
  }

  /** As a failed sync leaves it that took back what it should have made durable. */
  drop(): void {
    this.#changes = this.#changes.filter(({ state, bytes }) => state === "durable" || !bytes);
  }

  remove(change: Change): void {
    this.#changes = this.#changes.filter((each) => each !== change);
  }

  /** The bytes after a power cut. */
  image(cut: Cut): Uint8Array {
    const image = new Growing(this.#durable.bytes.slice());
    if (cut.keeps === "all") {
      for (const change of this.#changes) apply(image, change);
      return image.bytes;
    }
    const last = this.#changes.findLastIndex(({ state }) => state === "durable");
    for (const [sector, touching] of this.#sectors()) {
      this.#applySector(image, { sector, touching, last, cut });
    }
    image.resize(this.#size(cut, last));
    return image.bytes;
  }

  /** What durable changes have made it, or all of them up to a later one. */
  #size({ chance, keeps }: Cut, last: number): number {
    const durable = this.#changes.filter(({ state }) => state === "durable");
    const least = durable.reduce(sizeAfter, this.#durable.bytes.length);
    if (keeps === "none") return least;
    const count = chance.below(this.#changes.length - last + 1);
    if (count === 0) return least;
    return this.#changes.slice(0, last + count).reduce(sizeAfter, this.#durable.bytes.length);
  }

  /** By sector: the changes that touch it. */
  #sectors(): Map<number, number[]> {
    const sectors = new Map<number, number[]>();
    for (const [index, { at, bytes }] of this.#changes.entries()) {
      const end = at + (bytes?.length ?? 0);
      for (let from = at - (at % SECTOR_BYTES); from < end; from += SECTOR_BYTES) {
        const touching = sectors.get(from);
        if (touching === undefined) sectors.set(from, [index]);
        else touching.push(index);
      }
    }
    return sectors;
  }

  #applySector(image: Growing, { sector, touching, last, cut }: Sector): void {
    const { chance, keeps, tears } = cut;
    const certain = touching.filter((index) => index <= last).length;
    const open = touching.length - certain;
    const count = keeps === "none" ? certain : certain + chance.below(open + 1);
    for (const index of touching.slice(0, count)) {
      const change = this.#changes[index];
      if (change === undefined) continue;
      const isLost = change.state !== "durable" && (keeps === "none" || chance.below(2) === 0);
      if (index <= last && isLost) continue;
      applyWithin(image, { change, from: sector, to: sector + SECTOR_BYTES });
    }
    if (tears && count > certain && chance.below(10) < TORN_OF_TEN) {
      image.write(
        sector,
        Uint8Array.from({ length: SECTOR_BYTES }, () => chance.below(256)),
      );
    }
  }
}

function sizeAfter(before: number, { at, bytes }: Change): number {
  return bytes === undefined ? at : Math.max(before, at + bytes.length);
}

function apply(image: Growing, { at, bytes }: Change): void {
  if (bytes === undefined) image.resize(at);
  else image.write(at, bytes);
}

function applyWithin(
  image: Growing,
  { change, from, to }: { readonly change: Change; readonly from: number; readonly to: number },
): void {
  const { at, bytes } = change;
  if (bytes === undefined) return;
  const begin = Math.max(at, from);
  image.write(begin, bytes.subarray(begin - at, Math.min(to - at, bytes.length)));
}
