/**
 * MANIFEST OBJECT: rows of the manifest as a part of a base, or changes of them as a batch. Its body
 * is blocks of rows, its tables the index of the blocks, their last key, and nothing (row-blocks.ts).
 *
 * (1) A base is one or more parts, numbered without gaps, whose keys ascend from part to part. Its
 *     rows are read while the manifest changes, each at some moment between the first part and the
 *     batch that makes it whole; that batch has all that changed meanwhile. So there is a state, of
 *     one moment, at that batch and at every batch behind it, and none before.
 * (2) A batch belongs to the base that its `baseNumber` names, and to all batches between.
 * (3) No chain crosses epochs: each epoch begins with a base of its own.
 * (4) No row of a state names an LSN above the `maxLsn` of its batch, and the log is in the bucket up to
 *     there before that batch is. A part of a base has its checkpoint there: which later LSNs its rows
 *     name, the batch that makes it whole says.
 */
import { assert } from "../../base/assert.ts";
import { decodeObjectTail, type MoreBytes, objectSteps } from "./object-frame.ts";
import { type BadBytes, bad, type ManifestHeader, type NewerFormat } from "./object-header.ts";
import { type BlockIndex, decodeBlockIndex, type RowChange, rowSteps } from "./row-blocks.ts";
import { atOnce, type Steps } from "./steps.ts";

/** Rows in order of their keys; a base has no removals. */
export interface ManifestObject extends Omit<ManifestHeader, "rowCount"> {
  readonly rows: readonly RowChange[];
}

export interface ManifestIndex extends BlockIndex {
  readonly type: "manifest";
  readonly header: ManifestHeader;
}

export function encodeManifestObject(object: ManifestObject): Uint8Array {
  return atOnce(manifestObjectSteps(object));
}

/** The same, in steps. */
export function* manifestObjectSteps({ rows, ...fields }: ManifestObject): Steps<Uint8Array> {
  const isBase = fields.kind === "base";
  assert(!isBase || rows.every(({ value }) => value !== undefined), "a base has no removals");
  const { body, index, end } = yield* rowSteps(rows);
  const header = { ...fields, rowCount: rows.length };
  return yield* objectSteps(header, [body], [index, end, new Uint8Array(0)]);
}

/** Takes the last bytes of the object, or all of them. Keeps views of them. */
export function decodeManifestIndex(
  bytes: Uint8Array,
  objectBytes: number,
): ManifestIndex | MoreBytes | NewerFormat | BadBytes {
  const answer = decodeObjectTail(bytes, objectBytes);
  if (answer.type !== "tail") return answer;
  const { header, tables, bodyEnd } = answer.tail;
  if (header.kind !== "base" && header.kind !== "batch") {
    return bad(`it is no manifest object: ${header.kind}`);
  }
  const [index, end, none] = tables;
  const found = decodeBlockIndex({ index, end }, bodyEnd);
  if (found === undefined || none.length > 0) return bad("index of the blocks");
  const rows = found.blocks.reduce((sum, block) => sum + block.rows, 0);
  if (rows !== header.rowCount) return bad("number of rows");
  return { type: "manifest", header, ...found };
}
