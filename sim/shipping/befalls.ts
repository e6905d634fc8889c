/** WHAT BEFALLS a store beside its work: outages, refusals, and somebody who decides on its dead letters. */
import type { DeadLetterInfo, Manager } from "../../src/index.ts";
import type { Life } from "../life.ts";
import type { Run } from "./run.ts";

const OUTAGE_MS_MAX = 20_000;
const LETTERS_MS = 500;
/** Until whoever waits for a gap looks again, and until its process dies. */
const GAP_MS = 100;

/** Nobody can reach the service, for a while, now and then. */
export async function outages({ simulation, service }: Run, { env }: Life): Promise<void> {
  const { random, tally } = simulation;
  for (let n = random.below(3); n > 0; n--) {
    try {
      await env.clock.sleep(random.fraction() * 2000);
      service.faults.state.down = true;
      await env.clock.sleep(random.fraction() * OUTAGE_MS_MAX);
    } catch {
      return; // The process is dead.
    }
    service.faults.state.down = false;
    tally.add("outages");
  }
}

/** The service refuses for a while, perhaps; letters are retried, some discarded, and some processes die of it. */
export async function refuse(run: Run, life: Life, manager: Manager): Promise<void> {
  const { simulation, service } = run;
  const { random, world } = simulation;
  const { clock } = life.env;
  const refuses = random.chance(0.4);
  const fromMs = clock.monotonicMs() + random.fraction() * 2000;
  const toMs = fromMs + random.fraction() * OUTAGE_MS_MAX;
  await lookAgain({ run, life, manager, pauseMs: LETTERS_MS }, async (decide) => {
    const nowMs = clock.monotonicMs();
    service.faults.state.denied = refuses && nowMs >= fromMs && nowMs < toMs;
    for (const letter of manager.deadLetters()) {
      await decide(letter, random.chance(0.2));
      if (!life.isAlive()) return;
      if (random.chance(0.3)) world.kill();
    }
  });
}

/** The service refuses until log is a letter. That is given up, and soon afterwards the process dies. */
export async function giveLogUp(run: Run, life: Life, manager: Manager): Promise<void> {
  const { simulation, service } = run;
  const { random, world } = simulation;
  const { clock } = life.env;
  const { state } = service.faults;
  let refusals = 1 + random.below(2);
  let toMs = 0;
  await lookAgain({ run, life, manager, pauseMs: GAP_MS }, async (decide) => {
    const nowMs = clock.monotonicMs();
    if (nowMs >= toMs) state.denied = false;
    if (refusals > 0 && manager.diagnostics().sink?.state === "shipping") {
      refusals -= 1;
      state.denied = true;
      toMs = nowMs + random.fraction() * OUTAGE_MS_MAX;
    }
    for (const letter of manager.deadLetters()) {
      const isGivenUp = letter.kind === "log";
      if (isGivenUp) state.denied = false;
      if (state.denied) continue;
      await decide(letter, isGivenUp);
      if (!life.isAlive() || !isGivenUp) continue;
      await clock.sleep(random.fraction() * 5 * GAP_MS);
      if (life.isAlive() && random.chance(0.7)) world.kill();
    }
  });
}

/** Nothing is refused; what an earlier life has left is retried. */
export async function retryAll(run: Run, life: Life, manager: Manager): Promise<void> {
  await lookAgain({ run, life, manager, pauseMs: LETTERS_MS }, async (decide) => {
    for (const letter of manager.deadLetters()) {
      await decide(letter, false);
      if (!life.isAlive()) return;
    }
  });
}

interface Looking {
  readonly run: Run;
  readonly life: Life;
  readonly manager: Manager;
  readonly pauseMs: number;
}

type Decide = (letter: DeadLetterInfo, isGivenUp: boolean) => Promise<void>;

/** Again and again, until the store is closed or its process is dead. */
async function lookAgain(
  { run, life, manager, pauseMs }: Looking,
  look: (decide: Decide) => Promise<void>,
): Promise<void> {
  const { simulation, service, places } = run;
  const { env, isAlive } = life;
  const decide = decider({ run, life, manager }, places.directory);
  try {
    while (manager.diagnostics().state !== "closed") {
      await env.clock.sleep(simulation.random.fraction() * pauseMs);
      if (!isAlive()) return; // It was replaced.
      places.hasShipped ||= manager.diagnostics().sink?.state === "shipping";
      await look(decide);
    }
  } catch (error) {
    const { code } = error as { code?: string };
    // The process is dead, or the store was closed meanwhile.
    if (isAlive() && code !== "BOP_CLOSED" && !(error instanceof RangeError)) throw error;
  } finally {
    service.faults.state.denied = false;
  }
}

/** Those of lives before too, and each once: see (4) of SHIPPING. */
function decider({ run, life, manager }: Omit<Looking, "pauseMs">, directory: string): Decide {
  const { simulation, decided, ghosts } = run;
  return async ({ id, kind, at }, isGivenUp) => {
    const name = `${kind} ${id} of ${at.toISOString()} in ${directory}`;
    if (decided.has(name)) ghosts.push(name);
    simulation.tally.add(`dead letters: ${kind} ${isGivenUp ? "discarded" : "retried"}`);
    await manager[isGivenUp ? "discardDeadLetter" : "retryDeadLetter"](id);
    if (life.isAlive()) decided.add(name);
  };
}
