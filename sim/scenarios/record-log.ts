/**
 * RECORD LOG: two record logs of one store, changed without waiting, cut off by kills and power cuts
 * at any change of the disk, checkpointed in between, with memory for all entries, few or none. What was
 * acknowledged stays, a change over both is there in both or in neither, and the logs together are as
 * they were at some moment; while the process lives, as they are now.
 */
import { KIB } from "../../src/base/units.ts";
import type { LogMember, Manager, RecordLog } from "../../src/index.ts";
import type { SeededRandom } from "../../src/io/index.ts";
import type { Life } from "../life.ts";
import { LOG_NAMES, LogModel, type LogName } from "../log-model.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";

const CHANGES_MAX = 60;
const PAUSE_MS = 4;

export async function recordLog(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: ofLogs });
  const { random, tally } = simulation;
  const model = new LogModel();
  simulation.echoed = () => {
    const echo = model.echo();
    return async (life) => echo.verify(await life.open());
  };
  for (let n = 0; n < simulation.options.lives; n++) {
    const how = random.pick(["kill", "power"] as const);
    const inRecovery = random.chance(0.2);
    const survived = await simulation.live(async (life) => {
      if (inRecovery) life.planCrash(1 + random.below(25), how);
      const manager = await life.open();
      await model.verify(manager);
      if (!inRecovery) life.planCrash(1 + random.below(CHANGES_MAX), how);
      await changeLogs({ life, manager, model });
      await model.verify(manager);
      if (random.chance(0.3)) await manager.close();
    });
    if (survived) simulation.end(how);
    else tally.add(`crashes: ${how} at a change`);
  }
  await simulation.live(async (life) => {
    const manager = await life.open();
    await model.verify(manager);
    await manager.close();
  });
  simulation.end("kill");
}

/** No engine is asked for anything, and one of them takes longer to make than a life does. */
function ofLogs(drawn: SwarmOptions, random: SeededRandom): SwarmOptions {
  const logCacheBytes = random.pick([0, 0, 2 * KIB, undefined]);
  return { ...drawn, engine: "sqlite", ...(logCacheBytes !== undefined && { logCacheBytes }) };
}

interface Changing {
  readonly life: Life;
  readonly manager: Manager;
  readonly model: LogModel;
}

async function changeLogs({ life, manager, model }: Changing): Promise<void> {
  const { random, tally } = life.simulation;
  const logs = new Map<LogName, RecordLog>();
  for (const name of LOG_NAMES) logs.set(name, await manager.log(name));
  const pending: Promise<unknown>[] = [];
  const later = (work: Promise<unknown>): void => {
    work.catch(() => undefined); // Heard at the end, or never: of a process that died meanwhile.
    pending.push(work);
  };
  const follow = (made: Promise<unknown>, number: number): void => {
    later(
      life.attempt(async () => {
        await made;
        life.assertAlive();
        model.acknowledge(number);
      }),
    );
  };
  for (let n = random.below(80); n >= 0; n--) {
    const names = random.chance(0.15) ? LOG_NAMES : [random.pick(LOG_NAMES)];
    const changes = names.map((name) => ({ name, change: model.draw(name, random) }));
    const members = changes.flatMap(({ name, change }) => {
      const log = logs.get(name);
      return log === undefined ? [] : [{ ...change, log }];
    });
    // Before the model hears of it: a process that died within the call has changed nothing.
    life.assertAlive();
    const made = manager.commitLogs(members);
    follow(made, model.made(changes, waits(members)));
    tally.add(`operations: ${names.length === 1 ? "change of a log" : "change over two logs"}`);
    if (random.chance(0.4)) await made.catch(() => undefined);
    if (random.chance(0.1)) await life.env.clock.sleep(random.below(PAUSE_MS));
    if (random.chance(0.05)) later(life.attempt(() => manager.checkpoint()));
  }
  await Promise.all(pending);
}

/** Whether a change that was just asked for is still to be made: its compaction reads a chunk first. */
function waits(members: readonly LogMember[]): boolean {
  return members.some(({ log, compact }) => {
    return compact !== undefined && log.boundary?.index !== compact.upToIndex;
  });
}
