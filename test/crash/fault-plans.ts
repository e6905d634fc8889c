/**
 * WHAT GOES WRONG IN A ROUND: rules for the shim (shim/rules.c), drawn by seed.
 *
 * (1) Every kind of call fails on every kind of file that the store has: once, from a moment on, or by
 *     chance, from the start of the process or under load.
 */
import type { SeededRandom } from "../../src/io/index.ts";

export interface FaultPlan {
  readonly name: string;
  readonly rules: readonly string[];
  /** From when rules count. */
  readonly from: "start" | "ready";
  /** They end before the process does. */
  readonly ends: boolean;
}

type Draw = (random: SeededRandom) => readonly string[];

const PLACES = ["wal/", "wal/", "chunks/", "manifest/", "manifest.mirror", "superblock"] as const;
const drops = (random: SeededRandom) => random.pick(["EIO", "EIO+drop"]);
const soon = (random: SeededRandom, most: number) => `@${1 + random.below(most)}`;
const onwards = (random: SeededRandom, most: number) =>
  random.chance(0.3) ? `${soon(random, most)}+` : soon(random, most);

const KINDS: Readonly<Record<string, Draw>> = {
  "a sync fails": (random) => [
    `sync ${random.pick(PLACES)} ${drops(random)} ${onwards(random, 6)}`,
  ],
  "syncs fail by chance": (random) => [`sync * ${drops(random)} %${1 + random.below(30)}`],
  "the owner's record fails": (random) => [
    `${random.pick(["write", "sync", "open"])} owner/ ${drops(random)} ${onwards(random, 6)}`,
  ],
  "a write fails": (random) => [
    `write ${random.pick(PLACES)} ${random.pick(["EIO", "ENOSPC", "EDQUOT"])} ${onwards(random, 10)}`,
  ],
  "writes fail by chance": (random) => [`write * EIO %${1 + random.below(20)}`],
  "calls are short and interrupted": (random) => [
    `write * short %${50 + random.below(300)}`,
    `read * short %${50 + random.below(300)}`,
    `read,write * EINTR %${50 + random.below(200)}`,
  ],
  "a write of the manifest is short": (random) => [`write manifest/ short ${onwards(random, 6)}`],
  "the disk is full": (random) => [`write,open,truncate,mkdir,link * ENOSPC ${soon(random, 60)}+`],
  "the file system is read-only": (random) => [
    `write,sync,truncate,rename,unlink,link,mkdir * EROFS ${soon(random, 60)}+`,
  ],
  "reads fail": (random) => [
    `read ${random.pick(["*", ...PLACES])} EIO ${random.pick([soon(random, 6), `%${50 + random.below(200)}`])}`,
  ],
  "files cannot be opened or made": (random) => [
    `open ${random.pick(["*", ...PLACES])} ${random.pick(["EIO", "ENOSPC", "EACCES"])} ${onwards(random, 10)}`,
  ],
  "names cannot be changed": (random) => [
    `rename,unlink,link,mkdir * EIO ${random.pick([onwards(random, 10), `%${50 + random.below(200)}`])}`,
  ],
  "all of it by chance": (random) => [
    `sync * ${drops(random)} %${1 + random.below(10)}`,
    `read,write,open,rename,unlink,truncate * EIO %${1 + random.below(10)}`,
    `write * short %${random.below(100) + 1}`,
  ],
};

export function drawPlan(random: SeededRandom): FaultPlan {
  const name = random.pick(Object.keys(KINDS));
  return {
    name,
    rules: KINDS[name]?.(random) ?? [],
    from: name.startsWith("the owner") || random.chance(0.3) ? "start" : "ready",
    ends: random.chance(0.5),
  };
}
