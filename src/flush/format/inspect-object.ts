/**
 * A NUMBERED OBJECT TAKEN APART, for people: what it says of itself, its batches or blocks, and every
 * single thing that is wrong with it.
 *
 * (1) Any bytes give an answer; nothing is thrown.
 */
import { decodeLogIndex, decodeRuns } from "./index-object.ts";
import { decodeLogTables, readShippedBatch } from "./log-object.ts";
import { decodeManifestIndex } from "./manifest-object.ts";
import { decodeObjectTail, OBJECT_TRAILER } from "./object-frame.ts";
import { decodeObjectHeader, OBJECT_HEADER, type ObjectHeader } from "./object-header.ts";
import { type BlockIndex, decodeBlock, type RowChange } from "./row-blocks.ts";

type ObjectFacts = Readonly<Record<string, number | string | boolean>>;

export interface InspectedObject {
  readonly header: ObjectHeader | undefined;
  readonly facts: ObjectFacts;
  readonly parts: readonly InspectedObjectPart[];
  readonly problems: readonly ObjectProblem[];
}

interface InspectedObjectPart {
  readonly offset: number;
  readonly what: string;
  readonly facts: ObjectFacts;
}

interface ObjectProblem {
  /** Bytes from the object's beginning. */
  readonly offset: number;
  readonly why: string;
}

type Found = Pick<InspectedObject, "facts" | "parts" | "problems">;

/** Whether these first bytes are meant to be such an object. */
export function isNumberedObject(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, OBJECT_HEADER.offset.version)).toString("latin1") === "BOPO";
}

export function inspectObject(bytes: Uint8Array): InspectedObject {
  const first = decodeObjectHeader(bytes);
  const problems: ObjectProblem[] = [];
  if (first.type === "newer") problems.push({ offset: 0, why: `${first.found} is newer` });
  if (first.type === "bad") problems.push({ offset: 0, why: first.why });
  const end = decodeObjectTail(bytes, bytes.length);
  const trailerAt = Math.max(0, bytes.length - OBJECT_TRAILER.sizeBytes);
  const fromEnd = end.type === "tail" ? end.tail.header : undefined;
  if (end.type === "bad") problems.push({ offset: trailerAt, why: end.why });
  if (end.type === "newer" && first.type !== "newer") {
    problems.push({ offset: trailerAt, why: `${end.found} is newer` });
  }
  if (end.type === "more") problems.push({ offset: trailerAt, why: "tables beyond its beginning" });
  const header = first.type === "header" ? first.header : fromEnd;
  const repeated = bytes.subarray(trailerAt, trailerAt + OBJECT_HEADER.sizeBytes);
  const isSame = Buffer.compare(repeated, bytes.subarray(0, OBJECT_HEADER.sizeBytes)) === 0;
  if (first.type === "header" && fromEnd !== undefined && !isSame) {
    problems.push({ offset: trailerAt, why: "its two headers differ" });
  }
  const found = fromEnd === undefined ? NOTHING : contentsOf(bytes, fromEnd);
  return { header, ...found, problems: [...problems, ...found.problems] };
}

const NOTHING: Found = { facts: {}, parts: [], problems: [] };

function contentsOf(bytes: Uint8Array, header: ObjectHeader): Found {
  switch (header.kind) {
    case "log":
      return logContents(bytes);
    case "index":
      return indexContents(bytes);
    case "base":
    case "batch": {
      const index = decodeManifestIndex(bytes, bytes.length);
      return index.type === "manifest" ? rowContents(bytes, index).found : refused(index);
    }
    case "fence":
      return NOTHING;
  }
}

function logContents(bytes: Uint8Array): Found {
  const tables = decodeLogTables(bytes, bytes.length);
  if (tables.type !== "log") return refused(tables);
  const problems = tables.batches
    .filter((entry) => readShippedBatch(bytes.subarray(entry.offset), entry) === undefined)
    .map(({ offset, startLsn }) => ({ offset, why: `checksum of the batch at LSN ${startLsn}` }));
  const { runs, commits } = tables.streams;
  const parts = tables.batches.map(({ offset, startLsn, wallMs, payloadBytes }) => {
    return { offset, what: "batch", facts: { startLsn, wallMs, payloadBytes } };
  });
  const chunks = tables.spilled.map(({ chunk, epoch }) => `${chunk}-${epoch}`).join(" ");
  const spilled = chunks === "" ? {} : { spilledChunks: chunks };
  return { facts: { streams: runs.length, commits, ...spilled }, parts, problems };
}

function indexContents(bytes: Uint8Array): Found {
  const index = decodeLogIndex(bytes, bytes.length);
  if (index.type !== "index") return refused(index);
  const { found, rows } = rowContents(bytes, index);
  const broken = rows.filter(({ value }) => value === undefined || !decodeRuns(value, index));
  const why = `rows of ${broken.length} streams do not parse`;
  const problems = broken.length === 0 ? found.problems : [...found.problems, { offset: 0, why }];
  return { facts: { streams: rows.length }, parts: found.parts, problems };
}

function rowContents(bytes: Uint8Array, index: BlockIndex): { found: Found; rows: RowChange[] } {
  const rows: RowChange[] = [];
  const problems: ObjectProblem[] = [];
  const parts = index.blocks.map((block) => {
    const { offset, bytes: blockBytes, rows: rowCount } = block;
    const found = decodeBlock(bytes.subarray(offset, offset + blockBytes), block);
    if (found === undefined) problems.push({ offset, why: "a block of rows is damaged" });
    else rows.push(...found);
    const firstKey = Buffer.from(block.firstKey).toString("hex");
    return { offset, what: "block", facts: { bytes: blockBytes, rows: rowCount, firstKey } };
  });
  const removals = rows.filter(({ value }) => value === undefined).length;
  return { found: { facts: { removals }, parts, problems }, rows };
}

function refused(answer: { readonly type: string; readonly why?: string }): Found {
  return { ...NOTHING, problems: [{ offset: 0, why: answer.why ?? answer.type }] };
}
