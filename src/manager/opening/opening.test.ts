/** Stores that open though something is against it. */
import { beforeEach, describe, expect, test } from "vitest";
import { simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import { databaseName } from "../catalogue/names.ts";
import { Manager } from "../manager.ts";
import { resolveManagerOptions } from "../resolve-options.ts";
import { openStore } from "./opening.ts";

const DIRECTORY = "/store";
const PAGE_BYTES = 4096;

/** A store with one database, killed in the middle of an import. */
class CutOff {
  readonly world = simulatedWorld({ seed: 5 });
  readonly #stores = memoryStores(this.world.random.fork());

  /** As a process finds it that has just been started. */
  options() {
    const env = this.world.start();
    const openKeyValueStore = this.#stores.openerFor(env);
    const segmentBytes = 256 * 1024;
    return { directory: DIRECTORY, env, openKeyValueStore, segmentBytes, historyMs: 0 };
  }

  async begin(): Promise<void> {
    await this.world.run(async () => {
      const manager = await Manager.open(this.options());
      const other = await manager.database("other");
      await other.exec("create table t (v); insert into t values (7)");
      await manager.close();
      const options = this.options();
      const store = await openStore(resolveManagerOptions(options));
      const name = databaseName("coming");
      const born = { name, engine: "sqlite", pageBytes: PAGE_BYTES, createdAtMs: 1 } as const;
      const { lsn } = store.catalogue.create({ ...born, importing: true });
      await store.durable(lsn);
    });
    this.world.kill();
  }
}

const valueIn = async (manager: Manager) => {
  const other = await manager.database("other", { create: false });
  return other.prepare("select v from t").pluck().get();
};

beforeEach(() => prepareEngines("sqlite", 1));

describe("a store whose import was cut off", () => {
  test("opens on a full disk, shows no trace of it, and its name is free once there is room", async () => {
    const place = new CutOff();
    const { world } = place;
    await place.begin();
    const options = place.options();
    world.disk.capacityBytes = 2 ** 40;
    const freeBytes = await world.run(() => options.env.storage.freeBytes(DIRECTORY));
    world.disk.capacityBytes -= freeBytes;
    await world.run(async () => {
      const { clock } = options.env;
      const late = clock.sleep(600_000).then(() => "late" as const);
      const manager = await Promise.race([Manager.open(options), late]);
      if (manager === "late") throw new Error("the store did not open");
      expect(await valueIn(manager)).toBe(7);
      expect((await manager.list()).map(({ name }) => name)).toEqual(["other"]);
      world.disk.capacityBytes = Number.POSITIVE_INFINITY;
      await clock.sleep(60_000); // Nobody commits: what waits for room looks by itself.
      await (await manager.database("coming")).exec("create table t (v)");
      await manager.close();
    });
  });
});
