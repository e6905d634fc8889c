/**
 * SCRUB: bytes change where nobody wrote, in files of a store that is open and in its bucket; then one
 * pass over both.
 *
 * (1) Everything that was damaged is found, unless the store has written it anew meanwhile; and nothing
 *     else is told of. A chunk that no row names any more is nobody's: the next start removes it.
 * (2) What is said to be healed is as it was, byte by byte; a second pass finds no more of it.
 * (3) Whatever was damaged, the store serves what the model has: from memory, from what was healed, and
 *     after a crash; and so does a store that is restored from the bucket, if nothing there stayed
 *     damaged.
 */
import { Manager } from "../../src/index.ts";
import { SUPERBLOCK } from "../../src/page-store/index.ts";
import { SimulatedStore, simulatedService } from "../../src/sink/index.ts";
import { SEGMENT_HEADER, segmentItems } from "../../src/wal/index.ts";
import { work } from "../clients.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { restoreElsewhere } from "../lost-machine.ts";
import { verify } from "../oracle.ts";
import { Simulation, type SimulationOptions, STORE } from "../simulation.ts";
import { type SwarmOptions, storeLimits } from "../swarm.ts";

const RATE = 2 ** 30;
const SHIPPED_MS = 60_000;
const DAMAGES_MAX = 5;
/** Copies of a superblock. */
const COPIES = 4;

/** A place of damage: a file of the store, or an object of the bucket. */
interface Target {
  readonly what: string;
  readonly place: "disk" | "bucket";
  /** Which chunk it is, of this disk or of the bucket; undefined if it is none. */
  readonly chunk: string | undefined;
  /** Where damage counts. */
  readonly at: (bytes: Uint8Array) => number;
}

interface Damage extends Target {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

interface Run {
  readonly simulation: Simulation;
  readonly service: ReturnType<typeof simulatedService>;
  readonly hasSink: boolean;
  /** Chunks that were damaged and not found: see (1). */
  readonly nobodys: Damage[];
}

export async function scrub(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation({ ...options, adjust: calmer });
  const { random, tally } = simulation;
  const service = simulatedService(random.below(2 ** 31));
  const run: Run = { simulation, service, hasSink: random.chance(0.7), nobodys: [] };
  tally.add(run.hasSink ? "stores with a sink" : "stores without a sink");
  let isBucketWhole = true;
  for (let n = 0; n < simulation.options.lives; n++) {
    await simulation.live(async (life) => {
      const manager = await open(run, life, STORE);
      await work({ life, manager }, await verify(life, manager));
      await manager.checkpoint();
      if (run.hasSink) await life.env.clock.sleep(SHIPPED_MS);
      isBucketWhole = (await hurtAndScrub(run, life, manager)) && isBucketWhole;
      await verify(life, manager);
      if (random.chance(0.5)) await manager.close();
    });
    simulation.end("kill");
  }
  await simulation.live(async (life) => {
    const manager = await open(run, life, STORE);
    await verify(life, manager);
    await manager.close();
  });
  simulation.end("kill");
  if (run.hasSink && isBucketWhole) await restored(run);
}

/** One pass reads everything there is, so there had better not be too much. */
function calmer(drawn: SwarmOptions): SwarmOptions {
  const { operations, clients, lives } = drawn;
  return {
    ...drawn,
    engine: "sqlite",
    lives: Math.min(lives, 2),
    operations: Math.min(operations, 6),
    clients: Math.min(clients, 4),
    administration: Math.min(drawn.administration, 4),
  };
}

async function open(run: Run, life: Life, directory: string): Promise<Manager> {
  const { simulation, service, hasSink, nobodys } = run;
  const { env } = life;
  const manager = await Manager.open({
    ...storeLimits(simulation.options),
    ...{ directory, env, openKeyValueStore: simulation.stores.openerFor(env) },
    ...(hasSink && { sink: new SimulatedStore({ service, clock: env.clock, latencyMsMax: 20 }) }),
    flushIntervalMs: 50,
  });
  for (const damage of nobodys.splice(0)) {
    const isGone = bytesOf(run, damage) === undefined;
    promise(isGone, () => `${damage.what} is damaged, was not found, and is there after a start`);
  }
  return manager;
}

/** True if nothing of the bucket stayed damaged. See (1) and (2). */
async function hurtAndScrub(run: Run, life: Life, manager: Manager): Promise<boolean> {
  const { tally, trace } = run.simulation;
  const damages = await hurt(run, await targetsOf(run, life, manager));
  const { findings } = await pass(run, manager);
  for (const { what, why, outcome } of findings) {
    trace.note(`${outcome} ${what}: ${why}`);
    const isOurs = damages.some((damage) => damage.what === what);
    promise(isOurs, () => `${what} was not damaged, and is told of: ${why}`);
    tally.add(`damage that was ${outcome}`);
  }
  let isBucketWhole = true;
  for (const damage of damages) {
    const found = findings.find(({ what }) => what === damage.what);
    const now = bytesOf(run, damage);
    const isStill = now !== undefined && Buffer.compare(now, damage.after) === 0;
    const mayBeNobodys = damage.place === "disk" && damage.chunk !== undefined;
    if (found === undefined && isStill && mayBeNobodys) run.nobodys.push(damage);
    else {
      promise(found !== undefined || !isStill, () => `${damage.what} is damaged, and not found`);
    }
    if (found?.outcome === "reported" && isStill) {
      isBucketWhole &&= damage.place === "disk";
      replace(run, damage, damage.before); // So that reads can be compared again.
    }
    if (found?.outcome !== "healed" || damage.chunk === undefined) continue;
    const isAsBefore = now === undefined || Buffer.compare(now, damage.before) === 0;
    promise(isAsBefore, () => `${damage.what} was healed, and is not what it was`);
  }
  const again = await pass(run, manager);
  const [left] = again.findings;
  promise(left === undefined, () => `found by a second pass: ${left?.what}: ${left?.why}`);
  return isBucketWhole;
}

function pass({ hasSink }: Run, manager: Manager) {
  const parts = hasSink ? (["local", "remote"] as const) : (["local"] as const);
  return manager.scrub({ parts, maxBytesPerSecond: RATE });
}

/** A chunk is hurt here or in the bucket: with neither copy left there is nothing to heal it from. */
async function hurt(run: Run, targets: Target[]): Promise<Damage[]> {
  const { random, tally } = run.simulation;
  const damages: Damage[] = [];
  for (let n = 1 + random.below(DAMAGES_MAX); n > 0 && targets.length > 0; n--) {
    const [target] = targets.splice(random.below(targets.length), 1);
    const before = target && bytesOf(run, target);
    if (target === undefined || before === undefined || before.length === 0) continue;
    const isTwin = ({ chunk }: Target) => chunk !== undefined && chunk === target.chunk;
    if (damages.some(isTwin)) continue;
    const after = before.slice();
    const at = target.at(before);
    after[at] = (after[at] ?? 0) ^ (1 << random.below(8));
    replace(run, target, after);
    damages.push({ ...target, before, after });
    tally.add(`damage on ${target.place}`);
  }
  return damages;
}

async function targetsOf(
  { simulation, service, hasSink }: Run,
  { env }: Life,
  manager: Manager,
): Promise<Target[]> {
  const { world, random } = simulation;
  const anywhere = (bytes: Uint8Array) => random.below(bytes.length);
  const disk = { place: "disk", chunk: undefined } as const;
  const factOfCopy = () =>
    random.below(COPIES) * SUPERBLOCK.sizeBytes + random.below(SUPERBLOCK.offset.reserved);
  const targets: Target[] = [{ ...disk, what: "superblock", at: factOfCopy }];
  const { mirror, log } = manager.diagnostics();
  if (mirror.current) {
    targets.push({ ...disk, what: "manifest.mirror", at: () => random.below(mirror.bytes) });
  }
  for (const { sequence, state } of log.inflight) {
    if (state !== "sealed" && state !== "archived") continue;
    const what = `wal/${sequence.toString(16).padStart(16, "0")}.wal`;
    targets.push({ ...disk, what, at: (bytes) => placeInSegment(bytes, random) });
  }
  for (const folder of await env.storage.list(`${STORE}/chunks`)) {
    for (const name of await env.storage.list(`${STORE}/chunks/${folder}`)) {
      const chunk = name.slice(0, -".chunk".length);
      targets.push({ place: "disk", what: `chunks/${folder}/${name}`, chunk, at: anywhere });
    }
  }
  if (!hasSink) return targets;
  for (const what of service.bucket.keys(world.nowMs)) {
    const chunk = /^chunks\/..\/([0-9a-f]{16})-/.exec(what)?.[1];
    targets.push({ place: "bucket", what, chunk, at: anywhere });
  }
  return targets;
}

/** In its header, or in a batch: the rest is padding, or nobody's. */
function placeInSegment(bytes: Uint8Array, random: Simulation["random"]): number {
  const view = (offset: number, length: number) => bytes.subarray(offset, offset + length);
  const places: number[] = [random.below(SEGMENT_HEADER.sizeBytes)];
  for (const item of segmentItems({ sizeBytes: bytes.length, view }, {})) {
    if (item.type !== "batch") continue;
    places.push(item.offset + random.below(1 + item.header.payloadBytes));
  }
  return random.pick(places);
}

function bytesOf({ simulation, service }: Run, { place, what }: Target): Uint8Array | undefined {
  const { world } = simulation;
  if (place === "disk") return world.disk.contents(`${STORE}/${what}`);
  return service.bucket.find(what, world.nowMs)?.body;
}

function replace({ simulation, service }: Run, { place, what }: Target, body: Uint8Array): void {
  const { world } = simulation;
  if (place === "disk") {
    world.disk.replace(`${STORE}/${what}`, body);
    return;
  }
  const metadata = service.bucket.find(what, world.nowMs)?.metadata ?? {};
  service.bucket.put({ key: what, body, metadata, ifAbsent: false }, world.nowMs);
}

/** The machine is lost. See (3). */
async function restored(run: Run): Promise<void> {
  const { simulation, service } = run;
  const opened = (life: Life, directory: string) => open(run, life, directory);
  await restoreElsewhere({ simulation, service, open: opened });
}
