/**
 * CAN THIS DIRECTORY BE WRITTEN DIRECTLY, AND IS IT WORTH IT? Tried on a small file that has no name
 * while it is tried: a file system may accept O_DIRECT when a file is opened and refuse the write,
 * or accept both and be slow.
 *
 * (1) What is asked: an aligned write of a batch, and the same bytes when read back through the page
 *     cache, which is how recovery reads.
 * (2) Both ways are timed in turns, so that what else the machine does hits both. The median of a
 *     handful is coarse: only a clear difference counts, and then it is direct that must yield.
 * (3) A few flushes, and no more of them when `budgetMs` have passed: an open must stay quick. On
 *     a device so slow that they do not fit, a flush costs far more than the way to it.
 */
import { constants } from "node:fs";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { KIB, roundUp } from "../base/units.ts";
import { AlignedMemory } from "./aligned-memory.ts";
import { DIRECT_FLAGS } from "./direct-driver.ts";
import { openDescriptor, SystemFile } from "./system-file.ts";

export interface ProbeOptions {
  readonly directory: string;
  readonly blockBytes: number;
  /** Also time both ways. */
  readonly compares: boolean;
}

/** What was written directly is not what is read: such a file system takes no direct writes. */
export interface NotReadBack {
  readonly isReadBack: false;
}

export interface ProbeResult {
  readonly isReadBack: true;
  /** Median milliseconds of one flush of a block; undefined if there was no time. */
  readonly directMs: number | undefined;
  readonly standardMs: number | undefined;
}

const FILE_NAME = "driver-probe";
const FILE_MODE = 0o600;
const PROBE_BYTES = 64 * KIB;
const ROUNDS = 9;
const BUDGET_MS = 50;
const SLOW_MS = 4;

/** Throws what the system says if direct writes do not work here, or could not be tried. */
export async function probeDirect(options: ProbeOptions): Promise<ProbeResult | NotReadBack> {
  const path = join(options.directory, FILE_NAME);
  // Not exclusive: a probe that a crash cut off has left its name.
  const flags = constants.O_RDWR | constants.O_CREAT;
  const plain = new SystemFile(await openDescriptor(path, { flags, mode: FILE_MODE }));
  try {
    const direct = await openDirect(path, options).finally(() => unlink(path));
    try {
      return await tryOut({ plain, direct }, options);
    } finally {
      await direct.close();
    }
  } finally {
    await plain.close();
  }
}

async function openDirect(path: string, { blockBytes }: ProbeOptions): Promise<SystemFile> {
  const fd = await openDescriptor(path, { flags: DIRECT_FLAGS, mode: FILE_MODE });
  return new SystemFile(fd, { stepBytes: blockBytes });
}

interface Files {
  readonly plain: SystemFile;
  readonly direct: SystemFile;
}

async function tryOut(files: Files, options: ProbeOptions): Promise<ProbeResult | NotReadBack> {
  const { plain, direct } = files;
  const { blockBytes, compares } = options;
  const bytes = roundUp(PROBE_BYTES, blockBytes);
  const block = new AlignedMemory(blockBytes).allocate(blockBytes);
  await plain.truncate(0);
  await plain.preallocate(bytes);
  await plain.sync();
  const startedMs = performance.now();
  const isReadBack = await writeAndReadBack(files, block);
  if (!isReadBack) return { isReadBack };
  const isSlow = performance.now() - startedMs > SLOW_MS;
  if (isSlow || !compares) return { isReadBack, directMs: undefined, standardMs: undefined };
  const directMs: number[] = [];
  const standardMs: number[] = [];
  for (let n = 1; n <= ROUNDS && performance.now() - startedMs < BUDGET_MS; n++) {
    const at = (n * blockBytes) % bytes;
    block.fill(n);
    directMs.push(timed(() => direct.writeSync(block, at)));
    standardMs.push(
      timed(() => {
        plain.writeSync(block, at);
        plain.syncSync();
      }),
    );
  }
  return { isReadBack, directMs: median(directMs), standardMs: median(standardMs) };
}

async function writeAndReadBack({ plain, direct }: Files, block: Uint8Array): Promise<boolean> {
  block.fill(0xb0);
  await direct.write(block, 0);
  const found = new Uint8Array(block.length);
  const count = await plain.read(found, 0);
  return count === block.length && found.every((byte) => byte === 0xb0);
}

function timed(act: () => void): number {
  const startedMs = performance.now();
  act();
  return performance.now() - startedMs;
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
