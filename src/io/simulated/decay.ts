/**
 * A DISK THAT DECAYS: hurts what lies at rest, sector by sector. Nothing that was written is changed:
 * damage lies over it, see damage.ts.
 */
import { type Content, SECTOR_BYTES } from "./content.ts";
import type { DamageKind } from "./damage.ts";
import type { SeededRandom } from "./seeded.ts";
import type { Tree } from "./tree.ts";

export interface DecayOrder {
  readonly path: string;
  readonly kind: DamageKind;
  /** In the sector that holds this byte. Default: one that holds something, by seed. */
  readonly offset?: number;
  /** How many bytes are hurt, in sectors. Default: one of them; of what was misdirected a block. */
  readonly bytes?: number;
  /** Only the first read meets it. Default false. */
  readonly once?: boolean;
}

export interface Decayed {
  readonly path: string;
  readonly offset: number;
}

const BLOCK_BYTES = 4096;

export class Decay {
  readonly #tree: Tree;
  readonly #random: SeededRandom;
  readonly #injected: (what: string) => void;

  constructor(of: {
    readonly tree: Tree;
    readonly random: SeededRandom;
    readonly injected: (what: string) => void;
  }) {
    this.#tree = of.tree;
    this.#random = of.random;
    this.#injected = of.injected;
  }

  /** Undefined if there is nothing that could be hurt so. */
  hurt({ path, kind, once = false, ...where }: DecayOrder): Decayed | undefined {
    const file = this.#tree.file(path, "hurt");
    const place = where.offset ?? this.#anyPlace(file);
    if (place === undefined) return undefined;
    const unit = kind === "misdirected" ? BLOCK_BYTES : SECTOR_BYTES;
    const bytes = where.bytes ?? unit;
    const from = place - (place % unit);
    const source = kind === "misdirected" ? this.#elsewhere({ path, from }) : undefined;
    if (kind === "misdirected" && source === undefined) return undefined;
    let isHurt = false;
    const met = () => this.#injected(`damage met: ${kind}`);
    for (let at = from; at < from + bytes; at += SECTOR_BYTES) {
      const shown = this.#shown(file, { kind, at, source: source?.subarray(at - from) });
      const damage = { kind, once, met, ...(shown && { shown }) };
      if (this.#changes(file, at, shown)) isHurt = file.hurt(at, damage) || isHurt;
    }
    if (!isHurt) return undefined;
    this.#injected(`damage: ${kind}`);
    return { path, offset: from };
  }

  #anyPlace(file: Content): number | undefined {
    const written = file.written();
    return written.length === 0 ? undefined : this.#random.pick(written) + this.#random.below(512);
  }

  #shown(
    file: Content,
    of: { readonly kind: DamageKind; readonly at: number; readonly source: Uint8Array | undefined },
  ): Uint8Array | undefined {
    const { kind, at, source } = of;
    if (kind === "stale") return file.older(at);
    if (kind === "misdirected") return source?.slice(0, SECTOR_BYTES);
    if (kind !== "bit") return undefined;
    const bytes = sectorOf(file, at);
    const bit = this.#random.below(SECTOR_BYTES * 8);
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return bytes;
  }

  /** What is shown is not what is there. */
  #changes(file: Content, at: number, shown: Uint8Array | undefined): boolean {
    return shown === undefined || Buffer.compare(shown, sectorOf(file, at)) !== 0;
  }

  /** Another block of this file, or one of another file of the same kind. */
  #elsewhere({ path, from }: { readonly path: string; readonly from: number }) {
    const kindOf = (name: string) => name.slice(name.lastIndexOf("."));
    const others = this.#tree.files().filter(([other]) => kindOf(other) === kindOf(path));
    const [other, file] = this.#random.pick(others);
    const written = file.written().map((at) => at - (at % BLOCK_BYTES));
    const blocks = [...new Set(written)].filter((at) => other !== path || at !== from);
    if (blocks.length === 0) return undefined;
    const bytes = new Uint8Array(BLOCK_BYTES);
    file.peek(bytes, this.#random.pick(blocks));
    return bytes;
  }
}

function sectorOf(file: Content, at: number): Uint8Array {
  const bytes = new Uint8Array(SECTOR_BYTES);
  file.peek(bytes, at);
  return bytes;
}
