/**
 * WATCHES whether a planted bug is noticed: lives seeds of the scenarios that should notice it, in a
 * process of its own, until one fails.
 *
 * (1) A seed that does not end, or ends its process, has noticed it too.
 * (2) One that fails without the bug as well says nothing of it: that is told, and the look goes on
 *     behind it.
 */
import { fork } from "node:child_process";
import { join } from "node:path";
import type { ScenarioName } from "../scenarios/index.ts";
import type { Mutant } from "./patch.ts";
import type { Tree } from "./tree.ts";
import type { Testimony } from "./witness.ts";

export const SEEDS_MAX = 2000;
/** A seed takes less than a second where nothing is wrong and nothing else runs. */
const SEED_MS_MAX = 90_000;

export interface Outcome {
  readonly mutant: Mutant;
  /** Undefined: it survived. */
  readonly caught: Caught | undefined;
  /** See (2). */
  readonly failAnyway: readonly Caught[];
  /** Seeds that were lived, over all scenarios. */
  readonly seeds: number;
  readonly ms: number;
}

export interface Caught {
  readonly scenario: ScenarioName;
  readonly seed: number;
  readonly why: string;
}

export interface Watch {
  readonly from: number;
  /** Of each scenario, at most. */
  readonly seeds: number;
  /** Of each scenario, at most. */
  readonly msMax: number;
}

export async function watch(tree: Tree, mutant: Mutant, how: Watch): Promise<Outcome> {
  const startedMs = performance.now();
  const failAnyway: Caught[] = [];
  let [seeds, caught]: [number, Caught | undefined] = [0, undefined];
  for (const scenario of mutant.notices) {
    const endMs = performance.now() + how.msMax;
    for (let lived = 0; lived < how.seeds && caught === undefined; ) {
      const msMax = endMs - performance.now();
      if (msMax <= 0) break;
      const range = { scenario, from: how.from + lived, seeds: how.seeds - lived, msMax };
      const ended = await planted(tree, mutant, () => live({ tree, ...range }));
      seeds += ended.seeds;
      if (ended.caught === undefined) break;
      lived += ended.seeds;
      if (await failsWithout(tree, ended.caught)) failAnyway.push(ended.caught);
      else caught = ended.caught;
    }
    if (caught !== undefined) break;
  }
  return { mutant, caught, failAnyway, seeds, ms: performance.now() - startedMs };
}

async function planted<T>(tree: Tree, mutant: Mutant, act: () => Promise<T>): Promise<T> {
  const restore = tree.plant(mutant);
  try {
    return await act();
  } finally {
    restore();
  }
}

/** See (2). */
async function failsWithout(tree: Tree, { scenario, seed }: Caught): Promise<boolean> {
  const msMax = 2 * SEED_MS_MAX;
  const { caught } = await live({ tree, scenario, from: seed, seeds: 1, msMax });
  return caught !== undefined;
}

type Living = Watch & { readonly tree: Tree; readonly scenario: ScenarioName };

/** One scenario. See (1). */
function live(of: Living): Promise<{ seeds: number; caught: Caught | undefined }> {
  const { tree, scenario, from, seeds: count, msMax } = of;
  const witness = fork(
    join(tree.directory, "sim/mutants/witness.ts"),
    [scenario, String(from), String(count)],
    {
      cwd: tree.directory,
      execArgv: ["--import", "tsx"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    },
  );
  return new Promise((resolve) => {
    let [seeds, isOver, said] = [0, false, ""];
    const end = (why: string | undefined) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(silence);
      clearTimeout(time);
      witness.kill("SIGKILL");
      resolve({
        seeds,
        caught: why === undefined ? undefined : { scenario, seed: from + seeds - 1, why },
      });
    };
    const isSilent = () => {
      seeds += 1;
      end("the seed does not end");
    };
    let silence = setTimeout(isSilent, SEED_MS_MAX);
    const time = setTimeout(() => end(undefined), msMax);
    witness.stderr?.on("data", (bytes: Buffer) => {
      said += bytes.toString();
    });
    witness.on("message", ({ noticed }: Testimony) => {
      seeds += 1;
      clearTimeout(silence);
      silence = setTimeout(isSilent, SEED_MS_MAX);
      if (noticed !== undefined) end(noticed);
    });
    witness.on("exit", (code) => {
      if (seeds === count) return end(undefined);
      seeds += 1;
      end(`the process ended with ${code}: ${said.slice(0, 300)}`);
    });
  });
}
