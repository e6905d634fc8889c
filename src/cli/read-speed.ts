/**
 * HOW LONG A PART OF AN OBJECT TAKES to come: what a statement waits whose pages are only in the sink.
 * What is put for it is removed again.
 */
import type { Env } from "../base/env.ts";
import { KIB } from "../base/units.ts";
import { bucketKey, type ObjectStore, type ProbeFinding } from "../sink/index.ts";

const OBJECT_BYTES = 1024 * KIB;
/** As much as is fetched at once for a page. */
const PART_BYTES = 64 * KIB;
const READS = 5;
const ID_BYTES = 16;

export async function readSpeed(
  store: ObjectStore,
  { random, clock }: Env,
  signal: AbortSignal,
): Promise<ProbeFinding> {
  const id = () => Buffer.from(random.bytes(ID_BYTES)).toString("hex");
  const key = bucketKey({ kind: "probe", nonce: id() });
  await store.put(key, random.bytes(OBJECT_BYTES), { putId: id(), signal });
  const times: number[] = [];
  try {
    for (let at = 0; at < READS; at += 1) {
      const beganMs = clock.monotonicMs();
      await store.get(key, { range: { offset: at * PART_BYTES, bytes: PART_BYTES }, signal });
      times.push(clock.monotonicMs() - beganMs);
    }
  } finally {
    await store.delete(key);
  }
  const median = times.sort((a, b) => a - b)[READS >> 1] ?? 0;
  const says = `64 KiB come in ${median.toFixed(1)} ms: a page that is only there costs as much`;
  return { name: "read", required: false, passed: true, says };
}
