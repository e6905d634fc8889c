/**
 * PAST: what a bucket gives back beside the newest moment, and what it takes from whom. A store at level
 * `remote` lives on one machine after another, with a short time that is kept, and moments are restored
 * beside it.
 *
 * (1) Every moment of the time that is kept can be restored, by its LSN and by its time, and is what the
 *     store was then; and so can every state that is listed, however old.
 * (2) A machine that was replaced and comes back with its disk is refused, and nothing of what it alone
 *     has gets into the bucket; nor does anything of the bucket's get into what it alone has, where that
 *     is damaged.
 * (3) A chunk that is damaged here before it was shipped does not get there: the machine can be lost, and
 *     what was acknowledged is there.
 */
import { isStorageError, Manager } from "../../src/index.ts";
import { bucketKey, simulatedService } from "../../src/sink/index.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { verify } from "../oracle.ts";
import { Machines } from "../past/machines.ts";
import { assertNotMended, hurtOwnLog, isToldOf } from "../past/own-log.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import type { SwarmOptions } from "../swarm.ts";

const MINUTE_MS = 60_000;
const LIFE_MS_MAX = 24 * 60 * MINUTE_MS;
const ROUNDS_MAX = 3;
/** What is at the end of the time that is kept may go while it is being restored. */
const MARGIN_MS = MINUTE_MS;
const SHIPPED_MS = 10_000;
const CHUNK = /\/([0-9a-f]{16})\.chunk$/;

export async function past(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: calmer, lifeMsMax: LIFE_MS_MAX });
  const { random, options: drawn } = simulation;
  const service = simulatedService(random.below(2 ** 31));
  simulation.injectors.push({ prefix: "sink ", injected: service.faults.injected });
  const keepForMs = random.pick([10, 20, 60]) * MINUTE_MS;
  const machines = new Machines({ simulation, service, keepForMs });
  for (let n = 0; n < drawn.lives; n++) {
    await machines.live((life) => workingLife(machines, life, n > 0 && random.chance(0.5)));
    simulation.end(random.pick(["kill", "power"] as const));
    if (random.chance(0.4)) continue;
    // Nobody is there who would take any of it away meanwhile.
    await machines.live((life) => checkListed(machines, life));
    simulation.end("kill");
  }
  if (random.chance(0.5)) await damagedBeforeShipping(machines);
  else await comesBack(machines);
}

function calmer(drawn: SwarmOptions): SwarmOptions {
  const { operations, clients, lives, databases } = drawn;
  return {
    ...drawn,
    engine: "sqlite",
    lives: Math.min(lives, 3) + 1,
    operations: Math.min(operations, 4),
    clients: Math.min(clients, 2),
    databases: Math.min(databases, 2),
    administration: Math.min(drawn.administration, 2),
    checkpoints: Math.min(drawn.checkpoints, 2),
  };
}

/** Work, and looks back. See (1). */
async function workingLife(machines: Machines, life: Life, isReplaced: boolean): Promise<void> {
  const { random } = machines.simulation;
  const lazy = isReplaced && random.chance(0.7);
  if (isReplaced) await machines.replace(life, { lazy });
  const manager = await machines.open(life);
  // All was in the bucket when the other one was lost. Of a lazy one nothing is here yet.
  if (lazy) await machines.workAtOnce(life, manager);
  for (let rounds = 1 + random.below(ROUNDS_MAX); rounds > 0; rounds--) {
    await machines.work(life, manager);
    if (random.chance(0.7)) await manager.checkpoint();
    await machines.mark(life, manager);
    await life.env.clock.sleep((random.fraction() * machines.keepForMs) / 2);
  }
  const keptFromMs = life.env.clock.wallMs() - machines.keepForMs + MARGIN_MS;
  const kept = machines.marks.filter(({ wallMs }) => wallMs >= keptFromMs);
  const [oldest] = kept;
  if (oldest !== undefined) await machines.checkMark(life, oldest);
  if (kept.length > 1) await machines.checkMark(life, random.pick(kept));
  if (random.chance(0.5)) await manager.close();
}

/** See (1). */
async function checkListed(machines: Machines, life: Life): Promise<void> {
  const { random } = machines.simulation;
  const { states } = await Manager.restorePoints(machines.bucket(life), { env: life.env });
  const [oldest] = states;
  if (oldest === undefined) return;
  const { lsn } = random.chance(0.5) ? oldest : random.pick(states);
  await machines.restored(life, { lsn }, async (manager) => {
    for (const { name } of await manager.list()) {
      const database = await manager.database(name, { create: false });
      const [verdict] = await database.pragma("integrity_check");
      promise(verdict?.integrity_check === "ok", () => `${name} at ${lsn} is damaged`);
    }
  });
}

/** See (2). */
async function comesBack(machines: Machines): Promise<void> {
  const { simulation, service } = machines;
  const { random, tally } = simulation;
  const old = machines.directory;
  let isAlone = false;
  await machines.live(async (life) => {
    const manager = await machines.open(life);
    await machines.work(life, manager);
    await machines.settle(manager);
    if (random.chance(0.5)) return;
    isAlone = true;
    service.faults.state.down = true; // What it does from now on nobody else has.
    const alone = machines.work(life, manager);
    alone.catch(() => undefined);
    await life.env.clock.sleep(random.below(2000));
  });
  simulation.end("kill");
  const hurt = isAlone && random.chance(0.6) ? await hurtOwnLog(machines) : undefined;
  service.faults.heal();
  await machines.live(async (life) => {
    await machines.replace(life);
    const manager = await machines.open(life);
    await machines.work(life, manager);
    await manager.checkpoint();
    await machines.mark(life, manager);
    await life.env.clock.sleep(SHIPPED_MS);
  });
  simulation.end("kill");
  await machines.live(async (life) => {
    const refused = await machines.open(life, old).then(
      () => undefined,
      (error: unknown) => error,
    );
    life.assertAlive();
    const isRefused =
      isStorageError(refused, "BOP_SINK_AHEAD") ||
      isStorageError(refused, "BOP_DIVERGED") ||
      isToldOf(hurt, refused);
    promise(isRefused, () => `a disk that was replaced is opened again: ${refused}`);
    tally.add(`disks that came back: ${(refused as { code: string }).code}`);
    if (hurt !== undefined) assertNotMended(machines, hurt);
  });
  simulation.end("kill");
  await lost(machines);
}

/** See (3). */
async function damagedBeforeShipping(machines: Machines): Promise<void> {
  const { simulation, service } = machines;
  const { world, random, tally } = simulation;
  await machines.live(async (life) => {
    const manager = await machines.open(life);
    await machines.work(life, manager);
    await machines.settle(manager);
    service.faults.state.down = true;
    await manager.checkpoint();
    const unshipped = (await chunksOf(machines, life)).filter((path) => !isShipped(machines, path));
    if (unshipped.length > 0) {
      const path = random.pick(unshipped);
      const bytes = (world.disk.contents(path) ?? new Uint8Array()).slice();
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      world.disk.replace(path, bytes);
      tally.add("injected: damage before shipping");
    }
    service.faults.heal();
    await life.env.clock.sleep(MINUTE_MS);
  });
  simulation.end("kill");
  await lost(machines);
}

/** The machine is lost: what the bucket has is the store. */
async function lost(machines: Machines): Promise<void> {
  await machines.live(async (life) => {
    await machines.replace(life);
    const manager = await machines.open(life);
    await verify(life, manager);
    await manager.close();
  });
  machines.simulation.end("kill");
}

async function chunksOf({ directory }: Machines, { env }: Life): Promise<string[]> {
  const paths: string[] = [];
  for (const folder of await env.storage.list(`${directory}/chunks`)) {
    const names = await env.storage.list(`${directory}/chunks/${folder}`);
    paths.push(...names.map((name) => `${directory}/chunks/${folder}/${name}`));
  }
  return paths;
}

function isShipped({ service, simulation }: Machines, path: string): boolean {
  const id = Number.parseInt(CHUNK.exec(path)?.[1] ?? "0", 16);
  const [prefix = ""] = bucketKey({ kind: "chunk", id, epoch: 0 }).split("-");
  return service.bucket.keys(simulation.world.nowMs).some((key) => key.startsWith(prefix));
}
