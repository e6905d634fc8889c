/**
 * CHUNKS AGAINST THE MANIFEST: every page in every chunk that is there, and every location that the
 * page map names.
 *
 * (1) A location is right if the directory of its chunk has a record of that page, of the family of
 *     that database, at that offset. The record's checksum was verified when the chunk was read.
 * (2) `references` of a chunk is the number of locations that name it, in all versions of all maps.
 * (3) A chunk that no row names is a leftover of a crash: a note. One that a row names and that is
 *     not there is damage, told once for each database that has pages in it.
 */
import type { ChunkId } from "../../base/units.ts";
import { type ChunkEntry, inspectChunk, inspectRecordChunk } from "../../chunk/index.ts";
import type { ChunkRow, DatabaseRow, MapRowChange } from "../../manifest/index.ts";
import { MAP_ROW_PAGES } from "../../manifest/index.ts";
import { chunkOf, NOWHERE, offsetOf } from "../../page-store/index.ts";
import type { SpillFields } from "../../write/index.ts";
import type { Findings } from "./findings.ts";
import type { RangeTally } from "./verify-records.ts";

/** Locations of one chunk: offset, stream and page number, one behind the other. */
type Locations = number[];
const LOCATION_FIELDS = 3;

export interface ChunkFacts {
  readonly storeId: Uint8Array;
  readonly databases: readonly DatabaseRow[];
  readonly findings: Findings;
}

/** What the page map names, gathered row by row and given out chunk by chunk. */
export class MapTally {
  readonly #byChunk = new Map<ChunkId, Locations>();

  add({ stream, rowIndex, locations }: MapRowChange): void {
    for (const [index, location] of locations.entries()) {
      if (location === NOWHERE) continue;
      const chunk = chunkOf(location);
      const named = this.#byChunk.get(chunk) ?? [];
      named.push(offsetOf(location), stream, rowIndex * MAP_ROW_PAGES + index + 1);
      this.#byChunk.set(chunk, named);
    }
  }

  of(chunk: ChunkId): Locations {
    return this.#byChunk.get(chunk) ?? [];
  }

  /** Chunks that the map names and no row of the manifest does. */
  checkChunks(rows: readonly ChunkRow[], findings: Findings): void {
    const known = new Set(rows.map(({ chunk }) => chunk));
    for (const [chunk, named] of this.#byChunk) {
      if (known.has(chunk)) continue;
      const locations = named.length / LOCATION_FIELDS;
      const what = `page maps name ${locations} pages in chunk ${chunk}, which no row names`;
      findings.damage({ file: "manifest" }, what);
    }
  }
}

export interface ChunkToVerify {
  readonly row: ChunkRow;
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly named: readonly number[];
}

/** One chunk of pages. Returns how many pages were checked. */
export function verifyPageChunk(chunk: ChunkToVerify, facts: ChunkFacts): number {
  const { row, file, bytes } = chunk;
  const { findings, storeId } = facts;
  const { header, entries, problems } = inspectChunk(bytes);
  const names = namesOf(facts.databases);
  for (const { offset, why, page } of problems) {
    const database = page && names.get(page.stream);
    const place = { file, offset, ...(page && { page: page.pageNumber }) };
    findings.damage({ ...place, ...(database !== undefined && { database }) }, why);
  }
  if (bytes.length !== row.fileBytes) {
    findings.damage({ file }, `has ${bytes.length} bytes; the manifest says ${row.fileBytes}`);
  }
  if (header !== undefined) {
    if (Buffer.compare(header.storeId, storeId) !== 0) {
      findings.damage({ file, offset: 0 }, "the chunk belongs to another store");
    }
    if (header.chunk !== row.chunk) {
      findings.damage({ file, offset: 0 }, `chunk ${header.chunk} lies in place of ${row.chunk}`);
    }
    if (header.pageCount !== row.pageCount) {
      const what = `has ${header.pageCount} pages; the manifest says ${row.pageCount}`;
      findings.damage({ file, offset: 0 }, what);
    }
  }
  const { databases } = facts;
  if (entries !== undefined) checkLocations(chunk, { entries, databases, findings });
  return entries?.length ?? 0;
}

/** A chunk that a commit of the log names, and no row yet. */
export function verifySpilled(
  chunk: {
    readonly spill: SpillFields;
    readonly file: string;
    readonly bytes: Uint8Array | undefined;
  },
  { findings, databases }: ChunkFacts,
): void {
  const { spill, file, bytes } = chunk;
  if (bytes === undefined) {
    const what = `the file is missing, and with it ${spill.pageCount} pages of a large commit`;
    findings.damage({ file }, what);
    return;
  }
  const names = namesOf(databases);
  for (const { offset, why, page } of inspectChunk(bytes).problems) {
    const database = page && names.get(page.stream);
    findings.damage({ file, offset, ...(database !== undefined && { database }) }, why);
  }
  if (bytes.length !== spill.fileBytes) {
    findings.damage({ file }, `has ${bytes.length} bytes; its commit says ${spill.fileBytes}`);
  }
}

/** One chunk of entries of record logs, and whether it holds what rows name in it. */
export function verifyRecordChunk(
  { row, file, bytes, ranges }: Omit<ChunkToVerify, "named"> & { readonly ranges: RangeTally },
  { findings, storeId }: ChunkFacts,
): void {
  const { header, blocks, problems } = inspectRecordChunk(bytes);
  for (const { offset, why } of problems) findings.damage({ file, offset }, why);
  if (bytes.length !== row.fileBytes) {
    findings.damage({ file }, `has ${bytes.length} bytes; the manifest says ${row.fileBytes}`);
  }
  if (blocks !== undefined) ranges.check(row, blocks, { file, findings });
  if (header === undefined) return;
  if (Buffer.compare(header.storeId, storeId) !== 0) {
    findings.damage({ file, offset: 0 }, "the chunk belongs to another store");
  }
  if (header.chunk !== row.chunk) {
    findings.damage({ file, offset: 0 }, `chunk ${header.chunk} lies in place of ${row.chunk}`);
  }
}

function checkLocations(
  { row, file, named }: ChunkToVerify,
  seen: {
    readonly entries: readonly ChunkEntry[];
    readonly databases: readonly DatabaseRow[];
    readonly findings: Findings;
  },
): void {
  const known = new Map(seen.databases.map((each) => [each.stream as number, each]));
  const byOffset = new Map(seen.entries.map((entry) => [entry.offset, entry]));
  for (let at = 0; at < named.length; at += LOCATION_FIELDS) {
    const [offset = 0, stream = 0, page = 0] = named.slice(at, at + LOCATION_FIELDS);
    const entry = byOffset.get(offset);
    const { family = stream, name: database } = known.get(stream) ?? {};
    if (entry?.stream === family && entry.pageNumber === page) continue;
    const place = { file, offset, page, ...(database !== undefined && { database }) };
    seen.findings.damage(place, "the page map names a page that does not begin here");
  }
  const references = named.length / LOCATION_FIELDS;
  if (references !== row.references) {
    const what = `page maps name ${references} pages of it; its row counts ${row.references}`;
    seen.findings.damage({ file }, what);
  }
}

/** A chunk that is named and not there. */
export function missingChunk(
  { row, file, named }: Omit<ChunkToVerify, "bytes">,
  { databases, findings }: ChunkFacts,
): void {
  const names = namesOf(databases);
  const lost = new Map<number, number>();
  for (let at = 1; at < named.length; at += LOCATION_FIELDS) {
    const stream = named[at] ?? 0;
    lost.set(stream, (lost.get(stream) ?? 0) + 1);
  }
  if (lost.size === 0) {
    const what = `the file is missing; of its ${row.pageCount} ${row.kind} the page map names none`;
    findings.damage({ file }, what);
  }
  for (const [stream, pages] of lost) {
    const database = names.get(stream);
    const place = { file, ...(database !== undefined && { database }) };
    findings.damage(place, `the file is missing, and with it ${pages} pages of stream ${stream}`);
  }
}

function namesOf(databases: readonly DatabaseRow[]): Map<number, string> {
  return new Map(databases.map(({ stream, name }) => [stream, name]));
}
