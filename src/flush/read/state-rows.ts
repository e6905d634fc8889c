/**
 * THE ROWS OF A STATE: of each key what the newest object says that has it, in order of keys.
 *
 *   part 0, part 1, …   one source: their keys follow each other
 *   each batch          a source of its own
 *
 * The sources are merged: all of them stand at their next key, in a heap; of equal keys the newest
 * source comes first, and the others are passed over.
 *
 * (1) Of each object the end is read, and of its blocks those that may have keys of the range.
 * (2) What a chain must be (format/manifest-object.ts) is checked before the first row is given out.
 */
import { MIB } from "../../base/units.ts";
import type { KeyValuePair } from "../../manifest/index.ts";
import { decodeManifestIndex, type ManifestIndex } from "../format/manifest-object.ts";
import type { ManifestHeader } from "../format/object-header.ts";
import {
  type BlockEntry,
  decodeBlock,
  firstBlockFrom,
  type RowChange,
} from "../format/row-blocks.ts";
import { allInOrder } from "./bounded.ts";
import type { ObjectReader, ObjectRef, ReadTail } from "./object-reader.ts";

/** `from <= key < to`. */
export interface KeyBounds {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

type Tail = ReadTail<ManifestIndex>;

/** Blocks that follow each other are read together up to this size. */
const READ_BYTES = 2 * MIB;

export interface StateToRead {
  /** Of the batch that the state is at. */
  readonly state: ManifestHeader;
  readonly chain: readonly ObjectRef[];
}

/** The ends of the objects that a state is made of. */
export interface StateEnds {
  /** Of its base. */
  readonly parts: readonly Tail[];
  /** Oldest first. */
  readonly batches: readonly Tail[];
}

/** See (1) and (2). What they take stays in memory for as long as they are held. */
export async function readEnds(
  reader: ObjectReader,
  { state, chain }: StateToRead,
): Promise<StateEnds> {
  const tails = await allInOrder(chain, async (ref) => {
    const tail = await reader.tail(ref, decodeManifestIndex);
    if (tail === undefined) throw reader.missing(ref);
    return tail;
  });
  const parts = checkedParts(reader, { state, tails });
  return { parts, batches: tails.slice(parts.length) };
}

export async function* stateRows(
  reader: ObjectReader,
  ends: StateEnds,
  bounds: KeyBounds | undefined,
): AsyncGenerator<KeyValuePair> {
  const batches = ends.batches.map((tail) => [tail]);
  // Newest first, so that a lower place means newer.
  const sources = [...batches.reverse(), ends.parts].map(
    (objects, age) => new RowSource(reader, { objects, age, bounds }),
  );
  await allInOrder(sources, (source) => source.begin());
  const heap = new SourceHeap(sources.filter(({ row }) => row !== undefined));
  let given: Uint8Array | undefined;
  for (let source = heap.first; source !== undefined; source = heap.first) {
    const { key, value } = source.row as RowChange;
    const isNewest = given === undefined || Buffer.compare(given, key) !== 0;
    given = key;
    if (isNewest && value !== undefined) yield { key, value };
    const moving = source.next();
    if (moving !== undefined) await moving;
    heap.moved();
  }
}

/** See (2). Returns the parts of the base. */
function checkedParts(
  reader: ObjectReader,
  { state, tails }: { readonly state: ManifestHeader; readonly tails: readonly Tail[] },
): Tail[] {
  const parts = tails.filter(({ tables }) => tables.header.kind === "base");
  let lastKey: Uint8Array | undefined;
  for (const [at, { ref, tables }] of tails.entries()) {
    const { kind, whole, baseNumber, generation } = tables.header;
    const isPart = at < parts.length;
    const isInPlace = isPart === (kind === "base") && baseNumber === state.baseNumber;
    const isWhole = at !== parts.length || (whole && at > 0);
    if (!isInPlace || !isWhole || generation > state.generation) {
      throw reader.corrupt(ref, `it is out of place in the chain of ${state.number}`);
    }
    const first = tables.blocks[0]?.firstKey;
    if (!isPart || first === undefined) continue;
    if (lastKey !== undefined && Buffer.compare(lastKey, first) >= 0) {
      throw reader.corrupt(ref, "its keys do not follow those of the part before");
    }
    lastKey = tables.lastKey;
  }
  return parts;
}

interface SourceOptions {
  /** Whose keys follow each other. */
  readonly objects: readonly Tail[];
  /** 0 is the newest. */
  readonly age: number;
  readonly bounds: KeyBounds | undefined;
}

/** Rows of objects whose keys follow each other, block by block. */
class RowSource {
  readonly age: number;
  /** The row that it stands at; undefined at its end. */
  row: RowChange | undefined;
  readonly #reader: ObjectReader;
  readonly #bounds: KeyBounds | undefined;
  /** What is still to be read, in pieces. */
  readonly #pieces: Piece[];
  #rows: readonly RowChange[] = [];
  #at = 0;

  constructor(reader: ObjectReader, { objects, age, bounds }: SourceOptions) {
    this.#reader = reader;
    this.age = age;
    this.#bounds = bounds;
    this.#pieces = objects.flatMap((tail) => piecesOf(tail, bounds)).reverse();
  }

  /** Moves to the first row. */
  async begin(): Promise<void> {
    await this.next();
  }

  /** Moves to the next row. A promise where something must be read for it. */
  next(): Promise<void> | undefined {
    this.row = this.#rows[this.#at];
    this.#at += 1;
    if (this.row !== undefined) return undefined;
    return this.#pieces.length === 0 ? undefined : this.#read();
  }

  async #read(): Promise<void> {
    while (this.row === undefined) {
      const piece = this.#pieces.pop();
      if (piece === undefined) return;
      const { tail, blocks, offset, bytes } = piece;
      const rows = await this.#reader.part(tail, { offset, bytes }, (part) => {
        const found: RowChange[] = [];
        for (const block of blocks) {
          const from = block.offset - offset;
          const some = decodeBlock(part.subarray(from, from + block.bytes), block);
          if (some === undefined) return undefined;
          for (const row of some) if (isWithin(row.key, this.#bounds)) found.push(row);
        }
        return found;
      });
      this.#rows = rows;
      this.row = rows[0];
      this.#at = 1;
    }
  }
}

interface Piece {
  readonly tail: Tail;
  readonly blocks: BlockEntry[];
  readonly offset: number;
  bytes: number;
}

function piecesOf(tail: Tail, bounds: KeyBounds | undefined): Piece[] {
  const { blocks, lastKey } = tail.tables;
  if (bounds !== undefined && Buffer.compare(lastKey, bounds.from) < 0) return [];
  const first = bounds === undefined ? 0 : firstBlockFrom(tail.tables, bounds.from);
  const pieces: Piece[] = [];
  for (const block of blocks.slice(first)) {
    if (bounds !== undefined && Buffer.compare(block.firstKey, bounds.to) >= 0) break;
    const piece = pieces.at(-1);
    if (piece === undefined || piece.bytes + block.bytes > READ_BYTES) {
      pieces.push({ tail, blocks: [block], offset: block.offset, bytes: block.bytes });
    } else {
      piece.blocks.push(block);
      piece.bytes += block.bytes;
    }
  }
  return pieces;
}

function isWithin(key: Uint8Array, bounds: KeyBounds | undefined): boolean {
  if (bounds === undefined) return true;
  return Buffer.compare(key, bounds.from) >= 0 && Buffer.compare(key, bounds.to) < 0;
}

/** Sources that stand at a row, the one whose turn it is first. */
class SourceHeap {
  readonly #sources: RowSource[];

  constructor(sources: RowSource[]) {
    this.#sources = sources.sort((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  get first(): RowSource | undefined {
    return this.#sources[0];
  }

  /** The first one has moved on, or has come to its end. */
  moved(): void {
    const sources = this.#sources;
    if (sources[0]?.row === undefined) {
      const last = sources.pop() as RowSource;
      if (sources.length === 0) return;
      sources[0] = last;
    }
    let at = 0;
    for (;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let least = at;
      for (const child of [left, right]) {
        const [a, b] = [sources[child], sources[least]];
        if (a !== undefined && b !== undefined && isBefore(a, b)) least = child;
      }
      if (least === at) return;
      const moving = sources[at] as RowSource;
      sources[at] = sources[least] as RowSource;
      sources[least] = moving;
      at = least;
    }
  }
}

function isBefore(a: RowSource, b: RowSource): boolean {
  const order = Buffer.compare((a.row as RowChange).key, (b.row as RowChange).key);
  return order < 0 || (order === 0 && a.age < b.age);
}
