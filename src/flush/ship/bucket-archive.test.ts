/** Segments that are lost or damaged, wherever they lie, and a bucket that has what was in them. */
import { crc32 } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { isStorageError, type StorageError } from "../../base/errors.ts";
import { lsn } from "../../base/units.ts";
import type { ManifestState } from "../../manifest/index.ts";
import { SimulatedStore, simulatedService } from "../../sink/index.ts";
import { BLOCK_BYTES } from "../../wal/index.ts";
import { recoverLog } from "../../write/index.ts";
import { BucketArchive } from "./bucket-archive.ts";
import { Machine, STORE_ID } from "./ship.fixture.ts";

const pathOf = (sequence: number): string =>
  `/store/wal/${sequence.toString(16).padStart(16, "0")}.wal`;

/** A store that was killed when the bucket had all of its log, and its disk remembers so. */
async function shipped(seed: number): Promise<Machine> {
  const machine = new Machine(seed, simulatedService(seed));
  for (const bytes of [60_000, 1000]) {
    await machine.live(async (env) => {
      const store = await machine.open(env);
      await store.controller.start();
      for (let i = 0; i < 11; i++) await store.commit(bytes);
      await store.remote(store.log.durableLsn);
      await env.clock.sleep(3000);
    });
    machine.world.kill();
  }
  await machine.live(async (env) => {
    const store = await machine.open(env);
    await store.controller.start(); // Its manifest notes how far the bucket is.
  });
  machine.world.kill();
  return machine;
}

type Damage = "missing" | "header" | "batch" | "end";

async function hurt(machine: Machine, sequence: number, damage: Damage): Promise<void> {
  const path = pathOf(sequence);
  const { world } = machine;
  if (damage === "missing") {
    const { storage } = world.start();
    await world.run(() => storage.unlink(path));
    world.kill();
    return;
  }
  const bytes = world.disk.contents(path)?.slice() ?? new Uint8Array(0);
  const offset = { header: 8, batch: BLOCK_BYTES + 60, end: 0 }[damage];
  if (damage === "end") bytes.fill(0, BLOCK_BYTES * 2);
  else bytes[offset] = (bytes[offset] ?? 0) ^ 4;
  world.disk.replace(path, bytes);
}

/** All files of the log, as they are or as they were. */
async function filesOf({ world }: Machine): Promise<Map<string, Uint8Array>> {
  const { storage } = world.start();
  const names = await world.run(() => storage.list("/store/wal"));
  world.kill();
  const paths = [...names].sort().map((name) => `/store/wal/${name}`);
  return new Map(
    paths.map((path) => [path, world.disk.contents(path)?.slice() ?? new Uint8Array(0)]),
  );
}

const digests = (files: ReadonlyMap<string, Uint8Array>) =>
  [...files].map(([path, bytes]) => `${path} ${crc32(bytes)}`);

async function putBack(machine: Machine, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const { world } = machine;
  const found = await filesOf(machine);
  const { storage } = world.start();
  await world.run(async () => {
    for (const path of found.keys()) if (!files.has(path)) await storage.unlink(path);
    for (const path of files.keys()) {
      if (!found.has(path)) await (await storage.open(path, "create")).close();
    }
    await storage.syncDirectory("/store/wal");
  });
  world.kill();
  for (const [path, bytes] of files) world.disk.replace(path, bytes);
}

/** LSNs of the commits that recovery finds, or its error. Only what it makes good is changed. */
async function recovered(
  { world, service }: Machine,
  opened: ManifestState,
): Promise<readonly number[] | StorageError<"BOP_CORRUPT">> {
  const env = world.start();
  const found: number[] = [];
  const nothing = async () => undefined;
  try {
    await world.run(async () => {
      const store = new SimulatedStore({ service, clock: env.clock });
      const options = {
        ...{
          env,
          directory: "/store/wal",
          storeId: STORE_ID,
          register: nothing,
          unregister: nothing,
        },
        driver: await env.storage.driver({ directory: "/store/wal", io: "auto" }),
        registered: opened.segments,
        checkpointLsn: opened.checkpointLsn,
        durableFloorLsn: opened.durableLsn,
        archive: new BucketArchive({ store, storeId: STORE_ID, shipped: opened.shipping }),
      };
      await recoverLog(options, (commit) => found.push(commit.lsn));
    });
    return found;
  } catch (error) {
    if (isStorageError(error, "BOP_CORRUPT")) return error;
    throw error;
  } finally {
    world.kill();
  }
}

describe("a segment of the log below what the bucket has", () => {
  let machine: Machine;
  let opened: ManifestState;
  let used: number[];
  let whole: number[];
  let files: Map<string, Uint8Array>;

  beforeAll(async () => {
    machine = await shipped(7);
    whole = machine.commits.map(({ lsn }) => lsn);
    opened = await machine.manifestState();
    files = await filesOf(machine);
    used = [...files.keys()]
      .map((path) => Number.parseInt(path.slice(-20, -4), 16))
      .filter((sequence) => Number.isSafeInteger(sequence));
  });

  // evidence: G43
  test.each(["missing", "header", "batch", "end"] as const)(
    "is made again, first, middle or last sealed: %s",
    async (damage) => {
      for (const sequence of used.slice(0, -1)) {
        await putBack(machine, files);
        await hurt(machine, sequence, damage);
        expect(await recovered(machine, opened), `segment ${sequence}`).toEqual(whole);
        // It needs the bucket no more.
        const away = { ...opened, shipping: undefined };
        expect(await recovered(machine, away), `segment ${sequence}`).toEqual(whole);
      }
    },
  );

  test("is made again together with its neighbours, though nothing says where each began", async () => {
    for (const lost of [used.slice(0, -1), used.slice(1, -1), [used[0], used[2]]]) {
      await putBack(machine, files);
      for (const [at, sequence = 0] of lost.entries()) {
        await hurt(machine, sequence, at % 2 === 0 ? "missing" : "header");
      }
      expect(await recovered(machine, opened), `${lost}`).toEqual(whole);
    }
  });

  // evidence: G43
  test("is refused with its file where the bucket does not have all of it, and nothing is changed", async () => {
    const shipping = opened.shipping && { ...opened.shipping, shippedLsn: lsn(whole[9] ?? 0) };
    for (const damage of ["missing", "header"] as const) {
      await putBack(machine, files);
      const sequence = used.at(-2) ?? 0;
      await hurt(machine, sequence, damage);
      const before = digests(await filesOf(machine));
      const error = await recovered(machine, { ...opened, shipping });
      // Of a header that is damaged only the end of the log before it tells.
      const file = pathOf(damage === "missing" ? sequence : sequence - 1);
      expect(error).toMatchObject({ code: "BOP_CORRUPT", details: { file } });
      expect(digests(await filesOf(machine))).toEqual(before);
    }
  });

  // evidence: G43
  test("is as it was or whole, wherever a power cut ends its healing", async () => {
    const outcomes = new Set<string>();
    for (let n = 1; n < 16 && !outcomes.has("done"); n++) {
      await putBack(machine, files);
      await hurt(machine, used[1] ?? 0, "missing");
      await hurt(machine, used[2] ?? 0, "header");
      machine.world.disk.crashAt(n, "power");
      const outcome = await recovered(machine, opened).then(
        () => "done",
        () => "cut",
      );
      outcomes.add(outcome);
      expect(await recovered(machine, opened), `change ${n}`).toEqual(whole);
    }
    expect(outcomes).toEqual(new Set(["cut", "done"]));
  });
});
