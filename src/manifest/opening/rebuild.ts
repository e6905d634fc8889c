/**
 * A MANIFEST MADE AGAIN from its mirror (mirror.ts): all its rows, as they were at the last commit that
 * can be read in the mirror to its end (mirror-format.ts, 1).
 *
 * (1) The row that makes a store one (STORE_KEY) is written last, in the commit that completes the
 *     rest: a rebuild that was cut off is not taken for a manifest, and is begun anew.
 * (2) The generation is above every one that the superblock has seen.
 * (3) Segments are not taken from the mirror, which may lack the newest, but from what is there.
 * (4) States that were shipped since the last entry of the mirror are taken for this disk's own, or its
 *     bucket would refuse it: the log, which that holds too, is compared all the same.
 */
import type { File, Storage } from "../../base/env.ts";
import { ioError, StorageError } from "../../base/errors.ts";
import { type Lsn, laterLsn, type SegmentSequence } from "../../base/units.ts";
import { mirrorPath } from "../mirror/mirror.ts";
import {
  decodeMirrorEntry,
  decodeMirrorHeader,
  MIRROR_ENTRY,
  MIRROR_HEADER,
  type MirrorEntry,
  type MirrorPlace,
  mirrorPayloadBytes,
} from "../mirror/mirror-format.ts";
import { unknownVersion } from "../rows/envelope.ts";
import { STATE_KEY, STORE_KEY, TABLE } from "../rows/keys.ts";
import type { Table } from "../rows/table.ts";
import type { KeyValueOperation, KeyValuePair, KeyValueStore } from "../stores/key-value.ts";
import { type ChunkRow, chunks } from "../tables/chunks.ts";
import { type HistoryRow, history } from "../tables/history.ts";
import { type RemoteChunkRow, remoteChunks } from "../tables/remote-chunks.ts";
import { segments } from "../tables/segments.ts";
import { shipping } from "../tables/shipping.ts";
import { decodeState, decodeStore, encodeState, type StateValue } from "../tables/state.ts";
import { firstRows } from "./first-rows.ts";

/** A manifest, as it is to be made again. */
export interface ManifestContents {
  /** All rows but the two of the store itself, and those of segments. */
  readonly rows: readonly KeyValuePair[];
  readonly storeRow: KeyValuePair;
  readonly storeId: Uint8Array;
  readonly state: StateValue;
}

export interface MirrorContents extends ManifestContents {
  /** Where the last commit that was read ends, and how much there is. A torn tail is normal after a crash. */
  readonly readBytes: number;
  readonly fileBytes: number;
}

export interface RebuildFacts {
  readonly generationFloor: number;
  readonly durableLsn: Lsn;
  readonly segments: readonly SegmentSequence[];
}

const ROWS_PER_COMMIT = 2000;
/** What a store knows of its bucket. */
const OF_SHIPPING: ReadonlySet<number> = new Set([
  TABLE.shipping,
  TABLE.epochs,
  TABLE.remoteChunks,
  TABLE.remoteGarbage,
  TABLE.remoteChains,
  TABLE.lostWindows,
]);

/** Throws BOP_CORRUPT if there is no whole mirror, BOP_FORMAT for a newer one, BOP_IO. */
export async function readMirror(storage: Storage, directory: string): Promise<MirrorContents> {
  const path = mirrorPath(directory);
  if ((await storage.stat(path))?.kind !== "file") throw unusable(path, "there is none");
  const file = await storage.open(path, "read").catch((cause: unknown) => {
    throw ioError("open", path, cause);
  });
  try {
    return await contentsOf(file, path);
  } catch (error) {
    throw error instanceof StorageError ? error : ioError("read", path, error);
  } finally {
    await file.close();
  }
}

/** Whether a manifest lies in the store: see (1). */
export function hasManifest(store: KeyValueStore): boolean {
  return store.get(STORE_KEY) !== undefined;
}

/** The chunks that a mirror names. */
export function chunksOfMirror({ rows }: MirrorContents, directory: string): ChunkRow[] {
  return chunksOfRows(rows, mirrorPath(directory));
}

/** The segments that a mirror keeps as history. */
export function historyOfMirror({ rows }: MirrorContents, directory: string): HistoryRow[] {
  return rowsOf(history, rows, mirrorPath(directory));
}

/** The chunks that rows name. `file`: where they come from, for errors. */
export function chunksOfRows(rows: readonly KeyValuePair[], file: string): ChunkRow[] {
  return rowsOf(chunks, rows, file);
}

/** Where chunks lie in the bucket, as rows say. */
export function remoteChunksOfRows(rows: readonly KeyValuePair[], file: string): RemoteChunkRow[] {
  return rowsOf(remoteChunks, rows, file);
}

function rowsOf<Row>(
  table: Pick<Table<unknown, Row>, "number" | "decode">,
  rows: readonly KeyValuePair[],
  file: string,
): Row[] {
  return rows
    .filter(({ key }) => key[0] === table.number)
    .map(({ key, value }) => table.decode({ key, value, file }));
}

/** The same, of a store that has nothing to do with the bucket that it came from. */
export function withoutShipping(contents: ManifestContents): ManifestContents {
  const isOurs = ({ key }: KeyValuePair) => !OF_SHIPPING.has(key[0] ?? 0);
  return { ...contents, rows: contents.rows.filter(isOurs) };
}

/** See (4). Not of a disk that was restored, and has put none. */
export function withLaterStates(mirror: MirrorContents, directory: string): MirrorContents {
  const file = mirrorPath(directory);
  const rows = mirror.rows.map(({ key, value }) => {
    if (key[0] !== TABLE.shipping) return { key, value };
    const row = shipping.decode({ key, value, file });
    const manifestNumber = row.restored ? row.manifestNumber : Number.MAX_SAFE_INTEGER;
    return shipping.encode({ ...row, manifestNumber }, mirror.state.generation);
  });
  return { ...mirror, rows };
}

/** Whatever lies in the store is replaced. */
export async function writeManifest(
  store: KeyValueStore,
  { rows, storeRow, state }: ManifestContents,
  facts: RebuildFacts,
): Promise<void> {
  await clearManifest(store);
  const generation = Math.max(state.generation, facts.generationFloor) + 1;
  const durableLsn = laterLsn(state.durableLsn, facts.durableLsn);
  for (let at = 0; at < rows.length; at += ROWS_PER_COMMIT) {
    await store.commit(rows.slice(at, at + ROWS_PER_COMMIT));
  }
  const found = facts.segments.map((sequence) => segments.encode(sequence, generation));
  const counts = countsOf([...rows, ...found]);
  const marks = encodeState({ ...state, generation, durableLsn, clean: false, rows: counts });
  await store.commit([...found, marks, storeRow]); // See (1).
}

/** Rows by table. */
function countsOf(rows: readonly { readonly key: Uint8Array }[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { key } of rows) counts.set(key[0] ?? 0, (counts.get(key[0] ?? 0) ?? 0) + 1);
  return counts;
}

/** Nothing is left in it. */
export async function clearManifest(store: KeyValueStore): Promise<void> {
  await store.commit([{ key: STORE_KEY }]);
  while (true) {
    const batch: KeyValueOperation[] = [];
    for (const { key } of store.range(Uint8Array.of(0), Uint8Array.of(255))) {
      batch.push({ key });
      if (batch.length === ROWS_PER_COMMIT) break;
    }
    if (batch.length === 0) return;
    await store.commit(batch);
  }
}

async function contentsOf(file: File, path: string): Promise<MirrorContents> {
  const fileBytes = await file.size();
  const header = new Uint8Array(MIRROR_HEADER.sizeBytes);
  await file.read(header, 0);
  const nonce = decodeMirrorHeader(header);
  if (nonce === undefined) throw unusable(path, "its header is damaged");
  if (typeof nonce === "number") throw unknownVersion({ file: path, found: nonce, supported: 1 });
  const rows = new Map<string, KeyValuePair>();
  /** Of a commit of which the end was not read yet. */
  let begun: KeyValueOperation[] = [];
  let isWhole = false;
  let offset = header.length;
  let readBytes = offset;
  while (true) {
    const found = await readEntry(file, { nonce, offset }, fileBytes);
    if (found === undefined) break;
    const { entry, bytes } = found;
    offset += bytes;
    if (entry.kind === "rows") for (const operation of entry.operations) begun.push(operation);
    if (entry.kind === "whole") isWhole = true;
    if (endsCommit(entry)) {
      apply(rows, begun);
      begun = [];
    }
    if (begun.length === 0) readBytes = offset;
  }
  if (!isWhole) throw unusable(path, `its base ends at byte ${offset} and is not whole`);
  const contents = contentsOfRows(rows, path);
  if (contents === undefined) throw unusable(path, "a row is missing");
  return { ...contents, readBytes, fileBytes };
}

/** See mirror-format.ts (1). */
function endsCommit(entry: MirrorEntry): boolean {
  if (entry.kind !== "rows") return entry.kind === "whole";
  const last = entry.operations.at(-1);
  return last !== undefined && Buffer.compare(last.key, STATE_KEY) === 0;
}

/** All rows of a manifest, wherever they come from. Throws BOP_CORRUPT with `file`. */
export function manifestOfRows(pairs: Iterable<KeyValuePair>, file: string): ManifestContents {
  const rows = new Map<string, KeyValuePair>();
  for (const pair of pairs) rows.set(textOf(pair.key), pair);
  const contents = contentsOfRows(rows, file);
  if (contents === undefined) throw unusable(file, "a row is missing");
  return contents;
}

/** The manifest of a store in which nothing has happened yet. */
export function newManifest(storeId: Uint8Array): ManifestContents {
  const [storeRow, stateRow] = firstRows(storeId);
  return { rows: [], storeRow, storeId, state: decodeState({ ...stateRow, file: "manifest" }) };
}

/** Undefined if the rows of the store itself are not there. */
function contentsOfRows(
  rows: ReadonlyMap<string, KeyValuePair>,
  file: string,
): ManifestContents | undefined {
  const [storeRow, stateRow] = [STORE_KEY, STATE_KEY].map((key) => rows.get(textOf(key)));
  if (storeRow === undefined || stateRow === undefined) return undefined;
  return {
    rows: [...rows.values()].filter(
      ({ key }) => key[0] !== TABLE.meta && key[0] !== TABLE.segments,
    ),
    storeRow,
    storeId: decodeStore({ ...storeRow, file }).storeId,
    state: decodeState({ ...stateRow, file }),
  };
}

/** Undefined at the end, or at what is no entry. */
async function readEntry(
  file: File,
  place: MirrorPlace,
  fileBytes: number,
): Promise<{ readonly entry: MirrorEntry; readonly bytes: number } | undefined> {
  const header = new Uint8Array(MIRROR_ENTRY.sizeBytes);
  if ((await file.read(header, place.offset)) < header.length) return undefined;
  const bytes = header.length + (mirrorPayloadBytes(header) ?? 0);
  if (place.offset + bytes > fileBytes) return undefined;
  const whole = new Uint8Array(bytes);
  await file.read(whole, place.offset);
  const entry = decodeMirrorEntry(whole, place);
  return entry === undefined ? undefined : { entry, bytes };
}

function apply(rows: Map<string, KeyValuePair>, operations: readonly KeyValueOperation[]): void {
  for (const { key, value } of operations) {
    if (value === undefined) rows.delete(textOf(key));
    else rows.set(textOf(key), { key, value });
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

function unusable(file: string, why: string): StorageError {
  const message = `the manifest cannot be rebuilt from ${file}: ${why}`;
  return new StorageError("BOP_CORRUPT", message, { details: { file, offset: 0, why } });
}
