/**
 * AN OBJECT OF THE SINK, fetched and taken apart: is it what was put there?
 *
 * (1) Of an object that is fetched as a whole the sink itself compares the SHA-256; of all that matters
 *     in it, its own checksums tell. A chunk is fetched in ranges, and every byte of it has a checksum.
 */
import { StorageError } from "../../base/errors.ts";
import { type ChunkId, MIB } from "../../base/units.ts";
import { checkChunk } from "../../chunk/index.ts";
import {
  decodeBucketIdentity,
  decodeEpochClaim,
  inspectObject,
  type ObjectHeader,
} from "../../flush/index.ts";
import { type BucketKey, bucketKey, type ObjectStore } from "../../sink/index.ts";
import type { PacedReads } from "./paced-reads.ts";

export interface ObjectGround {
  /** Repeats its calls by itself. */
  readonly store: ObjectStore;
  readonly storeId: Uint8Array;
}

export interface JudgedObject {
  /** What is wrong with it; undefined if nothing is. */
  readonly why: string | undefined;
  /** There is nothing under the key. */
  readonly isGone: boolean;
  /** Of a numbered object, as far as it can be read. */
  readonly header: ObjectHeader | undefined;
}

export type ObjectToJudge = Exclude<BucketKey, { readonly kind: "probe" }>;

const RANGE_BYTES = 4 * MIB;
const GONE: JudgedObject = { why: "it is missing", isGone: true, header: undefined };

/** Rejects with BOP_SINK_… if it cannot be told now. */
export async function judgeObject(
  key: ObjectToJudge,
  ground: ObjectGround,
  reads: PacedReads,
): Promise<JudgedObject> {
  try {
    return key.kind === "chunk"
      ? await judgeChunk(key, ground, reads)
      : await judgeSmall(key, ground, reads);
  } catch (error) {
    const isDamage = error instanceof StorageError && error.code === "BOP_SINK_CORRUPT";
    if (!isDamage) throw error;
    const { why } = (error as StorageError<"BOP_SINK_CORRUPT">).details;
    return { why, isGone: false, header: undefined };
  }
}

async function judgeChunk(
  key: ObjectToJudge & { readonly kind: "chunk" },
  { store, storeId }: ObjectGround,
  reads: PacedReads,
): Promise<JudgedObject> {
  const { signal } = reads;
  const parts: Uint8Array[] = [];
  let sizeBytes = 1;
  for (let offset = 0; offset < sizeBytes; offset += RANGE_BYTES) {
    await reads.take(Math.min(RANGE_BYTES, sizeBytes - offset));
    const range = { offset, bytes: RANGE_BYTES };
    const found = await store.get(bucketKey(key), { range, signal });
    if (found === undefined) return GONE;
    sizeBytes = found.info.sizeBytes;
    parts.push(found.bytes);
  }
  const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
  const expected = { storeId, chunk: key.id as ChunkId };
  const why = await reads.sliced(checkChunk(bytes, expected));
  return { why, isGone: false, header: undefined };
}

async function judgeSmall(
  key: Exclude<ObjectToJudge, { readonly kind: "chunk" }>,
  { store, storeId }: ObjectGround,
  reads: PacedReads,
): Promise<JudgedObject> {
  const { signal } = reads;
  const found = await getWhole(bucketKey(key), store, signal);
  if (found === undefined) return GONE;
  const { bytes } = found;
  await reads.take(bytes.length);
  if (key.kind === "store" || key.kind === "epoch") {
    const own =
      key.kind === "store" ? identityWhy(bytes, storeId) : claimWhy(bytes, key.epoch, storeId);
    return { ...told(own ?? found.refused), header: undefined };
  }
  const { header, problems } = inspectObject(bytes);
  const [problem] = problems;
  if (problem !== undefined) {
    return { ...told(`${problem.why} (byte ${problem.offset})`), header };
  }
  const why = found.refused ?? placeWhy(header, key, storeId);
  return { ...told(why), header };
}

interface WholeObject {
  readonly bytes: Uint8Array;
  /** Why the sink does not vouch for it. */
  readonly refused: string | undefined;
}

/** What the sink refuses as a whole may still be had in a range, to see what is left of it. */
async function getWhole(
  key: string,
  store: ObjectStore,
  signal: AbortSignal,
): Promise<WholeObject | undefined> {
  try {
    const found = await store.get(key, { signal });
    return found && { bytes: found.bytes, refused: undefined };
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== "BOP_SINK_CORRUPT") throw error;
    const range = { offset: 0, bytes: Number.MAX_SAFE_INTEGER };
    const found = await store.get(key, { range, signal });
    const { why } = (error as StorageError<"BOP_SINK_CORRUPT">).details;
    return found && { bytes: found.bytes, refused: why };
  }
}

const told = (why: string | undefined) => ({ why, isGone: false });

function placeWhy(
  header: ObjectHeader | undefined,
  key: ObjectToJudge & { readonly kind: "manifest" | "wal" },
  storeId: Uint8Array,
): string | undefined {
  if (header === undefined) return "it has no header";
  if (Buffer.compare(header.storeId, storeId) !== 0) return "it belongs to another store";
  if (header.epoch !== key.epoch || header.number !== key.number) {
    return `it is object ${header.number} of epoch ${header.epoch}`;
  }
  const isLog = header.kind === "log" || header.kind === "index";
  const of = header.kind === "fence" ? header.of : isLog ? "wal" : "manifest";
  return of === key.kind ? undefined : `it is a ${header.kind} among ${key.kind}`;
}

function identityWhy(bytes: Uint8Array, storeId: Uint8Array): string | undefined {
  const answer = decodeBucketIdentity(bytes);
  if (answer.type !== "identity") return answer.type === "newer" ? answer.found : answer.why;
  const isOurs = Buffer.compare(answer.identity.storeId, storeId) === 0;
  return isOurs ? undefined : "it names another store";
}

function claimWhy(bytes: Uint8Array, epoch: number, storeId: Uint8Array): string | undefined {
  const answer = decodeEpochClaim(bytes);
  if (answer.type !== "claim") return answer.type === "newer" ? answer.found : answer.why;
  const isOurs = Buffer.compare(answer.claim.storeId, storeId) === 0;
  return isOurs && answer.claim.epoch === epoch ? undefined : "it is another claim";
}
