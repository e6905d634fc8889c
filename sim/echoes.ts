/**
 * ECHOES: further images of a crash. A crash could have left the disk in many ways, of which the
 * simulation goes on with one. These are others, drawn from the same moment: what each of them holds is
 * held against what was known when the crash came, in a world of its own, and then it is thrown away.
 *
 * (1) The main line lives as it would without them: they have dice of their own, and copies of the
 *     disk, the manifest and the model.
 * (2) What is found in an echo binds only that echo.
 * (3) Some die again while they recover, and what that leaves is looked at too. Each image that is
 *     opened counts as a crash: of all images (`IMAGES`) these are `ECHO_IMAGES`.
 */
import type { Crash, SimulatedWorld } from "../src/io/index.ts";
import type { Life, Surroundings } from "./life.ts";
import type { SwarmOptions } from "./swarm.ts";
import { ECHO_IMAGES, IMAGES } from "./tally.ts";

/** Mean 3.5. Of layers that take milliseconds there are more. */
const PER_CRASH = [0, 2, 4, 8] as const;
const MORE = 2;
const CRASHES_AGAIN = 0.2;
const RECOVERY_CHANGES_MAX = 25;

/** What echoes are drawn of: a simulation, and so is each of them. */
export interface Echoing<S> extends Surroundings {
  /** What it is now, in a world that the crash could have led to as well. */
  echo(world: SimulatedWorld): S;
  /** True if the process survived its life. It is then still running. */
  live(body: (life: Life) => Promise<void>): Promise<boolean>;
  /** How a life ends that its crash has not ended yet. */
  end(how: Crash): void;
}

/** Opens what is there and holds it against a copy of what is known; `echo` has its catalogue. */
export type Echoed<S> = (echo: S) => (life: Life) => Promise<void>;

export function echoesPerCrash(seed: number): number {
  return PER_CRASH[((seed * 2654435761) % 2 ** 32) >>> 30] ?? 0;
}

/** What a scenario may adjust whose seeds take milliseconds. */
export function withEchoes(drawn: SwarmOptions): SwarmOptions {
  return { ...drawn, echoes: MORE * (drawn.echoes ?? 0) };
}

/** All echoes of the crash that was last. */
export async function liveEchoes<S extends Echoing<S>>(
  simulation: S,
  echoed: Echoed<S>,
): Promise<void> {
  const { tally, trace } = simulation;
  for (const world of simulation.world.takeEchoes()) {
    const before = tally.of(IMAGES);
    const echo = simulation.echo(world);
    await liveEcho(echo, echoed(echo));
    tally.add(ECHO_IMAGES, tally.of(IMAGES) - before);
    trace.note(`echo ${echo.trace.digest()}`);
  }
}

async function liveEcho<S extends Echoing<S>>(
  echo: S,
  look: (life: Life) => Promise<void>,
): Promise<void> {
  const { random } = echo;
  if (random.chance(CRASHES_AGAIN)) {
    const how = random.pick(["kill", "power"] as const);
    const survived = await echo.live(async (life) => {
      life.planCrash(1 + random.below(RECOVERY_CHANGES_MAX), how);
      await look(life);
    });
    if (survived) echo.end(how);
    else echo.tally.add("crashes: in recovery of a further image");
  }
  await echo.live(look);
  echo.world.kill();
}
