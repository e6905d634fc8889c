/**
 * COMPACTION: the pages of a chunk that somebody still names are carried into the chunk that a
 * checkpoint writes anyway, and the one that they come from is let go.
 *
 *   plan ──► count suspects ──► plan again ──► scan, carry, scan, carry …
 *
 * (1) A page is carried if a row of a page map names exactly this record: of the newest state of a
 *     database or an older one, its own or a fork's; and only after its checksum was right. It keeps
 *     its LSN.
 * (2) A chunk that cannot be read stays as it is: its damage is reported to who reads the page, and
 *     does not keep other databases from being checkpointed.
 * (3) One that is not here is fetched. If the bucket does not answer within the patience that there is,
 *     such chunks are left alone for a while.
 * (4) It may end at any page, and what it has carried by then is carried: the chunk is the emptier
 *     for the next.
 */
import { StorageError } from "../../base/errors.ts";
import type { ChunkId } from "../../base/units.ts";
import type { ChunkEntry } from "../../chunk/index.ts";
import type { ChunkRow } from "../../manifest/index.ts";
import type { Slices } from "../checkpoint/slices.ts";
import { ChunkScan, type ScannedPage, type ScanSource } from "../chunks/chunk-scan.ts";
import type { ChunkUses } from "./chunk-uses.ts";
import { type CompactionLimits, planCompaction } from "./compaction-plan.ts";

/** What a checkpoint knows of rows, and writes. */
export interface Carrier {
  /** Some row names this record. */
  isNamed(chunk: ChunkId, entry: ChunkEntry): boolean;
  carry(chunk: ChunkId, page: ScannedPage): Promise<void>;
  /** As many rows have changed as one commit of the manifest should have. */
  readonly isFull: boolean;
}

export interface CountGround {
  readonly source: ScanSource;
  readonly slices: Slices;
  readonly uses: ChunkUses;
  readonly carrier: Pick<Carrier, "isNamed">;
  /** Chunks that there were, as they will be when all is published; without those that go. */
  readonly rows: () => Iterable<ChunkRow>;
}

export interface CompactionGround extends CountGround {
  readonly carrier: Carrier;
  readonly limits: CompactionLimits;
  /** Chunks that are looked into to know how much of them is used. */
  readonly countsMax: number;
}

const DAMAGED = "compaction could not read it";

export interface CompactionResult {
  readonly compactedChunks: number;
  /** There is more that is worth it, and this was not in vain: another would get on with it. */
  readonly isCut: boolean;
}

export async function compact(ground: CompactionGround): Promise<CompactionResult> {
  const { residency } = ground.source;
  if (!residency.mayHaveRemotePages) return compactWith(ground);
  const { signal, end } = residency.patience.begin();
  try {
    return await compactWith({ ...ground, source: { ...ground.source, signal } });
  } finally {
    end();
  }
}

async function compactWith(ground: CompactionGround): Promise<CompactionResult> {
  const { uses, rows, limits, carrier } = ground;
  const plan = () => planCompaction(uses.of(rows()), limits);
  const { suspects } = plan();
  await count(ground, new Set(suspects.slice(0, ground.countsMax)));
  const { chunks, isCut } = plan();
  const known = new Map([...rows()].map((row) => [row.chunk, row]));
  let compactedChunks = 0;
  for (const chunk of chunks) {
    const row = known.get(chunk);
    if (row === undefined) continue;
    if (carrier.isFull) break;
    const outcome = await compactChunk(ground, row);
    if (outcome === "damaged") uses.damaged(chunk);
    if (outcome === "all") compactedChunks += 1;
  }
  return { compactedChunks, isCut: carrier.isFull || (isCut && compactedChunks > 0) };
}

/** Looks into every chunk of which it is not certain how much is used. */
export async function countAll(ground: CountGround): Promise<void> {
  const limits = { carryBytesMax: 0, isWriting: false, isExact: true };
  const { suspects } = planCompaction(ground.uses.of(ground.rows()), limits);
  await count(ground, new Set(suspects));
}

async function count(ground: CountGround, suspects: ReadonlySet<ChunkId>): Promise<void> {
  const { uses, rows } = ground;
  for (const row of [...rows()].filter(({ chunk }) => suspects.has(chunk))) {
    const scan = await openScan(ground, row);
    if (scan === "damaged") uses.damaged(row.chunk);
    if (typeof scan === "string") continue;
    await scan.close();
    uses.counted(row, (await namedOf(ground, row.chunk, scan)).length);
  }
}

async function openScan(
  { source, slices }: CountGround,
  row: ChunkRow,
): Promise<ChunkScan | "left" | "damaged"> {
  const { residency } = source;
  if (residency.rests(row.chunk)) return "left";
  try {
    const scan = await ChunkScan.open(source, row, slices);
    if (scan === undefined) void residency.distrust(row.chunk, DAMAGED);
    return scan ?? "damaged";
  } catch (error) {
    return leftAlone(source, error);
  }
}

/** See (3). */
function leftAlone({ residency }: ScanSource, error: unknown): "left" {
  if (!(error instanceof StorageError) || error.code === "BOP_CLOSED") throw error;
  residency.patience.rest();
  return "left";
}

async function compactChunk(
  ground: CompactionGround,
  row: ChunkRow,
): Promise<"all" | "left" | "damaged"> {
  const { source, slices, carrier } = ground;
  const scan = await openScan(ground, row);
  if (typeof scan === "string") return scan;
  try {
    const named = await namedOf(ground, row.chunk, scan);
    const pages = scan.pages(named);
    for (;;) {
      const next = await pages.next().catch((error) => leftAlone(source, error));
      if (next === "left") return "left";
      if (next.done) break;
      const page = next.value;
      if (page === undefined) {
        void source.residency.distrust(row.chunk, DAMAGED);
        return "damaged";
      }
      if (carrier.isFull) return "left";
      await carrier.carry(row.chunk, page);
      const pause = slices.pause();
      if (pause !== undefined) await pause;
    }
    return "all";
  } finally {
    await scan.close();
  }
}

async function namedOf(
  { carrier, slices }: CountGround,
  chunk: ChunkId,
  { entries }: ChunkScan,
): Promise<ChunkEntry[]> {
  const named: ChunkEntry[] = [];
  for (const entry of entries) {
    if (carrier.isNamed(chunk, entry)) named.push(entry);
    const pause = slices.pause();
    if (pause !== undefined) await pause;
  }
  return named;
}
