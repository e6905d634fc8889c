/**
 * SHRINKING: makes the options of a seed that fails smaller, one after the other, as long as it fails in
 * the same way, so that what is left to look at is little: fewer lives, clients, operations, kinds of
 * work. What it ends with is a command.
 *
 * (1) A smaller run draws other dice from some point on, so not everything that might be left out can
 *     be: each step is tried, and kept only if the seed still fails.
 * (2) It ends: no value grows, and each step that is kept makes one smaller.
 */
import type { SwarmOptions } from "./swarm.ts";

/** Smaller values of options, for the seed to be lived with. */
export type Smaller = Partial<SwarmOptions>;
type Counted = (typeof COUNTS)[number][0];

/** The fewer, the less to look at; in this order. With the least that makes sense. */
const COUNTS = [
  ["lives", 1],
  ["clients", 1],
  ["databases", 1],
  ["operations", 1],
  ["administration", 0],
  ["checkpoints", 0],
  ["changesMax", 1],
  ["thinkMs", 0],
  ["echoes", 0],
] as const;
const TRIES_MAX = 300;

/** True if the seed still fails in the same way, with these options in place of what it draws. */
export type StillFails = (smaller: Smaller) => Promise<boolean>;

/** What to replace of the options that were drawn. */
export async function shrink(drawn: SwarmOptions, stillFails: StillFails): Promise<Smaller> {
  let smaller: Smaller = {};
  let tries = 0;
  for (let isDone = false; !isDone; ) {
    isDone = true;
    for (const step of stepsFrom({ ...drawn, ...smaller })) {
      if (tries++ === TRIES_MAX) return smaller;
      if (!(await stillFails({ ...smaller, ...step }))) continue;
      smaller = { ...smaller, ...step };
      isDone = false;
      break;
    }
  }
  return smaller;
}

/** Each makes one thing smaller: first as small as it can be, then by half, then by one. */
function* stepsFrom(options: SwarmOptions): Generator<Smaller> {
  for (const [name, least] of COUNTS) {
    for (const value of smallerThan(options[name] ?? 0, least))
      yield { [name]: value } as CountStep;
  }
  const kinds = Object.entries(options.weights).filter(([, weight]) => weight > 0);
  if (kinds.length < 2) return;
  for (const [kind] of kinds) yield { weights: { ...options.weights, [kind]: 0 } };
}

type CountStep = Pick<SwarmOptions, Counted>;

function smallerThan(value: number, least: number): readonly number[] {
  const values = [least, Math.floor((value + least) / 2), value - 1];
  return [...new Set(values)].filter((each) => each >= least && each < value);
}

/** What makes a failure the same: its text, but for numbers and what stands in brackets. */
export function kindOf(failure: unknown): string {
  const text = failure instanceof Error ? `${failure.name}: ${failure.message}` : String(failure);
  return (text.split("\n")[0] ?? "").replaceAll(/\[[^\]]*\]|\d+/g, "#");
}
