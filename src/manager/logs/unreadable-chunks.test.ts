/** Chunks of record logs that a checkpoint would carry over, and cannot read. */
import { beforeEach, describe, expect, test } from "vitest";
import type { RecordLog } from "../../record-log/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import type { Manager } from "../manager.ts";
import { entriesOf, LogsOnDisk } from "./logs-on-disk.fixture.ts";

const IN_FIRST_BLOCK = 5000;
const IN_SECOND_BLOCK = 50_000;
/** Longer than chunks are left alone for. */
const LEFT_MS = 10 * 60_000;
/** So long a checkpoint would wait for the sink at least. */
const FETCH_MS_MIN = 5000;
/** Less than the chunk takes. */
const NO_ROOM = { limits: { diskBytes: 64 * 1024 } };

beforeEach(() => prepareEngines("sqlite", 4));

const alone = (work: (store: LogsOnDisk) => Promise<void>) => {
  const store = new LogsOnDisk(5);
  return store.world.run(() => work(store));
};

async function indexes(log: RecordLog): Promise<number[]> {
  const found = await log.read({ from: log.firstIndex ?? 0n });
  return found.map(({ index }) => Number(index));
}

const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1);

/** A log in one chunk, which is small, and so is carried over by the next checkpoint. */
async function inSmallChunk(manager: Manager, entries: number): Promise<RecordLog> {
  const log = await manager.log("raft");
  await log.append(entriesOf(1, entries));
  await manager.checkpoint();
  return log;
}

interface Damage {
  readonly code: string;
  hurt(store: LogsOnDisk, path: string): void;
  mend(store: LogsOnDisk, path: string): void;
}

const DAMAGES: Readonly<Record<string, Damage>> = {
  "has a flipped bit": {
    code: "BOP_CORRUPT",
    hurt: (store, path) => store.flip(path, IN_FIRST_BLOCK),
    mend: (store, path) => store.flip(path, IN_FIRST_BLOCK),
  },
  "the device does not read": {
    code: "BOP_IO",
    hurt: ({ world }) =>
      world.disk.failNext({ operation: "read", pathPattern: /1\.chunk$/, times: Infinity }),
    mend: ({ world }) => world.disk.heal(),
  },
  "the device does not open": {
    code: "BOP_IO",
    hurt: ({ world }) =>
      world.disk.failNext({ operation: "open", pathPattern: /1\.chunk$/, times: Infinity }),
    mend: ({ world }) => world.disk.heal(),
  },
};

describe("a small chunk of a record log that", () => {
  // evidence: G16
  test.each(Object.keys(DAMAGES))(
    "%s stays where it is, and the checkpoint goes on without it",
    (name) =>
      alone(async (store) => {
        const { code, hurt, mend } = DAMAGES[name] as Damage;
        const manager = await store.open();
        const log = await inSmallChunk(manager, 10);
        const [path = ""] = store.chunks;
        hurt(store, path);
        await log.append(entriesOf(11, 11));
        await manager.checkpoint();
        expect(manager.diagnostics().log.pinned).toEqual([]);
        expect(manager.diagnostics().recordLogs.unstoredBytes).toBe(0);
        expect(await log.read({ from: 11n })).toHaveLength(1);
        await expect(log.read({ from: 1n })).rejects.toMatchObject({ code });
        mend(store, path);
        expect(await indexes(log)).toEqual(upTo(11));
        await manager.close();
        const again = await store.open();
        const reopened = await again.log("raft");
        await reopened.append(entriesOf(12, 12));
        await again.checkpoint();
        expect(await indexes(reopened)).toEqual(upTo(12));
        expect(store.chunks).not.toContain(path);
        await again.close();
      }),
  );

  test("could not be read is not looked at again, and a checkpoint with nothing else to do does nothing", () =>
    alone(async (store) => {
      const manager = await store.open();
      const log = await inSmallChunk(manager, 10);
      DAMAGES["the device does not read"]?.hurt(store, "");
      const refused = () => store.world.disk.injected.get("read EIO") ?? 0;
      await log.append(entriesOf(11, 11));
      await manager.checkpoint();
      const before = refused();
      expect(before).toBeGreaterThan(0);
      await log.append(entriesOf(12, 12));
      await manager.checkpoint();
      expect(refused()).toBe(before);
      const { checkpoints } = manager.diagnostics().pages;
      await manager.checkpoint();
      await manager.checkpoint();
      expect(manager.diagnostics().pages.checkpoints).toBe(checkpoints);
      await manager.close();
    }));

  test("is damaged in the middle gives what lies before that, and keeps the rest", () =>
    alone(async (store) => {
      const manager = await store.open();
      const log = await inSmallChunk(manager, 60);
      const [path = ""] = store.chunks;
      const whole = store.contents(path);
      store.flip(path, IN_SECOND_BLOCK);
      await log.append(entriesOf(61, 61));
      await manager.checkpoint();
      store.world.disk.replace(path, new Uint8Array(whole.length));
      expect(await log.read({ from: 1n, to: 20n })).toHaveLength(19);
      await expect(log.read({ from: 50n })).rejects.toMatchObject({ code: "BOP_CORRUPT" });
      store.world.disk.replace(path, whole);
      expect(await indexes(log)).toEqual(upTo(61));
      await manager.close();
    }));

  test("holds entries of several logs is left by all of them", () =>
    alone(async (store) => {
      const manager = await store.open();
      const logs = await Promise.all(["one", "two", "three"].map((name) => manager.log(name)));
      for (const log of logs) await log.append(entriesOf(1, 10));
      await manager.checkpoint();
      const [path = ""] = store.chunks;
      store.flip(path, IN_FIRST_BLOCK);
      await logs[1]?.append(entriesOf(11, 11));
      await manager.checkpoint();
      store.flip(path, IN_FIRST_BLOCK);
      expect(await Promise.all(logs.map(indexes))).toEqual([upTo(10), upTo(11), upTo(10)]);
      await manager.close();
    }));

  // evidence: G39
  test("is damaged here is healed from the sink behind the checkpoint, and carried over by a later one", () =>
    alone(async (store) => {
      const manager = await store.open({ hasSink: true });
      const log = await inSmallChunk(manager, 10);
      await store.shipped();
      const [path = ""] = store.chunks;
      store.flip(path, IN_FIRST_BLOCK);
      await log.append(entriesOf(11, 11));
      await manager.checkpoint();
      expect(manager.diagnostics().recordLogs.chunks).toBe(2);
      await store.shipped();
      expect(manager.diagnostics().residency?.lastHealed?.file).toBe(path);
      await log.append(entriesOf(12, 12));
      await manager.checkpoint();
      expect(manager.diagnostics().recordLogs.chunks).toBe(1);
      expect(await indexes(log)).toEqual(upTo(12));
      await manager.close();
    }));

  test("is in the sink only is fetched to be carried over, and left alone while the sink does not answer", () =>
    alone(async (store) => {
      const manager = await store.open({ hasSink: true, ...NO_ROOM });
      const log = await inSmallChunk(manager, 70);
      await store.shipped();
      await manager.checkpoint();
      expect(store.chunks).toEqual([]);
      store.service.faults.state.down = true;
      await log.append(entriesOf(71, 71));
      await manager.checkpoint();
      const { asked } = store;
      expect(asked).toBeGreaterThan(0);
      await log.append(entriesOf(72, 72));
      await manager.checkpoint();
      expect(store.asked).toBe(asked);
      expect(manager.diagnostics().log.pinned).toEqual([]);
      store.service.faults.state.down = false;
      await store.world.start().clock.sleep(LEFT_MS);
      await log.append(entriesOf(73, 73));
      await manager.checkpoint();
      expect(manager.diagnostics().recordLogs.chunks).toBe(1);
      expect(await indexes(log)).toEqual(upTo(73));
      await manager.close();
    }));

  test("was found to be damaged while the sink is away keeps no checkpoint waiting for that twice", () =>
    alone(async (store) => {
      const manager = await store.open({ hasSink: true });
      const log = await inSmallChunk(manager, 60);
      await store.shipped();
      const [path = ""] = store.chunks;
      store.flip(path, IN_SECOND_BLOCK);
      store.service.faults.state.down = true;
      const away = { code: "BOP_SINK_UNAVAILABLE" };
      await expect(log.read({ from: 50n })).rejects.toMatchObject(away);
      await log.append(entriesOf(61, 61));
      await manager.checkpoint();
      await log.append(entriesOf(62, 62));
      const { nowMs } = store.world;
      await manager.checkpoint();
      // In this world time passes where somebody waits for a service.
      expect(store.world.nowMs - nowMs).toBeLessThan(FETCH_MS_MIN);
      store.service.faults.state.down = false;
      await store.world.start().clock.sleep(LEFT_MS);
      expect(await indexes(log)).toEqual(upTo(62));
      await manager.close();
    }));
});
