/**
 * STATES OF THE MANIFEST IN A BUCKET: which there are, and the objects that each is made of.
 *
 * (1) A state is at every batch behind a base that is there wholly: its parts, the batch that makes
 *     it whole, and all batches between.
 * (2) Over all states and epochs LSNs and times ascend, so that a few headers find any of them. A base
 *     is no state and is passed over: what it is read with may be earlier than that of the states before
 *     it, and of one that was never finished, later than that of those behind it, if its writer was lost
 *     with log that the bucket never had.
 */
import type { ManifestHeader, ObjectHeader } from "../format/object-header.ts";
import { inOrder } from "./bounded.ts";
import { ObjectMap } from "./object-map.ts";
import type { ObjectReader, ObjectRef } from "./object-reader.ts";

export class StateMap {
  readonly #map: ObjectMap;
  /** Of each base that was looked at: the number of the batch that makes it whole. */
  readonly #wholeAt = new Map<string, number | undefined>();

  private constructor(map: ObjectMap) {
    this.#map = map;
  }

  static async load(reader: ObjectReader): Promise<StateMap> {
    return new StateMap(await ObjectMap.load(reader, "manifest"));
  }

  /** Newest first. */
  async *states(): AsyncGenerator<ManifestHeader> {
    const refs = this.#map.refs.toReversed();
    for await (const header of inOrder(refs, (ref) => this.#map.header(ref))) {
      if (header?.kind === "batch" && (await this.#isState(header))) yield header;
    }
  }

  /** The newest for which the condition holds, which holds for all states before it. See (2). */
  async newest(holds: (header: ManifestHeader) => boolean): Promise<ManifestHeader | undefined> {
    let at = await this.#map.lastWhere((header) => {
      return header.kind === "batch" ? holds(header) : undefined;
    });
    for (; at >= 0; at -= 1) {
      const header = await this.#map.header(this.#map.refs[at] as ObjectRef);
      if (header?.kind !== "batch" || !holds(header)) continue;
      if (await this.#isState(header)) return header;
    }
    return undefined;
  }

  /** What a state is made of: the parts of its base, then batches, oldest first. */
  chain({ epoch, number, baseNumber }: ManifestHeader): ObjectRef[] {
    const length = number + 1 - baseNumber;
    return Array.from({ length }, (_, at) => ({
      kind: "manifest",
      epoch,
      number: baseNumber + at,
    }));
  }

  /** The state that was found at this place. Undefined if there is none. */
  async at(ref: Pick<ObjectRef, "epoch" | "number">): Promise<ManifestHeader | undefined> {
    const { epoch, number } = ref;
    const header = await this.#map.header({ kind: "manifest", epoch, number });
    return header?.kind === "batch" && (await this.#isState(header)) ? header : undefined;
  }

  async #isState(header: ManifestHeader): Promise<boolean> {
    const wholeAt = await this.#whole(header);
    if (wholeAt === undefined || wholeAt > header.number) return false;
    for (const ref of this.chain(header)) if (!(await this.#map.has(ref))) return false;
    return true;
  }

  /** The number of the batch that makes the base of a batch whole; undefined if none does. */
  async #whole(batch: ManifestHeader): Promise<number | undefined> {
    const { epoch, baseNumber } = batch;
    const name = `${epoch}/${baseNumber}`;
    if (this.#wholeAt.has(name)) return this.#wholeAt.get(name);
    let wholeAt: number | undefined;
    for (const ref of this.chain(batch)) {
      const header = await this.#map.header(ref);
      if (header === undefined || !isManifest(header)) break;
      if (header.baseNumber !== baseNumber) break;
      if (header.kind === "base") continue;
      // The first batch behind the parts; behind no part at all there is no base.
      if (header.whole && header.number > baseNumber) wholeAt = header.number;
      break;
    }
    this.#wholeAt.set(name, wholeAt);
    return wholeAt;
  }
}

function isManifest(header: ObjectHeader): header is ManifestHeader {
  return header.kind === "base" || header.kind === "batch";
}
