/**
 * AN OBJECT OF THE SINK THAT IS DAMAGED, PUT AGAIN: the same body under the same key, so that every
 * state that names it can be restored again, those of the past included.
 *
 *   chunk           its file on this disk, which was checked from end to end, and which a row says is
 *                   the one under this key
 *   part of the log made again from the log on this disk, as it was made the first time
 *   anything else   nobody has it any more
 *
 * (1) A key gets one body, ever. What was put there has its SHA-256 in the object's metadata: what has
 *     another one is not put. Of a chunk whose metadata is lost, too, its row and its checksums tell.
 * (2) Who has the bucket no more and does not know it yet puts what was there, so that its successor is
 *     not harmed. Who does not have it yet, since what is damaged is in the way of that, takes nothing
 *     but the SHA-256 for a proof: his rows may be of another history.
 */
import { createHash } from "node:crypto";
import type { Random } from "../../base/env.ts";
import { type ChunkId, type Lsn, MIB } from "../../base/units.ts";
import { encodeLogObject, type ObjectHeader, type SpilledChunk } from "../../flush/index.ts";
import { bucketKey } from "../../sink/index.ts";
import type { LogShipping } from "../../write/index.ts";
import type { ObjectGround, ObjectToJudge } from "./bucket-object.ts";
import { type ChunkGround, judgeChunkFile } from "./local-chunk.ts";
import type { PacedReads } from "./paced-reads.ts";

export interface RepairGround extends ObjectGround, Pick<ChunkGround, "pathOf"> {
  readonly random: Random;
  /** This process has the bucket. */
  readonly isWriter: boolean;
  /** The epoch of the key under which a row says that a chunk lies. */
  epochOf(chunk: ChunkId): number | undefined;
  readonly shipping: Pick<LogShipping, "shippable">;
}

type LogHeader = ObjectHeader & { readonly kind: "log" };

/** True if it was put. Rejects with what the sink says. */
export async function putAgain(
  damaged: { readonly key: ObjectToJudge; readonly header: ObjectHeader | undefined },
  ground: RepairGround,
  reads: PacedReads,
): Promise<boolean> {
  const { key, header } = damaged;
  const { store, random, isWriter } = ground;
  const name = bucketKey(key);
  const info = await store.head(name, { signal: reads.signal });
  let body: Uint8Array | undefined;
  let isProven = false;
  if (key.kind === "chunk") {
    body = await chunkBody(key.id as ChunkId, ground, reads);
    const isNamed = ground.epochOf(key.id as ChunkId) === key.epoch;
    isProven = info?.sha256 === undefined && isNamed && isWriter;
  } else if (key.kind === "wal" && header?.kind === "log") {
    body = await logBody(header, ground, reads);
  }
  if (body === undefined) return false;
  const sha256 = await hashOf(body, reads);
  if (!isProven && sha256 !== info?.sha256) return false; // See (1).
  const putId = Buffer.from(random.bytes(16)).toString("hex");
  await reads.take(body.length);
  await store.put(name, body, { putId, sha256, signal: reads.signal });
  return true;
}

async function hashOf(body: Uint8Array, reads: PacedReads): Promise<string> {
  const hash = createHash("sha256");
  for (let at = 0; at < body.length; at += MIB) {
    hash.update(body.subarray(at, at + MIB));
    await reads.turn();
  }
  return hash.digest("hex");
}

async function chunkBody(
  chunk: ChunkId,
  ground: RepairGround,
  reads: PacedReads,
): Promise<Uint8Array | undefined> {
  const { why, bytes } = await judgeChunkFile(chunk, ground, reads);
  return why === undefined ? bytes : undefined;
}

/** Undefined if the log here does not reach back so far, or is cut differently. */
async function logBody(
  { storeId, epoch, number, gap, firstLsn, endLsn }: LogHeader,
  ground: RepairGround,
  reads: PacedReads,
): Promise<Uint8Array | undefined> {
  const wanted = {
    fromLsn: firstLsn as Lsn,
    maxBytes: endLsn - firstLsn,
    floorLsn: endLsn as Lsn,
  };
  await reads.take(wanted.maxBytes);
  const range = await ground.shipping.shippable(wanted).then(
    (found) => found?.range,
    () => undefined, // It is damaged here, too: that is found by the pass over this disk.
  );
  if (range?.firstLsn !== firstLsn || range.endLsn !== endLsn) return undefined;
  const spilled: SpilledChunk[] = [];
  for (const chunk of range.spilled) {
    const epochOf = ground.epochOf(chunk);
    if (epochOf === undefined) return undefined;
    spilled.push({ chunk, epoch: epochOf });
  }
  const { batches, streams } = range;
  return encodeLogObject({ storeId, epoch, number, gap, batches, streams, spilled });
}
