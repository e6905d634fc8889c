/** Whole stores out of a bucket. */
import { describe, expect, test } from "vitest";
import {
  Bucket,
  claimEpoch,
  encodeManifestObject,
  NumberedWriter,
  readBucketIdentity,
} from "../flush/index.ts";
import type { Manager } from "../manager/index.ts";
import { verifyStore } from "../manager/index.ts";
import { CountedStore, ForwardingStore, type ObjectStore, type StoreCall } from "../sink/index.ts";
import { RestoreRig, SEGMENT_BYTES, STORE } from "./restored.fixture.ts";

const TABLE = "create table t (id integer primary key, body text)";

/** A checkpointed part, and a part that is in the log only; both are in the bucket. */
async function shippedStore(rig: RestoreRig) {
  const manager = await rig.open();
  const lsns: { readonly lsn: number; readonly count: number; readonly atMs: number }[] = [];
  await rig.run(async () => {
    for (const name of ["one", "two"]) {
      const database = await manager.database(name);
      await database.exec(TABLE);
      const insert = database.prepare("insert into t (body) values (?)");
      for (let n = 0; n < 30; n += 1) await insert.run("x".repeat(500) + n);
    }
    await (await manager.database("two")).snapshot("early");
    await manager.close();
  });
  await rig.ship();
  const again = await rig.open();
  await rig.run(async () => {
    const one = await again.database("one");
    for (let count = 31; count <= 40; count += 1) {
      const { lsn } = await one.prepare("insert into t (body) values (?)").run(`late ${count}`);
      lsns.push({ lsn, count, atMs: rig.env.clock.wallMs() });
      await rig.env.clock.sleep(1000);
    }
    const fork = await one.fork("fork");
    await fork.prepare("delete from t where id <= 10").run();
    const big =
      "insert into t (body) select zeroblob(3000) from (select 1 from t a, t b limit 900)";
    await (await again.database("two")).exec(big);
  });
  rig.kill();
  await rig.ship({ state: false });
  return lsns;
}

/** `allows`: a file that waits until the sink, which is not given here, has what follows it. */
async function expectSound(
  rig: RestoreRig,
  directory: string,
  { allows }: { readonly allows?: string } = {},
): Promise<void> {
  const openKeyValueStore = rig.stores.openerFor(rig.env);
  const report = await rig.run(() => verifyStore({ env: rig.env, directory, openKeyValueStore }));
  const found = report.findings.filter(
    ({ what }) => allows === undefined || !what.includes(allows),
  );
  expect(found).toEqual([]);
}

async function closed(rig: RestoreRig, manager: Manager) {
  const content = await rig.contentOf(manager);
  await rig.run(() => manager.close());
  return content;
}

/** As soon as the claims were listed another writer begins, and puts a part of his first state. */
class BegunMeanwhile extends ForwardingStore {
  readonly #rig: RestoreRig;
  readonly #objects: ObjectStore;
  begun = 0;

  constructor(rig: RestoreRig, objects: ObjectStore = rig.objects()) {
    super(objects);
    this.#rig = rig;
    this.#objects = objects;
  }

  protected override async around<T>(call: StoreCall, send: () => Promise<T>): Promise<T> {
    const answer = await send();
    if (call.operation === "list" && call.key.startsWith("epoch/")) await this.#begin();
    return answer;
  }

  async #begin(): Promise<void> {
    const { random, clock } = this.#rig.env;
    const identity = await readBucketIdentity(this.#objects);
    const { storeId } = identity ?? { storeId: new Uint8Array(16) };
    const bucket = new Bucket(this.#objects, storeId);
    const epoch = await claimEpoch(bucket, { random, wallMs: clock.wallMs() });
    const base = encodeManifestObject({
      ...{ kind: "base", storeId, epoch, number: 0, generation: 1, baseNumber: 0, part: 0 },
      ...{ checkpointLsn: 0, maxLsn: 0, wallMs: clock.wallMs(), fencedBelow: epoch },
      ...{ walEpoch: 0, walNumber: 0, walEndLsn: 0, whole: false, rows: [] },
    });
    await new NumberedWriter({ bucket, kind: "manifest", epoch, random }).append(base);
    this.begun += 1;
  }
}

describe("a whole store", () => {
  // evidence: G36
  test("the newest moment gives back every commit, verified, and goes on", async () => {
    const rig = new RestoreRig();
    await shippedStore(rig);
    const report = await rig.restore("/restored");
    expect(report).toMatchObject({ isNewest: true, dryRun: false });
    await expectSound(rig, "/restored");
    const original = await closed(rig, await rig.open());
    const restored = await rig.open("/restored");
    expect(await rig.contentOf(restored)).toEqual(original);
    await rig.run(async () => {
      const one = await restored.database("one");
      await one.prepare("insert into t (body) values (?)").run("goes on");
      await restored.close();
    });
    await expectSound(rig, "/restored", { allows: "leftover" });
  });

  // evidence: G36
  test("an LSN between commits gives back exactly the commits below it", async () => {
    const rig = new RestoreRig(2);
    const lsns = await shippedStore(rig);
    for (const [index, at] of [lsns[3]?.lsn ?? 0, (lsns[6]?.lsn ?? 0) + 1].entries()) {
      const directory = `/at-${index}`;
      expect(await rig.restore(directory, { at: { lsn: at } })).toMatchObject({ isNewest: false });
      await expectSound(rig, directory);
      const content = await closed(rig, await rig.open(directory));
      const expected = lsns.findLast(({ lsn }) => lsn <= at)?.count;
      expect(Object.keys(content)).toEqual(["one", "two"]);
      expect((content.one as { rows: unknown[] }).rows).toHaveLength(expected ?? -1);
    }
  });

  // evidence: G36
  test("a time gives back what was there then, and a later one the newest", async () => {
    const rig = new RestoreRig(3);
    const lsns = await shippedStore(rig);
    const { atMs = 0, count = 0 } = lsns[4] ?? {};
    await rig.restore("/then", { at: new Date(atMs) });
    const content = await closed(rig, await rig.open("/then"));
    expect((content.one as { rows: unknown[] }).rows).toHaveLength(count);
    const later = new Date(rig.env.clock.wallMs() + 1e6);
    expect(await rig.restore("/later", { at: later })).toMatchObject({ isNewest: true });
  });

  // evidence: G36
  test("without any state the log from its beginning is enough", async () => {
    const rig = new RestoreRig(4);
    const manager = await rig.open();
    await rig.run(async () => {
      const one = await manager.database("one");
      await one.exec(TABLE);
      for (let n = 0; n < 50; n += 1) {
        await one.prepare("insert into t (body) values (?)").run("y".repeat(9000));
      }
    });
    rig.kill();
    await rig.ship({ state: false });
    await rig.restore("/restored", { segmentBytes: SEGMENT_BYTES / 8 });
    await expectSound(rig, "/restored");
    const content = await closed(rig, await rig.open("/restored"));
    expect(content).toEqual(await closed(rig, await rig.open()));
  });

  // evidence: G36
  test("what is out of reach is refused with what there is", async () => {
    const rig = new RestoreRig(5);
    const lsns = await shippedStore(rig);
    const beyond = (lsns.at(-1)?.lsn ?? 0) * 10;
    await expect(rig.restore("/no", { at: { lsn: beyond } })).rejects.toMatchObject({
      code: "BOP_NO_RESTORE_POINT",
      details: { wanted: `LSN ${beyond}` },
    });
    expect(await rig.run(() => rig.env.storage.stat("/no"))).toBeUndefined();
    await expect(rig.restore(STORE)).rejects.toMatchObject({ code: "BOP_EXISTS" });
  });

  // evidence: G36
  test("a dry run tells what would be read, and makes nothing", async () => {
    const rig = new RestoreRig(6);
    await shippedStore(rig);
    const dry = await rig.restore("/restored", { dryRun: true });
    expect(await rig.run(() => rig.env.storage.stat("/restored"))).toBeUndefined();
    const real = await rig.restore("/restored");
    const { chunks, chunkBytes, logBytes, lsn } = real;
    expect(dry).toMatchObject({ dryRun: true, chunks, chunkBytes, logBytes, lsn });
    expect(dry.reads.bytes).toBeLessThan(real.reads.bytes / 4);
  });

  // evidence: G36
  test("is restored though another writer begins while it is", async () => {
    const rig = new RestoreRig(7);
    await shippedStore(rig);
    const meanwhile = new BegunMeanwhile(rig);
    const objects = new CountedStore(meanwhile);
    expect(await rig.restore("/restored", { objects })).toMatchObject({ isNewest: true });
    expect(meanwhile.begun).toBe(1);
    await expectSound(rig, "/restored");
  });
});
