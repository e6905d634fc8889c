/** Stores of which chunks are in the bucket and not on the disk any more, and that lose their manifest. */
import { describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { KIB } from "../../base/units.ts";
import { SimulatedStore, simulatedService } from "../../sink/index.ts";
import type { Manager } from "../manager.ts";
import { Place } from "./rebuild.fixture.ts";

const ROWS = 100;
const FILL = `with recursive n(id) as (select 1 union all select id + 1 from n limit ${ROWS})
  insert into t select id, randomblob(3000) from n`;

/** A store with a bucket, and room for next to no chunks. */
class TieredPlace extends Place {
  readonly #service = simulatedService(1);

  openTiered(): Promise<Manager> {
    return this.open({
      sink: new SimulatedStore({ service: this.#service, clock: this.env.clock }),
      limits: { diskBytes: 64 * KIB },
      inlineFlushMs: 0,
      flushIntervalMs: 100,
    });
  }

  get chunkFiles(): string[] {
    return this.world.disk.files(/\/chunks\//);
  }

  /** A database with rows of which the bucket has the pages, and one that it does not have. */
  async live(manager: Manager): Promise<void> {
    const database = await manager.database("a");
    await database.exec("create table t (id integer primary key, body blob)");
    await database.exec(FILL);
    for (let n = 1; n < 20 && this.chunkFiles.length !== 1; n++) {
      await manager.checkpoint();
      await this.env.clock.sleep(1000); // It is shipped, and goes with the next checkpoint.
      await database.prepare("insert into t values (?, ?)").run(ROWS + n, "small");
    }
    await database.prepare("insert into t values (?, ?)").run(1000, "not shipped");
  }
}

describe("a store that lost its manifest", () => {
  // evidence: G12, G38
  test("is rebuilt though chunks are in the bucket only, and reads them from there", async () => {
    const place = new TieredPlace(1);
    const manager = await place.openTiered();
    await place.world.run(() => place.live(manager));
    place.world.kill();
    place.env = place.world.start();
    place.lose();
    const { chunks, awayChunks } = await place.rebuild();
    expect(awayChunks).toBeGreaterThan(0);
    expect(chunks - awayChunks).toBe(place.chunkFiles.length);
    const again = await place.openTiered();
    await place.world.run(async () => {
      const database = await again.database("a", { create: false });
      const count = "select count(*) from t where length(body) = 3000 or body = 'not shipped'";
      expect(await database.prepare(count).pluck().get()).toBe(ROWS + 1);
      expect(await database.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
      await again.close();
    });
  });

  // evidence: G4
  test("is not rebuilt without a chunk that the bucket does not have", async () => {
    const place = new TieredPlace(2);
    const manager = await place.open();
    await place.world.run(async () => {
      const database = await manager.database("a");
      await database.exec("create table t (id integer primary key, body blob)");
      await database.exec(FILL);
      await manager.checkpoint();
    });
    place.world.kill();
    place.env = place.world.start();
    place.lose();
    const [lost = ""] = place.chunkFiles;
    await place.world.run(() => place.env.storage.unlink(lost));
    const error = await place.rebuild().catch((thrown: unknown) => thrown);
    expect(isStorageError(error, "BOP_CORRUPT") && error.details).toMatchObject({ file: lost });
  });
});
