/**
 * npm run mutants: plants bugs, one at a time, and says which of them the simulator notices.
 *
 *   npm run mutants -- --all                    all of them
 *   npm run mutants -- --name skip-batch-sync   one; may be given several times
 *   npm run mutants -- --sample 2 --seed 20593  two of the quick ones: another two each day
 *
 * Each gets at most 2,000 seeds of each scenario that should notice it (--seeds), and no more time than
 * --minutes for each. Exit code 0: all were noticed. 1: one survived, or a seed failed without the bug
 * too. 2: wrong usage, or one does not apply any more.
 */
import { parseArgs } from "node:util";
import { seeded } from "../../src/io/index.ts";
import { allMutants } from "./list.ts";
import { applyMutant, type Mutant } from "./patch.ts";
import { readSource, Tree } from "./tree.ts";
import { type Outcome, SEEDS_MAX, watch } from "./watch.ts";

const MINUTES_MAX = 60;

function chosen(): { mutants: Mutant[]; seeds: number; from: number; msMax: number } {
  const { values } = parseArgs({
    options: {
      all: { type: "boolean", default: false },
      name: { type: "string", multiple: true, default: [] },
      sample: { type: "string" },
      seed: { type: "string", default: "1" },
      seeds: { type: "string", default: String(SEEDS_MAX) },
      from: { type: "string", default: "1" },
      minutes: { type: "string", default: String(MINUTES_MAX) },
    },
  });
  const all = allMutants();
  const named = values.name.map((name) => {
    const mutant = all.find((each) => each.name === name);
    if (mutant === undefined) throw new TypeError(`there is no mutant ${name}`);
    return mutant;
  });
  const sample =
    values.sample === undefined ? [] : sampleOf(all, natural(values.sample), natural(values.seed));
  const mutants = values.all ? all : [...named, ...sample];
  if (mutants.length === 0) throw new TypeError("want --all, --name, or --sample and --seed");
  const minutes = natural(values.minutes);
  return {
    mutants,
    seeds: natural(values.seeds),
    from: natural(values.from),
    msMax: minutes * 60_000,
  };
}

/** Some that follow each other, so that a seed that grows by one each day comes to all of them. */
function sampleOf(all: readonly Mutant[], count: number, seed: number): Mutant[] {
  const shuffled = shuffle(all.filter(({ isQuick }) => isQuick));
  return Array.from({ length: Math.min(count, shuffled.length) }, (_, n) => {
    return shuffled[(seed * count + n) % shuffled.length] as Mutant;
  });
}

function shuffle(all: readonly Mutant[]): Mutant[] {
  const random = seeded(all.length);
  const left = [...all];
  return all.map(() => left.splice(random.below(left.length), 1)[0] as Mutant);
}

function natural(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new TypeError(`${text} is no count`);
}

function* lines({ mutant, caught, failAnyway, seeds, ms }: Outcome): Generator<string> {
  for (const { scenario, seed, why } of failAnyway) {
    yield `FAILS     ${scenario} ${seed}, without ${mutant.name} too: ${beginningOf(why)}`;
  }
  const took = `${seeds} ${seeds === 1 ? "seed" : "seeds"}, ${(ms / 1000).toFixed(1)} s`;
  if (caught === undefined) {
    yield `SURVIVED  ${mutant.name}: ${took} of ${mutant.notices.join(", ")}`;
  } else {
    const { scenario, seed, why } = caught;
    yield `caught    ${mutant.name}: ${scenario} ${seed}, ${took}: ${beginningOf(why)}`;
  }
}

const beginningOf = (why: string): string | undefined => why.split("\n")[0]?.slice(0, 110);

async function main(): Promise<boolean> {
  const { mutants, ...how } = chosen();
  for (const mutant of mutants) applyMutant(mutant, readSource);
  const tree = Tree.make();
  let [survivors, failures] = [0, 0];
  try {
    for (const mutant of mutants) {
      const outcome = await watch(tree, mutant, how);
      for (const line of lines(outcome)) console.log(line);
      if (outcome.caught === undefined) survivors += 1;
      failures += outcome.failAnyway.length;
    }
  } finally {
    tree.remove();
  }
  console.log(`${mutants.length - survivors} of ${mutants.length} were caught`);
  return survivors + failures === 0;
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
