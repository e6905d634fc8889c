/** Stores that are opened with a sink at another place than the one that they have shipped to. */
import { beforeEach, describe, expect, test } from "vitest";
import { present } from "../../base/assert.ts";
import { openBucket, restoreStore } from "../../restore/index.ts";
import { type SimulatedService, SimulatedStore, simulatedService } from "../../sink/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import { Manager } from "../manager.ts";
import { Machines } from "./machines.fixture.ts";

const SEGMENT_BYTES = 256 * 1024;
const ELSEWHERE = "memory://elsewhere";
const WAITED_MS = 2000;

class Place extends Machines {
  open(service: SimulatedService): Promise<Manager> {
    const disk = this.disk("first");
    const { clock } = disk.env;
    const sink = new SimulatedStore({ service, clock });
    const sizes = { segmentBytes: SEGMENT_BYTES, inlineFlushMs: 0, flushIntervalMs: 100 };
    return Manager.open({ ...disk, ...sizes, sink, sinkTimeoutMs: 10, historyMs: 0 });
  }

  /** Bodies in a store that is made of a bucket alone. */
  async restored(service: SimulatedService): Promise<string[]> {
    const disk = this.disk("second");
    const { env } = disk;
    const store = new SimulatedStore({ service, clock: env.clock });
    const { bucket, objects, close } = await openBucket(store, { env });
    await restoreStore({ ...disk, segmentBytes: SEGMENT_BYTES, bucket, objects });
    await close();
    const manager = await Manager.open({ ...disk, segmentBytes: SEGMENT_BYTES, sink: "none" });
    const bodies = await bodiesIn(manager);
    await manager.close();
    return bodies;
  }
}

async function insert(manager: Manager, body: string): Promise<void> {
  const notes = await manager.database("notes");
  await notes.exec("create table if not exists note (id integer primary key, body text)");
  await notes.prepare("insert into note (body) values (?)").run(body);
}

async function bodiesIn(manager: Manager): Promise<string[]> {
  const notes = await manager.database("notes");
  return notes.prepare("select body from note order by id").pluck<string>().all();
}

const remoteLsn = (manager: Manager) =>
  present(manager.diagnostics().sink, "it has a sink").remoteLsn;

/** A store dies whose bucket has all of it, and is away since. Where its log ends. */
async function shippedStore(place: Place): Promise<number> {
  const { world, service } = place;
  const endLsn = await world.run(async () => {
    const manager = await place.open(service);
    await insert(manager, "one");
    await manager.checkpoint();
    await insert(manager, "two");
    const { durableLsn } = manager.diagnostics().log;
    await manager.durable(durableLsn, { level: "remote" });
    await place.disk("first").env.clock.sleep(WAITED_MS);
    return durableLsn;
  });
  world.kill();
  service.faults.state.down = true;
  await world.run(async () => {
    const manager = await place.open(service);
    expect(remoteLsn(manager)).toBeGreaterThanOrEqual(endLsn); // So it is remembered.
  });
  world.kill();
  return endLsn;
}

/** Opened while nobody answers there: whether its log is called remote, before anybody does and then. */
async function remoteMarks(
  manager: Manager,
  { place, service, endLsn }: { place: Place; service: SimulatedService; endLsn: number },
) {
  const before = remoteLsn(manager);
  let isRemote = false;
  const remote = manager.durable(endLsn, { level: "remote" }).then(() => {
    isRemote = true;
  });
  await place.disk("first").env.clock.sleep(WAITED_MS);
  const wasRemote = isRemote;
  service.faults.heal();
  await remote;
  return { before, wasRemote, after: remoteLsn(manager) };
}

beforeEach(() => prepareEngines("sqlite", 4));

describe("a store that is opened with a sink at another place", () => {
  // evidence: G34
  test("calls nothing remote that only the bucket of before has, until this one has it too", async () => {
    const place = new Place(21);
    const service = simulatedService(22, ELSEWHERE);
    const endLsn = await shippedStore(place);
    service.faults.state.down = true;
    await place.world.run(async () => {
      const manager = await place.open(service);
      await insert(manager, "three");
      await manager.checkpoint();
      await insert(manager, "four");
      await manager.checkpoint();
      const marks = await remoteMarks(manager, { place, service, endLsn });
      expect(marks).toMatchObject({ before: 0, wasRemote: false });
      expect(marks.after).toBeGreaterThanOrEqual(endLsn);
      const { durableLsn } = manager.diagnostics().log;
      await manager.durable(durableLsn, { level: "remote" });
      expect(await place.restored(service)).toEqual(["one", "two", "three", "four"]);
      await manager.close();
    });
  });

  test("knows its bucket again that has moved there, with all that it has", async () => {
    const place = new Place(23);
    const endLsn = await shippedStore(place);
    const service = { ...place.service, location: ELSEWHERE };
    await place.world.run(async () => {
      const manager = await place.open(service);
      const marks = await remoteMarks(manager, { place, service, endLsn });
      expect(marks).toMatchObject({ before: 0, wasRemote: false });
      expect(marks.after).toBeGreaterThanOrEqual(endLsn);
      expect(manager.diagnostics().sink).toMatchObject({ state: "shipping", epoch: 2 });
      await manager.close();
    });
    place.service.faults.state.down = true;
    await place.world.run(async () => {
      const manager = await place.open(service);
      expect(remoteLsn(manager)).toBeGreaterThanOrEqual(endLsn);
      await manager.close();
    });
  });

  test("keeps for the bucket of before what that misses, in case it goes back", async () => {
    const place = new Place(25);
    const service = simulatedService(26, ELSEWHERE);
    await shippedStore(place);
    service.faults.state.down = true;
    await place.world.run(async () => {
      const manager = await place.open(place.service);
      await insert(manager, "three");
      await manager.checkpoint();
    });
    place.world.kill();
    await place.world.run(async () => {
      const manager = await place.open(service);
      for (let n = 0; n < 3; n += 1) await manager.checkpoint();
    });
    place.world.kill();
    place.service.faults.heal();
    await place.world.run(async () => {
      const manager = await place.open(place.service);
      const { durableLsn } = manager.diagnostics().log;
      await manager.durable(durableLsn, { level: "remote" });
      expect(manager.diagnostics().sink).toMatchObject({ state: "shipping", lostWindows: [] });
      expect(await place.restored(place.service)).toEqual(["one", "two", "three"]);
      await manager.close();
    });
  });
});
