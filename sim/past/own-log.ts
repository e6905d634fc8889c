/**
 * LOG THAT ONE MACHINE ALONE HAS, and that is damaged when the machine comes back: the bucket has log of
 * the same LSNs by then, which another machine has written.
 *
 * (1) The bucket mends only what this disk remembers to have shipped. So the segment stays damaged, or it
 *     is made again with the batches that lay in it, byte for byte; never with others.
 */
import { crc32 } from "node:zlib";
import { isStorageError } from "../../src/index.ts";
import {
  BATCH_HEADER,
  BLOCK_BYTES,
  batchBytes,
  decodeSegmentHeader,
  readBatchHeader,
  readPayload,
} from "../../src/wal/index.ts";
import { promise } from "../failure.ts";
import { sealedSegments } from "../sealed-segments.ts";
import type { Machines } from "./machines.ts";

export interface HurtSegment {
  readonly path: string;
  /** What it held. */
  readonly whole: Uint8Array;
  readonly damaged: Uint8Array;
}

/**
 * The machine starts once more while the bucket is away, so that what it wrote alone lies in a segment that
 * has ended; and that is damaged. Undefined if there is none.
 */
export async function hurtOwnLog(machines: Machines): Promise<HurtSegment | undefined> {
  const { simulation, directory } = machines;
  const { world, random, tally } = simulation;
  let paths: readonly string[] = [];
  await machines.live(async (life) => {
    paths = sealedSegments(await machines.open(life), directory);
  });
  simulation.end("kill");
  const path = paths.at(-1);
  const whole = path && world.disk.contents(path);
  if (path === undefined || !whole) return undefined;
  const batches = batchesOf(whole);
  if (batches.length === 0) return undefined;
  const damaged = whole.slice();
  const { offset, bytes } = random.pick(batches);
  const at = offset + random.below(bytes);
  damaged[at] = (damaged[at] ?? 0) ^ (1 << random.below(8));
  world.disk.replace(path, damaged);
  tally.add("injected: damage of log that was not shipped");
  return { path, whole, damaged };
}

/** What it is refused with, where the damage is met before disk and bucket are compared. */
export function isToldOf(segment: HurtSegment | undefined, error: unknown): boolean {
  return isStorageError(error, "BOP_CORRUPT") && error.details.file === segment?.path;
}

/** See (1). */
export function assertNotMended(machines: Machines, { path, whole, damaged }: HurtSegment): void {
  const { world, tally } = machines.simulation;
  const found = world.disk.contents(path);
  const isAsItWas = found !== undefined && Buffer.compare(found, damaged) === 0;
  tally.add(isAsItWas ? "damage that nobody mended" : "damage that was mended, or is gone");
  if (found === undefined || isAsItWas) return;
  const held = batchesOf(whole);
  for (const [n, { offset, sum }] of batchesOf(found).entries()) {
    const isTheSame = held[n]?.offset === offset && held[n]?.sum === sum;
    promise(isTheSame, () => `${path} was mended with what it never held, at ${offset}`);
  }
}

interface Batch {
  readonly offset: number;
  readonly bytes: number;
  /** Of its payload: headers tell of the segment that a batch was put into, too. */
  readonly sum: number;
}

/** Up to the first that is not valid. */
function batchesOf(bytes: Uint8Array): Batch[] {
  const decoded = decodeSegmentHeader(bytes.subarray(0, BLOCK_BYTES));
  const batches: Batch[] = [];
  if (decoded.type !== "header") return batches;
  for (let offset: number = BLOCK_BYTES; ; ) {
    const head = bytes.subarray(offset, offset + BATCH_HEADER.sizeBytes);
    const header = readBatchHeader(head, decoded.header);
    const payload = header && readPayload(bytes.subarray(offset), header);
    if (header === undefined || payload === undefined) return batches;
    batches.push({ offset, bytes: BATCH_HEADER.sizeBytes + payload.length, sum: crc32(payload) });
    offset += batchBytes(header.payloadBytes);
  }
}
