/**
 * THE FILES THAT A STORE HAS ONE OF: its superblock, and the mirror of its manifest. Both are written
 * anew from what is in memory if they are damaged.
 *
 * (1) Both change while they are read: what looks damaged is looked at again after a while, and the
 *     mirror only as far as it was written when the reading began. A superblock that is being written is
 *     not judged: its device may take longer for that than anybody looks.
 * (2) All four copies of a superblock are the same between two writes: one that is not is damage,
 *     though the others still do.
 */
import type { Clock } from "../../base/env.ts";
import { MIB } from "../../base/units.ts";
import { auditMirrorInSteps } from "../../manifest/index.ts";
import { inspectSuperblock, SUPERBLOCK, type SuperblockWrites } from "../../page-store/index.ts";
import type { Found } from "./area.ts";
import type { FileBytes, PacedReads } from "./paced-reads.ts";

export interface StoreFilesGround {
  readonly clock: Clock;
  readonly directory: string;
  superblockWrites(): SuperblockWrites;
  /** Writes the superblock anew. Rejects if it cannot. */
  rewriteSuperblock(): Promise<void>;
  readonly mirror: {
    readonly stats: { readonly current: boolean; readonly bytes: number; readonly bases: number };
    renew(): Promise<void>;
  };
}

export const SUPERBLOCK_FILE = "superblock";
const MIRROR_FILE = "manifest.mirror";

const LOOKS = 4;
const LOOK_AGAIN_MS = 250;
const COPIES = 4;

export const SUPERBLOCK_FILE_BYTES = COPIES * SUPERBLOCK.sizeBytes;

export async function checkSuperblock(
  ground: StoreFilesGround,
  reads: PacedReads,
): Promise<readonly Found[]> {
  const problem = () => superblockProblem(ground, reads);
  const why = await lasting(problem, ground.clock, reads);
  if (why === undefined) return [];
  const found = { what: SUPERBLOCK_FILE, offset: undefined, databases: [] };
  const refused = await ground.rewriteSuperblock().then(() => undefined, String);
  const left = refused ?? (await lasting(problem, ground.clock, reads));
  if (left === undefined) return [{ ...found, why, outcome: "healed" }];
  return [{ ...found, why: `${why}; it could not be written anew: ${left}`, outcome: "reported" }];
}

export async function checkMirror(
  ground: StoreFilesGround,
  reads: PacedReads,
): Promise<readonly Found[]> {
  const { mirror, clock } = ground;
  const problem = () => mirrorProblem(ground, reads);
  const why = await lasting(problem, clock, reads);
  if (why === undefined) return [];
  const found = { what: MIRROR_FILE, offset: undefined, databases: [] };
  await mirror.renew();
  const left = mirror.stats.current ? await lasting(problem, clock, reads) : "it is not current";
  if (left === undefined) return [{ ...found, why, outcome: "healed" }];
  return [{ ...found, why: `${why}; it could not be written anew: ${left}`, outcome: "reported" }];
}

/** What every look finds; undefined if one of them finds nothing. See (1). */
async function lasting(
  look: () => Promise<string | undefined>,
  clock: Clock,
  reads: PacedReads,
): Promise<string | undefined> {
  let why = await look();
  for (let looks = 1; why !== undefined && looks < LOOKS; looks++) {
    await clock.sleep(LOOK_AGAIN_MS, reads.signal);
    why = await look();
  }
  return why;
}

async function superblockProblem(
  { directory, superblockWrites }: StoreFilesGround,
  reads: PacedReads,
): Promise<string | undefined> {
  const { ended } = superblockWrites();
  const bytes = bytesOf(await reads.file(`${directory}/${SUPERBLOCK_FILE}`));
  if (superblockWrites().begun > ended) return undefined; // See (1).
  if (typeof bytes === "string") return bytes;
  if (bytes.length !== SUPERBLOCK_FILE_BYTES) return `it has ${bytes.length} bytes`;
  const { copies, choice } = inspectSuperblock(bytes);
  if (choice.type !== "found") return choice.type === "newer" ? choice.found : choice.why;
  const bad = copies.find(({ superblock: copy }) => copy?.sequence !== choice.superblock.sequence);
  return bad && `its copy at byte ${bad.offset} is damaged; the others agree`;
}

async function mirrorProblem(
  { directory, mirror }: StoreFilesGround,
  reads: PacedReads,
): Promise<string | undefined> {
  const { current, bytes: sizeBytes, bases } = mirror.stats;
  if (!current) return undefined; // It is behind, says so, and is written by the next checkpoint.
  const path = `${directory}/${MIRROR_FILE}`;
  const steps = auditMirrorInSteps(sizeBytes);
  const window = new Window((offset, bytes) => reads.file(path, { offset, bytes }), sizeBytes);
  let step = steps.next();
  while (step.done !== true) {
    const bytes = await window.view(step.value);
    if (typeof bytes === "string") return mirror.stats.bases === bases ? bytes : undefined;
    step = steps.next(bytes);
  }
  const { problem } = step.value;
  // One that was replaced meanwhile is read when its turn comes.
  if (problem === undefined || mirror.stats.bases !== bases) return undefined;
  return `${problem.why} at byte ${problem.offset}`;
}

const WINDOW_BYTES = MIB;

/** A file from its front to its end, some at a time. */
class Window {
  readonly #read: (offset: number, bytes: number) => Promise<FileBytes>;
  readonly #sizeBytes: number;
  #at = 0;
  #bytes = new Uint8Array(0);

  constructor(read: (offset: number, bytes: number) => Promise<FileBytes>, sizeBytes: number) {
    this.#read = read;
    this.#sizeBytes = sizeBytes;
  }

  async view(range: {
    readonly offset: number;
    readonly bytes: number;
  }): Promise<Uint8Array | string> {
    const { offset } = range;
    const length = Math.min(range.bytes, this.#sizeBytes - offset);
    if (offset < this.#at || offset + length > this.#at + this.#bytes.length) {
      const wanted = Math.min(Math.max(length, WINDOW_BYTES), this.#sizeBytes - offset);
      const bytes = bytesOf(await this.#read(offset, wanted));
      if (typeof bytes === "string") return bytes;
      this.#at = offset;
      this.#bytes = new Uint8Array(bytes);
    }
    return this.#bytes.subarray(offset - this.#at).subarray(0, length);
  }
}

function bytesOf(read: FileBytes): Uint8Array | string {
  if (read.type === "bytes") return read.bytes;
  return read.type === "missing" ? "the file is missing" : read.why;
}
