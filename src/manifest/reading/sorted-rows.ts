/**
 * ROWS BROUGHT INTO THE ORDER OF THEIR KEYS in slices, so that a checkpoint of very many of them holds
 * nobody up.
 *
 * (1) Runs are sorted one by one and merged two by two: no step takes longer than one run does.
 */
import type { TimeSlice } from "../../base/time-slice.ts";

/** A key as text that sorts as its bytes do: one character a byte. */
export type KeyText = string;

const RUN_ROWS = 2048;
const MERGE_LOOK_ROWS = 256;

export function keyText(key: Uint8Array): KeyText {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

/** The keys of a map, in order. */
export async function sortedKeys(keys: Iterable<KeyText>, slice: TimeSlice): Promise<KeyText[]> {
  let runs = await sortedRuns(keys, slice);
  while (runs.length > 1) {
    const merged: KeyText[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      merged.push(await mergedRuns(runs[at] ?? [], runs[at + 1] ?? [], slice));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

async function sortedRuns(keys: Iterable<KeyText>, slice: TimeSlice): Promise<KeyText[][]> {
  const runs: KeyText[][] = [];
  let run: KeyText[] = [];
  for (const key of keys) {
    run.push(key);
    if (run.length < RUN_ROWS) continue;
    runs.push(run.sort());
    run = [];
    await slice.pause();
  }
  if (run.length > 0) runs.push(run.sort());
  return runs;
}

async function mergedRuns(
  a: readonly KeyText[],
  b: readonly KeyText[],
  slice: TimeSlice,
): Promise<KeyText[]> {
  const merged: KeyText[] = [];
  let [atA, atB] = [0, 0];
  while (atA < a.length || atB < b.length) {
    const [first, second] = [a[atA], b[atB]];
    const takeA = second === undefined || (first !== undefined && first < second);
    merged.push((takeA ? first : second) as KeyText);
    if (takeA) atA += 1;
    else atB += 1;
    if (merged.length % MERGE_LOOK_ROWS === 0) await slice.pause();
  }
  return merged;
}
