/**
 * DECAY: whole stores that run while their disk decays, with a bucket that has a copy and without one.
 * Sectors of sealed log, of superblocks, chunks and the mirror of the manifest lose a bit, cannot be
 * read, show what they were before or what belongs elsewhere, or end a read too soon; once, or until
 * they are written. Clients, checkpoints, scrubbing and shipping go on, event loops stall, calls hang,
 * and the process ends in the middle of it.
 *
 * (1) Damage that the store must survive costs nothing: one copy of a superblock, the mirror, a chunk
 *     that the bucket has. It opens, and every row is there.
 * (2) Other damage may be refused, with BOP_CORRUPT or BOP_IO that names a file which was hurt. It is
 *     never served: what an answer shows is held against the model as ever.
 * (3) It is not passed on. Once the disk shows what was written again, everything that was acknowledged
 *     is there; and so it is in what is restored from the bucket.
 * (4) Of what has two copies only one is hurt at a time.
 */
import { isStorageError, Manager } from "../../src/index.ts";
import { DAMAGE_KINDS } from "../../src/io/index.ts";
import { SUPERBLOCK } from "../../src/page-store/index.ts";
import { type SimulatedService, SimulatedStore, simulatedService } from "../../src/sink/index.ts";
import { work } from "../clients.ts";
import { BrokenPromise, promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { restoreElsewhere } from "../lost-machine.ts";
import { verify } from "../oracle.ts";
import { sealedSegments } from "../sealed-segments.ts";
import { Simulation, type SimulationOptions, STORE } from "../simulation.ts";
import { type SwarmOptions, storeLimits } from "../swarm.ts";

const ZONES = ["log", "superblock", "chunks", "mirror"] as const;
type Zone = (typeof ZONES)[number];

const CHUNKS = new RegExp(`^${STORE}/chunks/../[0-9a-f]{16}\\.chunk$`);
const REFUSALS = ["BOP_CORRUPT", "BOP_IO"] as const;
const BITES_MAX = 8;
const BITE_PAUSE_MS = 25;
const STALL_MS_MAX = 45_000;
/** Copies of a superblock. */
const COPIES = 4;
/** Everything is in the bucket by then, and the store knows it. */
const SHIPPED_MS = 60_000;
const LETTERS_MS = 200;
const RATE = 2 ** 30;

interface Run {
  readonly simulation: Simulation;
  readonly zones: readonly Zone[];
  /** Undefined: nobody has a copy. */
  readonly service: SimulatedService | undefined;
  /** Files that were hurt since all was mended, by the names that they had. */
  readonly hurt: Set<string>;
  /** All that is hurt must be survived: see (1). */
  isSurvivable: boolean;
}

export async function decay(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: withCheckpoints });
  const { random, tally, world, injectors } = simulation;
  const drawn = ZONES.filter(() => random.chance(0.6));
  const service = random.chance(0.5) ? simulatedService(random.below(2 ** 31)) : undefined;
  const zones = drawn.length > 0 ? drawn : [random.pick(ZONES)];
  const run: Run = { simulation, zones, service, hurt: new Set(), isSurvivable: true };
  if (service !== undefined) injectors.push({ prefix: "sink ", injected: service.faults.injected });
  tally.add(service === undefined ? "stores without a copy" : "stores with a copy in a bucket");
  world.disk.keepsOlder = random.chance(0.5);
  simulation.excuses = (error) => isRefusal(run, error);
  for (let n = 0; n < simulation.options.lives; n++) await decayingLife(run);
  await lastLives(run);
}

function withCheckpoints(drawn: SwarmOptions): SwarmOptions {
  return {
    ...drawn,
    lives: drawn.lives + 1,
    operations: Math.min(drawn.operations, 8),
    checkpoints: 4,
    engine: "sqlite",
  };
}

async function decayingLife(run: Run): Promise<void> {
  const { simulation } = run;
  const { random, options, tally, world } = simulation;
  const how = random.pick(["kill", "power"] as const);
  const survived = await simulation.live(async (life) => {
    const manager = await openDespite(run, life);
    if (manager === undefined) return;
    const found = await verifyDespite(run, life, manager);
    if (random.chance(0.4)) life.planCrash(1 + random.below(options.changesMax * 2), how);
    if (random.chance(0.3)) world.disk.hangSometimes({ chance: 0.02, msMax: 3000 });
    const ended = letters(run, life, manager);
    await Promise.all([work({ life, manager }, found), gnaw(run, life, manager)]);
    if (random.chance(0.5)) await scrub(run, life, manager);
    if (random.chance(0.3)) mend(run);
    if (random.chance(0.5)) await hurtWhatHasCopies(run, life, manager);
    if (random.chance(0.4)) await manager.close();
    void ended;
  });
  world.disk.heal();
  if (survived) simulation.end(how);
  else tally.add(`crashes: ${how} at a change`);
}

/** Undefined if damage has kept it from opening. See (1) and (2). */
async function openDespite(run: Run, life: Life): Promise<Manager | undefined> {
  const { simulation, isSurvivable } = run;
  try {
    return await open(run, life, STORE);
  } catch (error) {
    life.assertAlive();
    const mayRefuse = !isSurvivable && isRefusal(run, error);
    promise(mayRefuse, () => `damage in ${[...run.hurt]} kept it from opening: ${stackOf(error)}`);
    simulation.tally.add("openings refused: damage");
    mend(run);
    return undefined;
  }
}

async function open(run: Run, life: Life, directory: string): Promise<Manager> {
  const { simulation, service } = run;
  const { env } = life;
  const manager = await Manager.open({
    ...storeLimits(simulation.options),
    ...{ directory, env, openKeyValueStore: simulation.stores.openerFor(env) },
    ...(service && { sink: new SimulatedStore({ service, clock: env.clock, latencyMsMax: 20 }) }),
    flushIntervalMs: 50,
  });
  life.manager = manager;
  return manager;
}

/** What is hurt and may not be survived is mended, once it was met. */
async function verifyDespite(run: Run, life: Life, manager: Manager) {
  const { simulation, isSurvivable } = run;
  try {
    const found = await verify(life, manager);
    simulation.tally.add(run.hurt.size > 0 ? "damage that changed nothing" : "nothing was damaged");
    return found;
  } catch (error) {
    life.assertAlive();
    const isKnown = isRefusal(run, error) || isGap(error);
    if (isSurvivable || !isKnown) throw error;
    simulation.tally.add("damage that was refused");
  }
  mend(run);
  return await verify(life, manager);
}

/** Bites, one after the other, beside all that happens. */
async function gnaw(run: Run, { env }: Life, manager: Manager): Promise<void> {
  const { random, world } = run.simulation;
  for (let n = random.below(BITES_MAX + 1); n > 0; n--) {
    await env.clock.sleep(random.below(BITE_PAUSE_MS));
    if (random.chance(0.1)) world.stall(random.below(STALL_MS_MAX));
    if (random.chance(0.1)) mend(run);
    bite(run, random.pick(run.zones), manager);
  }
}

function bite(run: Run, zone: Zone, manager: Manager): void {
  const { random, world, tally, trace } = run.simulation;
  const places = placesOf(run, zone, manager);
  if (places.length === 0) return;
  const place = random.pick(places);
  const kind = random.pick(DAMAGE_KINDS);
  const hurt = world.disk.decay({ ...place, kind, once: random.chance(0.3) });
  if (hurt === undefined) return;
  run.hurt.add(hurt.path);
  if (zone === "log" || zone === "chunks") run.isSurvivable = false;
  tally.add(`decay: ${zone} ${kind}`);
  trace.note(`${kind} in ${hurt.path} at ${hurt.offset}`);
}

interface Place {
  readonly path: string;
  readonly offset?: number;
}

/** What of a zone may be hurt now. See (4). */
function placesOf({ simulation }: Run, zone: Zone, manager: Manager): readonly Place[] {
  const { world, random } = simulation;
  const { disk } = world;
  if (zone === "log") return sealedSegments(manager, STORE).map((path) => ({ path }));
  if (zone === "chunks") return disk.files(CHUNKS).map((path) => ({ path }));
  const path = zone === "mirror" ? `${STORE}/manifest.mirror` : `${STORE}/superblock`;
  if (disk.contents(path) === undefined || disk.hurtFiles.includes(path)) return [];
  if (zone === "mirror") return [{ path }];
  const offset = random.below(COPIES) * SUPERBLOCK.sizeBytes;
  return [{ path, offset: offset + random.below(SUPERBLOCK.offset.reserved) }];
}

/** The disk shows what was written. */
function mend({ simulation, hurt }: Run): void {
  simulation.world.disk.mend();
  simulation.trace.note("mended");
  hurt.clear();
}

/** Chunks that are in the bucket, a copy of the superblock, the mirror; the next start meets that. */
async function hurtWhatHasCopies(run: Run, life: Life, manager: Manager): Promise<void> {
  const { simulation, service } = run;
  const { random, world, tally } = simulation;
  mend(run);
  for (const { id } of manager.deadLetters()) await manager.retryDeadLetter(id);
  await life.attempt(() => manager.checkpoint());
  if (service !== undefined) await life.env.clock.sleep(SHIPPED_MS);
  run.isSurvivable = true;
  bite(run, "superblock", manager);
  bite(run, "mirror", manager);
  if (service === undefined) return;
  const there = service.bucket.keys(world.nowMs).join(" ");
  for (const path of world.disk.files(CHUNKS)) {
    const isThere = there.includes(path.slice(path.lastIndexOf("/") + 1, -".chunk".length));
    if (!isThere || !random.chance(0.6)) continue;
    const kind = random.pick(DAMAGE_KINDS);
    if (world.disk.decay({ path, kind, once: random.chance(0.2) }) === undefined) continue;
    run.hurt.add(path);
    tally.add(`decay: chunks with a copy, ${kind}`);
  }
}

/** It may find what is hurt, and nothing else. */
async function scrub(run: Run, life: Life, manager: Manager): Promise<void> {
  const { tally } = run.simulation;
  await life.attempt(async () => {
    const { findings } = await manager.scrub({ parts: ["local"], maxBytesPerSecond: RATE });
    life.assertAlive();
    for (const { what, why, outcome } of findings) {
      promise(isHurt(run, what), () => `${what} was not hurt, and is told of: ${why}`);
      tally.add(`scrubbed: ${outcome}`);
    }
  });
}

/** What was refused since a file was hurt is tried again now and then. */
async function letters({ simulation }: Run, life: Life, manager: Manager): Promise<void> {
  const { tally } = simulation;
  try {
    while (manager.diagnostics().state !== "closed") {
      await life.env.clock.sleep(LETTERS_MS);
      if (!life.isAlive()) return;
      for (const { id, kind } of manager.deadLetters()) {
        tally.add(`dead letters: ${kind}`);
        await manager.retryDeadLetter(id);
      }
    }
  } catch (error) {
    // The process is dead, or the store was closed meanwhile.
    if (life.isAlive() && !isStorageError(error, "BOP_CLOSED")) throw error;
  }
}

/** See (2). */
function isRefusal(run: Run, error: unknown): boolean {
  if (!REFUSALS.some((code) => isStorageError(error, code))) return false;
  const { file = "" } = (error as { details?: { file?: string } }).details ?? {};
  return isHurt(run, file);
}

/** SQLite's own check does not fail where a page is refused: it tells which. */
const isGap = (error: unknown): boolean =>
  error instanceof BrokenPromise && /(unable to|failed to) get (the )?page/.test(error.message);

/** By its path, or by its name within the store. A copy of a segment is hurt as the segment was. */
function isHurt({ hurt, simulation }: Run, file: string): boolean {
  const paths = [...hurt, ...simulation.world.disk.hurtFiles];
  const original = file.replace(/\.history$/, ".wal");
  return file !== "" && paths.some((path) => path.endsWith(file) || path.endsWith(original));
}

/** See (3). */
async function lastLives(run: Run): Promise<void> {
  const { simulation, service } = run;
  mend(run);
  run.isSurvivable = true;
  await simulation.live(async (life) => {
    const manager = await open(run, life, STORE);
    void letters(run, life, manager);
    await verify(life, manager);
    if (service !== undefined) {
      await manager.checkpoint();
      await manager.durable(manager.diagnostics().log.durableLsn, { level: "remote" });
      await life.env.clock.sleep(SHIPPED_MS);
    }
    await manager.close();
  });
  simulation.end("kill");
  if (service !== undefined) await restored(run, service);
}

async function restored(run: Run, service: SimulatedService): Promise<void> {
  const { simulation } = run;
  const opened = (life: Life, directory: string) => open(run, life, directory);
  await restoreElsewhere({ simulation, service, open: opened });
}

const stackOf = (error: unknown): string => String(error instanceof Error ? error.stack : error);
