/**
 * A WHOLE STORE VERIFIED, without owning it and without changing a byte: every checksum, and
 * everything that one file says of another.
 *
 *   manifest → superblock → log → chunks
 *
 * (1) A store that somebody has open is refused, before the work and after it: what changes under
 *     the reader cannot be judged.
 * (2) Damage never ends the work: all of it is told, each with file and offset.
 * (3) A chunk that is only in the sink is no damage (verify-remote.ts).
 */
import type { Env } from "../../base/env.ts";
import { ioError, StorageError } from "../../base/errors.ts";
import type { Lsn } from "../../base/units.ts";
import {
  auditManifest,
  auditMirror,
  type ManifestAudit,
  type MapRowChange,
  type OpenKeyValueStore,
  refuseIfOwned,
} from "../../manifest/index.ts";
import {
  chunkOfName,
  chunkPath,
  inspectSuperblock,
  type Superblock,
} from "../../page-store/index.ts";
import type { ObjectStore } from "../../sink/index.ts";
import type { SpillFields } from "../../write/index.ts";
import { FileSource } from "../transfer/file-source.ts";
import { type Finding, Findings } from "./findings.ts";
import {
  MapTally,
  missingChunk,
  verifyPageChunk,
  verifyRecordChunk,
  verifySpilled,
} from "./verify-chunks.ts";
import { historyNames, verifyHistory } from "./verify-history.ts";
import { type LogCounts, verifyLog } from "./verify-log.ts";
import { MapJudge } from "./verify-maps.ts";
import { RangeTally } from "./verify-records.ts";
import { RemoteShelf } from "./verify-remote.ts";

export interface VerifyOptions {
  readonly env: Env;
  readonly directory: string;
  readonly openKeyValueStore: OpenKeyValueStore;
  /** Where the store is shipped to: chunks that are only there are read there, and checked. */
  readonly sink?: string | ObjectStore;
  /** Called before each file, with its name as seen from the directory. */
  readonly onFile?: (file: string) => void;
}

export interface VerifyReport {
  readonly directory: string;
  /** No damage was found; there may be notes. */
  readonly isSound: boolean;
  readonly checked: LogCounts & {
    readonly manifestRows: number;
    readonly chunks: number;
    readonly chunkBytes: number;
    readonly pages: number;
    /** Only in the sink, and not here; of the chunks above, if they were read there. */
    readonly remoteChunks: number;
    readonly remoteChunkBytes: number;
  };
  readonly findings: readonly Finding[];
}

/** Throws BOP_LOCKED if somebody alive owns the store, BOP_IO for what cannot be read at all. */
export async function verifyStore(options: VerifyOptions): Promise<VerifyReport> {
  const { directory } = options;
  const findings = new Findings();
  const [map, maps] = [new MapTally(), new MapJudge()];
  const before = await readManifest(options, (row) => {
    map.add(row);
    maps.add(row);
  });
  for (const { key, why } of before.problems) {
    findings.damage({ file: "manifest" }, `the value of key ${key}: ${why}`);
  }
  maps.check(before, findings);
  const superblock = await verifySuperblock(options, { audit: before, findings });
  const storeId = before.store?.storeId ?? superblock?.storeId;
  const nothing = { segments: 0, batches: 0, logBytes: 0, commits: 0, deltas: 0 };
  let counts: LogCounts = { ...nothing, deltasNotApplied: 0 };
  let chunks: ChunkCounts = NO_CHUNKS;
  if (storeId === undefined) {
    findings.damage({ file: "manifest" }, "nothing tells which store this is; files were not read");
  } else {
    const seen = { audit: before, findings, storeId };
    const log = await verifyLogOf(options, { ...seen, superblock });
    counts = log.counts;
    chunks = await verifyChunks(options, { ...seen, map, spilled: log.spilled });
  }
  await verifyMirror(options, { findings, isClean: superblock?.clean === true });
  await noteUnfinished(options, findings);
  await refuseIfChanged(options, before);
  const checked = { manifestRows: before.rows, ...counts, ...chunks };
  return { directory, isSound: findings.damages === 0, checked, findings: findings.all };
}

async function readManifest(
  options: VerifyOptions,
  onMapRow: (row: MapRowChange) => void,
): Promise<ManifestAudit> {
  const { directory, env, openKeyValueStore } = options;
  const place = `${directory}/manifest`;
  if ((await env.storage.stat(place)) === undefined) {
    throw new StorageError("BOP_IO", `there is no store in ${directory}`, {
      details: { operation: "open", file: place },
    });
  }
  await refuseIfOwned({ openStore: openKeyValueStore, env, owned: directory });
  options.onFile?.("manifest");
  const store = await openKeyValueStore(place);
  try {
    return auditManifest(store, { file: place, onMapRow });
  } finally {
    await store.close();
  }
}

interface Seen {
  readonly audit: ManifestAudit;
  readonly findings: Findings;
}

async function verifySuperblock(
  options: VerifyOptions,
  { audit, findings }: Seen,
): Promise<Superblock | undefined> {
  const file = "superblock";
  const bytes = await wholeFile(options, file);
  if (bytes === undefined) {
    const isNew = audit.segments.length === 0 && audit.databases.length === 0;
    if (isNew) findings.note({ file }, "is missing: the store was never opened to its end");
    else findings.damage({ file }, "is missing");
    return undefined;
  }
  const { copies, choice } = inspectSuperblock(bytes);
  if (choice.type !== "found") {
    findings.damage({ file, offset: 0 }, choice.type === "newer" ? choice.found : choice.why);
    return undefined;
  }
  const { superblock } = choice;
  for (const copy of copies) {
    const isOld = copy.superblock !== undefined;
    const { offset } = copy;
    if (copy.superblock?.sequence === superblock.sequence) continue;
    if (isOld && !superblock.clean) findings.note({ file, offset }, "a copy of another moment");
    else if (superblock.clean) findings.damage({ file, offset }, copy.why ?? "an old copy");
    else findings.note({ file, offset }, `${copy.why}: torn by a crash, or damaged; others agree`);
  }
  compareWithManifest(superblock, { audit, findings });
  return superblock;
}

function compareWithManifest(superblock: Superblock, { audit, findings }: Seen): void {
  const { store, state } = audit;
  const file = "superblock";
  if (store !== undefined && Buffer.compare(store.storeId, superblock.storeId) !== 0) {
    findings.damage({ file }, "superblock and manifest belong to different stores");
  }
  if (state === undefined) return;
  if (state.generation < superblock.manifestGeneration) {
    const { manifestGeneration } = superblock;
    const what = `is an old copy: generation ${state.generation}, the superblock saw ${manifestGeneration}`;
    findings.damage({ file: "manifest" }, what);
  }
  if (state.checkpointLsn < superblock.checkpointLsn) {
    findings.damage({ file: "manifest" }, "is older than the checkpoint that the superblock names");
  }
  const oldest = Math.min(...audit.segments);
  if (superblock.walStart > oldest && superblock.clean) {
    findings.damage({ file }, `the log begins at segment ${oldest}, not ${superblock.walStart}`);
  }
}

interface SeenStore extends Seen {
  readonly storeId: Uint8Array;
}

async function verifyLogOf(
  options: VerifyOptions,
  seen: SeenStore & { readonly superblock: Superblock | undefined },
): ReturnType<typeof verifyLog> {
  const { audit, findings, storeId, superblock } = seen;
  const rows = [...audit.databases, ...audit.recordLogs];
  const marks = [audit.state?.durableLsn ?? 0, superblock?.durableLsn ?? 0];
  const facts = {
    storeId,
    checkpointLsn: (audit.state?.checkpointLsn ?? superblock?.checkpointLsn ?? 0) as Lsn,
    durableLsn: Math.max(...marks),
    registered: audit.segments,
    streams: new Map(rows.map(({ stream, name }) => [stream as number, name])),
    findings,
  };
  const names = await listed(options, "wal");
  const { history } = audit;
  const open = (name: string) => openFile(options, `wal/${name}`);
  const past = await verifyHistory(names, { facts: { storeId, history, findings }, open });
  const isPast = historyNames(history);
  const log = await verifyLog(
    names.filter((name) => !isPast.has(name)),
    { facts, open },
  );
  const { segments, batches, logBytes } = log.counts;
  const counts = {
    ...log.counts,
    segments: segments + past.segments,
    batches: batches + past.batches,
    logBytes: logBytes + past.logBytes,
  };
  return { ...log, counts };
}

async function verifyChunks(
  options: VerifyOptions,
  seen: SeenStore & { readonly map: MapTally; readonly spilled: readonly SpillFields[] },
): Promise<ChunkCounts> {
  const { audit, findings, storeId, map, spilled } = seen;
  const facts = { storeId, databases: audit.databases, findings };
  const ranges = new RangeTally(audit.recordLogs, findings);
  const counts = { ...NO_CHUNKS };
  const known = new Map(audit.chunks.map((row) => [fileOf(row.chunk), row]));
  const shelf = await RemoteShelf.open(audit, { env: options.env, sink: options.sink });
  try {
    for (const [here, row] of known) {
      const local = await wholeFile(options, here);
      const there = local === undefined ? await shelf.find(row.chunk, findings) : undefined;
      const { file, bytes } = there ?? { file: here, bytes: local };
      const named = map.of(row.chunk);
      if (bytes === undefined) {
        if (there !== undefined) continue;
        if (row.kind === "records") ranges.missing(row, { file, findings });
        else missingChunk({ row, file, named }, facts);
        continue;
      }
      counts.chunks += 1;
      counts.chunkBytes += bytes.length;
      if (row.kind === "pages") {
        counts.pages += verifyPageChunk({ row, file, bytes, named }, facts);
      } else {
        verifyRecordChunk({ row, file, bytes, ranges }, facts);
      }
    }
  } finally {
    await shelf.close();
  }
  counts.remoteChunks = shelf.count;
  counts.remoteChunkBytes = shelf.bytes;
  map.checkChunks(audit.chunks, findings);
  ranges.checkChunks(audit.chunks, findings);
  const named = new Set([...known.keys(), ...spilled.map(({ chunk }) => fileOf(chunk))]);
  for (const spill of spilled) {
    const file = fileOf(spill.chunk);
    if (!known.has(file))
      verifySpilled({ spill, file, bytes: await wholeFile(options, file) }, facts);
  }
  for (const folder of await listed(options, "chunks")) {
    for (const name of await listed(options, `chunks/${folder}`)) {
      const file = `chunks/${folder}/${name}`;
      if (named.has(file)) continue;
      const isOurs = chunkOfName(name) !== undefined;
      findings.note({ file }, isOurs ? "a leftover: no row names it" : "is no file of ours");
    }
  }
  return counts;
}

interface ChunkCounts {
  chunks: number;
  chunkBytes: number;
  pages: number;
  remoteChunks: number;
  remoteChunkBytes: number;
}

const NO_CHUNKS = { chunks: 0, chunkBytes: 0, pages: 0, remoteChunks: 0, remoteChunkBytes: 0 };

/** As seen from the store's directory. */
const fileOf = (chunk: Parameters<typeof chunkPath>[1]): string =>
  chunkPath("", chunk).slice("/".length);

/** What the manifest can be made from again. It is added to at its end: a crash tears its tail. */
async function verifyMirror(
  options: VerifyOptions,
  { findings, isClean }: { readonly findings: Findings; readonly isClean: boolean },
): Promise<void> {
  const file = "manifest.mirror";
  const bytes = await wholeFile(options, file);
  if (bytes === undefined) {
    findings.note({ file }, "is missing; the next open makes it");
    return;
  }
  const { problem } = auditMirror(bytes);
  if (problem === undefined) return;
  const place = { file, offset: problem.offset };
  if (isClean) findings.damage(place, problem.why);
  else findings.note(place, `${problem.why}: a tail that a crash has torn, or damage`);
}

async function noteUnfinished(options: VerifyOptions, findings: Findings): Promise<void> {
  for (const name of await listed(options, "tmp")) {
    findings.note({ file: `tmp/${name}` }, "unfinished; the next open removes it");
  }
}

/** See (1). */
async function refuseIfChanged(options: VerifyOptions, before: ManifestAudit): Promise<void> {
  const after = await readManifest(options, () => undefined);
  if (after.state?.generation === before.state?.generation) return;
  const { directory } = options;
  throw new StorageError("BOP_IO", `${directory} was changed while it was verified; verify again`, {
    details: { operation: "verify", file: directory },
  });
}

async function listed({ env, directory }: VerifyOptions, folder: string): Promise<string[]> {
  const path = `${directory}/${folder}`;
  try {
    if ((await env.storage.stat(path))?.kind !== "directory") return [];
    return [...(await env.storage.list(path))].sort();
  } catch (cause) {
    throw ioError("list", path, cause);
  }
}

function openFile(options: VerifyOptions, file: string): Promise<FileSource> {
  options.onFile?.(file);
  return FileSource.open(options.env.storage, `${options.directory}/${file}`);
}

/** Undefined if there is no such file. */
async function wholeFile(options: VerifyOptions, file: string): Promise<Uint8Array | undefined> {
  const { env, directory } = options;
  if ((await env.storage.stat(`${directory}/${file}`)) === undefined) return undefined;
  const source = await openFile(options, file);
  try {
    return source.whole();
  } finally {
    await source.close();
  }
}
