/**
 * DAMAGE AT REST: what the device gives back of a sector in place of what was written there.
 *
 *   bit          one bit is another one
 *   unreadable   a latent error: whoever reads the sector gets EIO
 *   stale        an older version, or the zeros from before the first one: a write that was lost
 *   misdirected  what was written elsewhere, in this file or in another
 *   short        reads end before it, though the file goes on
 *
 * (1) It lies over what was written and does not change it: `mended` shows the truth again, as a
 *     disk whose cable was loose does. Writing the sector as a whole ends it.
 * (2) Damage that is met once is over then; other damage stays through kills and power cuts.
 * (3) A write of a part of a sector goes into what is shown as well. The rest stays damaged.
 */
export const DAMAGE_KINDS = ["bit", "unreadable", "stale", "misdirected", "short"] as const;
export type DamageKind = (typeof DAMAGE_KINDS)[number];

export interface Damage {
  readonly kind: DamageKind;
  /** What is shown, of `bit`, `stale` and `misdirected`. */
  readonly shown?: Uint8Array;
  /** See (2). */
  readonly once: boolean;
  /** A read has met it. */
  readonly met: () => void;
}

/** A read touched an unreadable sector. Who knows the path makes the system's error of it. */
export class SectorUnreadable extends Error {}

/** Of one file. */
export class DamagedSectors {
  readonly #sectorBytes: number;
  /** By where they begin. */
  readonly #damages = new Map<number, Damage>();

  constructor(sectorBytes: number) {
    this.#sectorBytes = sectorBytes;
  }

  /** The same, over a file that is the same. */
  copy(): DamagedSectors {
    const copy = new DamagedSectors(this.#sectorBytes);
    for (const [sectorAt, { shown, ...rest }] of this.#damages) {
      copy.add(sectorAt, { ...rest, ...(shown && { shown: shown.slice() }) });
    }
    return copy;
  }

  get count(): number {
    return this.#damages.size;
  }

  has(sectorAt: number): boolean {
    return this.#damages.has(sectorAt);
  }

  add(sectorAt: number, damage: Damage): void {
    this.#damages.set(sectorAt, damage);
  }

  mended(): void {
    this.#damages.clear();
  }

  /** Puts it over bytes that were read from `at` on; returns how many of them are given back. */
  show(bytes: Uint8Array, at: number): number {
    const touched = [...this.#damages]
      .filter(([sectorAt]) => sectorAt < at + bytes.length && sectorAt + this.#sectorBytes > at)
      .sort(([a], [b]) => a - b);
    for (const [sectorAt, damage] of touched) {
      const { kind, shown, once, met } = damage;
      met();
      if (once) this.#damages.delete(sectorAt);
      if (kind === "unreadable") throw new SectorUnreadable();
      if (kind === "short") return Math.max(0, sectorAt - at);
      const [from, to] = [Math.max(at, sectorAt), at + bytes.length];
      const visible = (shown ?? bytes).subarray(from - sectorAt, to - sectorAt);
      bytes.set(visible, from - at);
    }
    return bytes.length;
  }

  /** See (1) and (3). */
  written(from: Uint8Array, at: number): void {
    for (const [sectorAt, { shown }] of this.#damages) {
      const sectorEnd = sectorAt + this.#sectorBytes;
      const [begin, end] = [Math.max(at, sectorAt), Math.min(at + from.length, sectorEnd)];
      if (begin >= end) continue;
      if (end - begin === this.#sectorBytes) this.#damages.delete(sectorAt);
      else shown?.set(from.subarray(begin - at, end - at), begin - sectorAt);
    }
  }

  /** Nothing is left from there on. */
  cut(bytes: number): void {
    for (const sectorAt of this.#damages.keys()) {
      if (sectorAt >= bytes) this.#damages.delete(sectorAt);
    }
  }
}
