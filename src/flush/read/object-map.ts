/**
 * WHICH NUMBERED OBJECTS A BUCKET HAS: of the log or of manifests, epoch by epoch.
 *
 * (1) A list is a hint. It may lack what was put last, and show what was deleted: where an epoch
 *     ends, numbers behind the last one that is listed are asked for until one is absent. An object
 *     that is listed and not there is forgotten when that is seen.
 * (2) A fence ends its epoch. What lies behind it is void, and is not in the map. A fence may have
 *     been put ahead of the numbers that were used; then one that comes before it counts.
 * (3) Numbers may be missing: objects that no restore point needs are deleted.
 * (4) An epoch that is claimed and has nothing yet is looked into as well, if nothing newer has.
 * (5) Index objects of the log are known apart from what they speak of.
 */
import { PREFIXES, parseKey } from "../../sink/index.ts";
import { isIndexNumber } from "../format/index-object.ts";
import { FENCE_BYTES } from "../format/object-frame.ts";
import type { ObjectHeader } from "../format/object-header.ts";
import type { ObjectReader, ObjectRef } from "./object-reader.ts";

type ObjectKind = ObjectRef["kind"];

export class ObjectMap {
  readonly #reader: ObjectReader;
  /** In order of epoch and number. */
  readonly #refs: ObjectRef[] = [];
  readonly #indexes = new Set<string>();
  readonly #headers = new Map<string, ObjectHeader>();

  private constructor(reader: ObjectReader) {
    this.#reader = reader;
  }

  static async load(reader: ObjectReader, kind: ObjectKind): Promise<ObjectMap> {
    const epochs = new Map<number, Listed>();
    for (const epoch of await claimedEpochs(reader)) epochs.set(epoch, { numbers: [] });
    for await (const { key, sizeBytes } of reader.list(PREFIXES[kind])) {
      const parsed = parseKey(key);
      if (parsed?.kind !== kind) continue; // Somebody else's.
      const { epoch, number } = parsed;
      const listed = epochs.get(epoch) ?? { numbers: [] };
      epochs.set(epoch, listed);
      if (listed.fencedAt !== undefined) continue; // Lists are in order: it lies behind the fence.
      if (sizeBytes === FENCE_BYTES) listed.fencedAt = number;
      else listed.numbers.push(number);
    }
    const map = new ObjectMap(reader);
    const inOrder = [...epochs].sort(([a], [b]) => a - b);
    const newestWithAny = inOrder.findLast(([, { numbers }]) => numbers.length > 0)?.[0] ?? -1;
    for (const [epoch, { numbers, fencedAt }] of inOrder) {
      for (const number of numbers) map.#append({ kind, epoch, number });
      const number = (numbers.at(-1) ?? -1) + 1;
      const isOpen = fencedAt !== number && (numbers.length > 0 || epoch > newestWithAny);
      if (isOpen) await map.#readOn({ kind, epoch, number });
    }
    return map;
  }

  /** Parts of the log, or parts of manifests: neither fences nor index objects. */
  get refs(): readonly ObjectRef[] {
    return this.#refs;
  }

  hasIndex(ref: ObjectRef): boolean {
    return this.#indexes.has(nameOf(ref));
  }

  /** Undefined if it is not there. */
  async header(ref: ObjectRef): Promise<ObjectHeader | undefined> {
    const name = nameOf(ref);
    const known = this.#headers.get(name);
    if (known !== undefined) return known;
    const header = await this.#reader.header(ref);
    if (header !== undefined) this.#headers.set(name, header);
    return header;
  }

  /** What was learned of an object by other means. */
  learn(ref: ObjectRef, header: ObjectHeader): void {
    this.#headers.set(nameOf(ref), header);
  }

  /** Place in `refs`; where it would stand, as a negative number less one, if it is not there. */
  indexOf(ref: ObjectRef): number {
    let [low, high] = [0, this.#refs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(this.#refs[middle] as ObjectRef, ref) < 0) low = middle + 1;
      else high = middle;
    }
    const found = this.#refs[low];
    return found !== undefined && compare(found, ref) === 0 ? low : -low - 1;
  }

  /** Whether it is there, listed or not; where it was not listed, it is in `refs` from now on. */
  async has(ref: ObjectRef): Promise<boolean> {
    const at = this.indexOf(ref);
    if (at >= 0) return true;
    const header = await this.header(ref);
    if (header === undefined || header.kind === "fence") return false;
    this.#refs.splice(-at - 1, 0, ref);
    return true;
  }

  /**
   * The place of the last object for which the condition holds, which holds for all before it; −1 if
   * there is none. Of one that says nothing, undefined, those behind it are asked.
   */
  async lastWhere(holds: (header: ObjectHeader) => boolean | undefined): Promise<number> {
    let [low, high] = [0, this.#refs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      let at = middle;
      let verdict: boolean | undefined;
      while (at < high && verdict === undefined) {
        const header = await this.header(this.#refs[at] as ObjectRef);
        if (header === undefined) {
          this.#refs.splice(at, 1); // See (1).
          high -= 1;
        } else {
          verdict = holds(header);
          at += 1;
        }
      }
      if (verdict === true) low = at;
      else high = middle;
    }
    return low - 1;
  }

  #append(ref: ObjectRef): void {
    if (ref.kind === "wal" && isIndexNumber(ref.number)) this.#indexes.add(nameOf(ref));
    else this.#refs.push(ref);
  }

  /** See (1). */
  async #readOn(from: ObjectRef): Promise<void> {
    for (let ref = from; ; ref = { ...ref, number: ref.number + 1 }) {
      const header = await this.header(ref);
      if (header === undefined || header.kind === "fence") return;
      this.#append(ref);
    }
  }
}

interface Listed {
  readonly numbers: number[];
  fencedAt?: number;
}

const nameOf = ({ epoch, number }: ObjectRef): string => `${epoch}/${number}`;

function compare(a: ObjectRef, b: ObjectRef): number {
  return a.epoch - b.epoch || a.number - b.number;
}

/** Claims are dense from 1 and never deleted. */
async function claimedEpochs(reader: ObjectReader): Promise<number[]> {
  const epochs: number[] = [];
  for await (const { key } of reader.list(PREFIXES.epoch)) {
    const parsed = parseKey(key);
    if (parsed?.kind === "epoch") epochs.push(parsed.epoch);
  }
  for (;;) {
    const epoch = (epochs.at(-1) ?? 0) + 1;
    if (!(await reader.has({ kind: "epoch", epoch }))) return epochs;
    epochs.push(epoch);
  }
}
