/** Whose memory it is: what a record log was given stays as it was, and what it gives is the caller's. */
import { expect, test } from "vitest";
import { simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import type { RecordLog } from "../../record-log/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import { Manager } from "../manager.ts";

const FIELD_INDEX = 3n;
/** Its commit takes several batches. */
const LARGE_BYTES = 1_500_000;

async function stores() {
  const world = simulatedWorld({ seed: 5 });
  const made = memoryStores(world.random.fork());
  const open = async () => {
    await prepareEngines("sqlite", 1);
    const env = world.start();
    const openKeyValueStore = made.openerFor(env);
    const options = { directory: "/store", env, openKeyValueStore, logCacheBytes: 0 };
    return world.run(() => Manager.open({ ...options, segmentBytes: 2 ** 20 }));
  };
  return { world, open };
}

const entry = (index: bigint, payload: Uint8Array) => ({ term: 1n, index, payload });

async function first(log: RecordLog, index: bigint): Promise<Uint8Array | undefined> {
  const [found] = await log.read({ from: index });
  return found?.payload;
}

test("a Buffer that is used again does not change what was saved with it, now or later", async () => {
  const { world, open } = await stores();
  const before = await open();
  const sevens = () => Buffer.alloc(4, 7);
  await world.run(async () => {
    const log = await before.log("raft");
    const given = sevens();
    await log.append([{ ...entry(FIELD_INDEX, given), field: given }]);
    await log.commit({
      compact: { upToIndex: FIELD_INDEX, field: given },
      hardState: { term: 1n, vote: given },
      stable: { key: given },
      snapshotMeta: given,
    });
    given.fill(9);
    expect((await log.readHardState())?.vote).toEqual(new Uint8Array(sevens()));
    await before.close();
  });
  const again = await open();
  await world.run(async () => {
    const log = await again.log("raft");
    const sevenBytes = new Uint8Array(sevens());
    expect((await log.readHardState())?.vote).toEqual(sevenBytes);
    expect(await log.readStable("key")).toEqual(sevenBytes);
    expect(await log.readSnapshotMeta()).toEqual(sevenBytes);
    expect(await log.fieldAt(FIELD_INDEX)).toEqual(sevenBytes);
    await again.close();
  });
});

test("who changes what was read to him does not change the log, after a crash either", async () => {
  const { world, open } = await stores();
  const before = await open();
  await world.run(async () => {
    const log = await before.log("raft");
    await log.append([entry(1n, new Uint8Array(LARGE_BYTES).fill(7))]);
  });
  world.powerCut();
  const again = await open();
  await world.run(async () => {
    const log = await again.log("raft");
    (await first(log, 1n))?.fill(9);
    expect((await first(log, 1n))?.[0]).toBe(7);
    await again.close();
  });
});

test("a change that waits for a compaction is what it was when it was called", async () => {
  const { world, open } = await stores();
  const manager = await open();
  await world.run(async () => {
    const [log, other] = [await manager.log("raft"), await manager.log("other")];
    await log.append([1n, 2n, 3n].map((index) => entry(index, Uint8Array.of(7))));
    await manager.checkpoint();
    const compacting = log.compactPrefix(2n);
    const given = new Uint8Array(4).fill(7);
    const vote = given.subarray(0, 2);
    const changes = [
      log.append([entry(4n, given)], { hardState: { term: 1n, vote } }),
      manager.commitLogs([
        { log, stable: { key: given } },
        { log: other, entries: [entry(1n, given)] },
      ]),
    ];
    given.fill(9);
    await Promise.all([compacting, ...changes]);
    expect((await first(log, 4n))?.[0]).toBe(7);
    expect((await first(other, 1n))?.[0]).toBe(7);
    expect((await log.readHardState())?.vote?.[0]).toBe(7);
    expect((await log.readStable("key"))?.[0]).toBe(7);
    await manager.close();
  });
});
