/**
 * A CHUNK ON THIS DISK, read from end to end. A damaged one is fetched from the sink; where that has
 * none, it is told whose pages are in it.
 *
 * (1) What is damaged is read a second time before anybody is told: the first may have been the read.
 * (2) A chunk that lies only in the sink is not read here, and one that no row names any more is
 *     nobody's.
 */
import type { ChunkId } from "../../base/units.ts";
import { checkChunk, inspectChunk } from "../../chunk/index.ts";
import type { ChunkRow } from "../../manifest/index.ts";
import type { Residency } from "../../page-store/index.ts";
import type { Found } from "./area.ts";
import type { PacedReads } from "./paced-reads.ts";

export interface ChunkGround {
  readonly storeId: Uint8Array;
  readonly residency: Pick<Residency, "isHere" | "distrust">;
  /** Its file, and as it is called from the store's directory. */
  pathOf(chunk: ChunkId): string;
  fileOf(chunk: ChunkId): string;
  /** A row names it now. */
  isNamed(chunk: ChunkId): boolean;
  /** The sink has it. */
  isRemote(chunk: ChunkId): boolean;
  /** Names of databases of families. */
  databasesOf(families: ReadonlySet<number>): readonly string[];
}

/** What is wrong with a chunk; its bytes, as far as there are any. */
export interface JudgedChunk {
  readonly why: string | undefined;
  readonly bytes: Uint8Array | undefined;
}

const READS = 2;

export async function checkLocalChunk(
  { chunk, kind }: Pick<ChunkRow, "chunk" | "kind">,
  ground: ChunkGround,
  reads: PacedReads,
): Promise<readonly Found[]> {
  let judged: JudgedChunk = { why: undefined, bytes: undefined };
  for (let n = 0; n < READS; n++) {
    if (!ground.isNamed(chunk)) return [];
    const isAbsent = !ground.residency.isHere(chunk);
    if (isAbsent && ground.isRemote(chunk)) return []; // See (2).
    judged = await judgeChunkFile(chunk, ground, reads);
    if (judged.why === undefined) return [];
  }
  const { why = "", bytes } = judged;
  if (!ground.isNamed(chunk)) return [];
  const outcome = await ground.residency.distrust(chunk, why);
  const isThere = kind === "pages" && bytes !== undefined;
  const databases = isThere ? ground.databasesOf(familiesIn(bytes)) : [];
  const found = { what: ground.fileOf(chunk), offset: undefined, databases };
  if (outcome === "healed") return [{ ...found, why, outcome: "healed" }];
  return [{ ...found, why: `${why}; ${WHY_NOT[outcome]}`, outcome: "reported" }];
}

const WHY_NOT = {
  "no copy": "there is no sink with a copy of it: what it holds is lost where it is damaged",
  "bad copy": "its copy in the sink is damaged, too",
  unavailable: "the sink did not answer: it is fetched as soon as it does",
} as const;

export async function judgeChunkFile(
  chunk: ChunkId,
  ground: Pick<ChunkGround, "storeId" | "pathOf">,
  reads: PacedReads,
): Promise<JudgedChunk> {
  const read = await reads.file(ground.pathOf(chunk));
  if (read.type === "missing") return { why: "the file is missing", bytes: undefined };
  if (read.type === "unreadable") return { why: read.why, bytes: undefined };
  const { bytes } = read;
  const { storeId } = ground;
  return { why: await reads.sliced(checkChunk(bytes, { storeId, chunk })), bytes };
}

/** Whose pages cannot be read; of a chunk that tells nothing any more, nobody's. */
function familiesIn(bytes: Uint8Array): Set<number> {
  const { entries = [], problems } = inspectChunk(bytes);
  const damaged = problems.flatMap(({ page }) => (page === undefined ? [] : page.stream));
  return new Set(damaged.length > 0 ? damaged : entries.map(({ stream }) => stream));
}
