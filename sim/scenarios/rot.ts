/**
 * ROT: bytes change where nobody wrote. One place is damaged at a time (a bit, a sector, a block that
 * landed elsewhere) in a segment of the log, a superblock, a chunk or a value of the manifest of a store
 * that is whole. It may be refused, with a code that says so; or what is read is what was written. It is
 * never something else, nothing durable is missing without a word, and one bad copy of four is no reason
 * to refuse.
 */
import { isStorageError } from "../../src/index.ts";
import type { SeededRandom } from "../../src/io/index.ts";
import { inspectSuperblock, SUPERBLOCK, SuperblockFile } from "../../src/page-store/index.ts";
import { DIRECTORY as RIG_DIRECTORY, Rig } from "../../src/page-store/rig.fixture.ts";
import { BrokenPromise, promise } from "../failure.ts";
import { DIRECTORY, type LogLife, makeDirectories, WAL } from "../log/log-life.ts";
import { PageLife } from "../pages/page-life.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import { endLog, liveLog } from "./log.ts";

const ROUNDS = 8;
const SECTOR_BYTES = 512;
const BLOCK_BYTES = 4096;
const PAGE_STEPS = 40;
const REFUSALS = ["BOP_CORRUPT", "BOP_FORMAT"] as const;
const LIMITS = { cacheBytes: 16 * 1024, openChunks: 2, mapBytes: 16 * 1024, reserveBytes: 0 };

export async function rot(options: SimulationOptions): Promise<void> {
  const simulation = new Simulation(options);
  const kind = simulation.random.pick(["log", "superblock", "chunk", "manifest"] as const);
  simulation.tally.add(`rot: ${kind}`);
  if (kind === "log") await rotOfLog(simulation);
  else if (kind === "superblock") await rotOfSuperblock(simulation);
  else await rotOfPages(simulation, { seed: options.seed, kind });
}

async function rotOfLog(simulation: Simulation): Promise<void> {
  const { world, random, tally } = simulation;
  const store = await liveLog(simulation);
  await endLog(simulation, store);
  for (let n = 0; n < ROUNDS; n++) {
    await simulation.live(async ({ env }) => {
      const names = await env.storage.list(WAL);
      const path = `${WAL}/${random.pick(names.filter((name) => name.endsWith(".wal")))}`;
      const bytes = world.disk.contents(path) ?? new Uint8Array();
      world.disk.replace(path, damaged(bytes, random));
      try {
        const { found } = await store.read(env);
        store.model.recovered(found, store.checkpointLsn);
        tally.add("damage that changed nothing");
      } catch (error) {
        expectRefusal(error, path);
        tally.add("damage that was refused");
      }
      world.disk.replace(path, bytes);
    });
    simulation.end("kill");
  }
}

async function rotOfSuperblock(simulation: Simulation): Promise<void> {
  const { world, random } = simulation;
  const store = await liveLog(simulation);
  const path = `${DIRECTORY}/superblock`;
  if (!isWhole(world.disk.contents(path))) await writeSuperblock(simulation, store);
  const bytes = world.disk.contents(path) ?? new Uint8Array();
  await simulation.live(async ({ env }) => {
    const place = { storage: env.storage, directory: DIRECTORY };
    const before = (await SuperblockFile.open(place))?.superblock.sequence ?? 0;
    const sequences = inspectSuperblock(bytes).copies.map(({ superblock }) => superblock?.sequence);
    const isCutOff = sequences.some((sequence) => sequence !== before);
    for (let n = 0; n < ROUNDS * 4; n++) {
      const copyAt = random.below(4) * SUPERBLOCK.sizeBytes;
      const copy = bytes.slice(copyAt, copyAt + SUPERBLOCK.sizeBytes);
      const spoilt = bytes.slice();
      spoilt.set(
        random.chance(0.5) ? withFlippedFact(copy, random) : damaged(copy, random),
        copyAt,
      );
      world.disk.replace(path, spoilt);
      const found = (await SuperblockFile.open(place))?.superblock.sequence ?? 0;
      // Where a write was cut off, the newer one had two copies only, and two are of an older one.
      const isThere = found === before || (isCutOff && sequences.includes(found));
      promise(isThere, () => `superblock ${found}, not ${before} of ${sequences}`);
    }
    world.disk.replace(path, bytes);
  });
  simulation.end("kill");
}

/** All four copies are of some superblock. */
function isWhole(bytes: Uint8Array | undefined): boolean {
  return bytes !== undefined && inspectSuperblock(bytes).copies.every((copy) => copy.superblock);
}

async function writeSuperblock(simulation: Simulation, store: LogLife): Promise<void> {
  await simulation.live(async ({ env }) => {
    await makeDirectories(env);
    const log = await store.open(env);
    await store.checkpoint(env, log);
    await log.close();
  });
  simulation.end("kill");
}

interface PageRot {
  readonly seed: number;
  readonly kind: "chunk" | "manifest";
}

async function rotOfPages(
  { random, tally, trace }: Simulation,
  { seed, kind }: PageRot,
): Promise<void> {
  const compression = random.pick(["none", "deflate"] as const);
  const rig = await Rig.open({ seed, limits: { ...LIMITS, chunkBytes: 64 * 1024, compression } });
  const life = new PageLife(rig, random.fork());
  await fill(rig, life, random);
  for (let n = 0; n < ROUNDS; n++) {
    rig.world.kill();
    const mend = await (kind === "chunk" ? spoilChunk : spoilManifest)(rig, random);
    try {
      await rig.start();
      life.died();
      life.reopened();
      life.check();
      tally.add("damage that changed nothing");
    } catch (error) {
      expectRefusal(error, kind);
      tally.add("damage that was refused");
    }
    rig.world.kill();
    trace.note(`${kind}: ${rig.world.disk.changeCount} changes, ${rig.world.nowMs} ms`);
    await mend();
    life.died();
  }
  await rig.start();
  life.reopened();
  life.check();
}

/** A store with some history, all of which is in chunks. */
async function fill(rig: Rig, life: PageLife, random: SeededRandom): Promise<void> {
  for (let n = 0; n < 2; n++) life.create();
  for (let n = random.below(PAGE_STEPS); n > 0; n--) {
    const dice = random.below(10);
    if (dice === 0) life.fork();
    else if (dice === 1) life.snapshot();
    else if (dice === 2) await rig.checkpoint();
    else life.commit();
  }
  life.commit();
  await rig.checkpoint();
  await rig.restart("close");
  life.reopened();
  life.check();
}

type Mend = () => Promise<void>;

async function spoilChunk(rig: Rig, random: SeededRandom): Promise<Mend> {
  const files = await rig.chunkFiles();
  if (files.length === 0) return async () => undefined; // All databases are empty.
  const path = random.pick(files);
  const bytes = rig.world.disk.contents(path) ?? new Uint8Array();
  rig.world.disk.replace(path, damaged(bytes, random));
  return async () => rig.world.disk.replace(path, bytes);
}

async function spoilManifest(rig: Rig, random: SeededRandom): Promise<Mend> {
  const change = (spoil: boolean, key?: Uint8Array, value?: Uint8Array) =>
    rig.world.run(async () => {
      const env = rig.world.start();
      const store = await rig.stores.openerFor(env)(`${RIG_DIRECTORY}/manifest`);
      const rows = [...store.range(new Uint8Array(), Uint8Array.of(255))];
      const row = key && value ? { key, value } : random.pick(rows);
      const bytes = spoil ? withFlippedBit(row.value, row.value.length, random) : row.value;
      await store.commit([{ key: row.key, value: bytes }]);
      await store.close();
      return row;
    });
  const { key, value } = await change(true);
  rig.world.kill();
  return async () => {
    await change(false, key, value);
    rig.world.kill();
  };
}

function damaged(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const spoilt = bytes.slice();
  const kind = random.pick(["bit", "bit", "sector", "block"] as const);
  // Where there is something: files of the log are mostly zeros.
  const usedBytes = 1 + spoilt.findLastIndex((byte) => byte !== 0);
  if (kind === "bit") return withFlippedBit(spoilt, Math.max(1, usedBytes), random);
  const unit = kind === "sector" ? SECTOR_BYTES : BLOCK_BYTES;
  const units = Math.max(1, Math.ceil(usedBytes / unit));
  const at = random.below(units) * unit;
  if (kind === "sector") spoilt.fill(0, at, at + unit);
  else {
    const from = random.below(units) * unit;
    spoilt.set(bytes.subarray(from, Math.min(from + unit, bytes.length - at + from)), at);
  }
  return spoilt;
}

function withFlippedBit(bytes: Uint8Array, below: number, random: SeededRandom): Uint8Array {
  const spoilt = bytes.slice();
  const at = random.below(below);
  spoilt[at] = (spoilt[at] ?? 0) ^ (1 << random.below(8));
  return spoilt;
}

/** Of a superblock, where it says something. */
function withFlippedFact(copy: Uint8Array, random: SeededRandom): Uint8Array {
  return withFlippedBit(copy, SUPERBLOCK.offset.reserved, random);
}

function expectRefusal(error: unknown, what: string): void {
  if (error instanceof BrokenPromise) throw error;
  const isRefusal = REFUSALS.some((code) => isStorageError(error, code));
  promise(isRefusal, () => `damage in ${what}: ${error instanceof Error ? error.stack : error}`);
}
