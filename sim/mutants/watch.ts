/**
 * WATCHES whether a planted bug is noticed: lives seeds of the scenarios that should notice it, in a
 * process of its own, until one fails.
 *
 * (1) A seed that does not end, or ends its process, has noticed it too.
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
  /** Seeds that were lived, over all scenarios. */
  readonly seeds: number;
  readonly ms: number;
}

interface Caught {
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
  const restore = tree.plant(mutant);
  let [seeds, caught]: [number, Caught | undefined] = [0, undefined];
  try {
    for (const scenario of mutant.notices) {
      const ended = await live({ tree, scenario, ...how });
      seeds += ended.seeds;
      caught = ended.caught;
      if (caught !== undefined) break;
    }
  } finally {
    restore();
  }
  return { mutant, caught, seeds, ms: performance.now() - startedMs };
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
