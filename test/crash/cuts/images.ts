/** IMAGES OF POWER CUTS: moments of a recording, and what a disk may hold if the power goes there. */
import type { SeededRandom } from "../../../src/io/index.ts";
import { parseTold, type Told } from "../ledger.ts";
import { copyFolder, type Folder } from "./folder.ts";
import { RecordedDisk } from "./recorded-disk.ts";
import { type Entry, readRecording } from "./recording.ts";

export interface PowerCut {
  readonly name: string;
  readonly image: Folder;
  /** Until then. */
  readonly told: readonly Told[];
}

export interface ImageOptions {
  /** The disk when the recording began. */
  readonly before: Folder;
  readonly random: SeededRandom;
  readonly count: number;
}

export function imagesOf(recording: Buffer, options: ImageOptions): PowerCut[] {
  const { before, random, count } = options;
  const entries = [...readRecording(recording)];
  const moments = Array.from({ length: entries.length === 0 ? 0 : count }, () =>
    moment(entries, random),
  ).sort((a, b) => a - b);
  const disk = new RecordedDisk(before);
  const told: Told[] = [];
  const cuts: PowerCut[] = [];
  let done = 0;
  for (const upTo of moments) {
    for (; done < upTo; done++) {
      const entry = entries[done];
      if (entry === undefined) continue;
      disk.take(entry);
      if (entry.kind === "told") told.push(...toldIn(entry));
    }
    const keeps = random.pick(["all", "none", "some", "some", "some"] as const);
    const isTorn = keeps === "some" && random.chance(0.5);
    const image = disk.image({
      chance: random,
      keeps,
      tears: (path) => isTorn && !path.endsWith(".mdb"),
    });
    const name = `${done} of ${entries.length} entries, keeps ${keeps}${isTorn ? ", torn" : ""}`;
    cuts.push({ name, image: copyFolder(image), told: [...told] });
  }
  return cuts;
}

/** Half of them just behind a promise: a sync that has ended, or something that was told. */
function moment(entries: readonly Entry[], random: SeededRandom): number {
  const at = random.below(entries.length + 1);
  if (random.chance(0.5)) return at;
  const promise = entries.findIndex(({ kind }, index) => index >= at && isPromise(kind));
  return promise < 0 ? at : promise + 1 + random.below(3);
}

function isPromise(kind: Entry["kind"]): boolean {
  return kind === "told" || kind === "end" || kind === "rename" || kind === "unlink";
}

function toldIn({ bytes }: Entry): Told[] {
  const lines = Buffer.from(bytes).toString().split("\n");
  return lines.map(parseTold).filter((told) => told !== undefined);
}
