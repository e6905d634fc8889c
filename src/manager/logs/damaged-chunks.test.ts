/** Chunks of record logs that are damaged on this disk, and read all the same. */
import { beforeEach, describe, expect, test } from "vitest";
import type { RecordLog } from "../../record-log/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import type { Manager } from "../manager.ts";
import { entriesOf, entryOf, LogsOnDisk } from "./logs-on-disk.fixture.ts";

/** In several blocks, which are not fetched at once. */
const ENTRIES = 150;
const IN_FIRST_BLOCK = 5000;
const IN_LAST_BLOCK = 140_000;

beforeEach(() => prepareEngines("sqlite", 4));

interface Shipped {
  readonly store: LogsOnDisk;
  readonly manager: Manager;
  readonly log: RecordLog;
  readonly path: string;
}

/** A log whose entries lie in a chunk only, which is in the bucket, too. */
const shipped = (work: (shipped: Shipped) => Promise<void>) => {
  const store = new LogsOnDisk(3);
  return store.world.run(async () => {
    const manager = await store.open({ hasSink: true });
    const log = await manager.log("raft");
    await log.append(entriesOf(1, ENTRIES));
    await manager.checkpoint();
    await store.shipped();
    const [path = ""] = store.chunks;
    await work({ store, manager, log, path });
    await manager.close();
  });
};

async function payloads(log: RecordLog): Promise<(number | undefined)[]> {
  const found = await log.read({ from: 1n });
  return found.map(({ payload }) => payload[0]);
}

const WRITTEN = entriesOf(1, ENTRIES).map(({ payload }) => payload[0]);

const DAMAGES: Readonly<Record<string, (of: Shipped) => unknown>> = {
  "a flipped bit in a block": ({ store, path }) => store.flip(path, IN_LAST_BLOCK),
  "a flipped bit in its header": ({ store, path }) => store.flip(path, 9),
  "a flipped bit in its directory": ({ store, path }) =>
    store.flip(path, store.contents(path).length - 50),
  zeros: ({ store, path }) => store.world.disk.replace(path, new Uint8Array(60_000)),
  "an end that is missing": ({ store, path }) =>
    store.world.disk.replace(path, store.contents(path).slice(0, 40_000)),
  "no file": ({ store, path }) => store.world.start().storage.unlink(path),
  "reads that fail": ({ store }) =>
    store.world.disk.failNext({ operation: "read", pathPattern: /\.chunk$/, times: 3 }),
  "a file that is not opened": ({ store }) =>
    store.world.disk.failNext({ operation: "open", pathPattern: /\.chunk$/ }),
};

describe("a chunk of a record log that is damaged here", () => {
  // evidence: G39
  test.each(Object.keys(DAMAGES))("with %s is served from the sink, and made whole", (damage) =>
    shipped(async (of) => {
      const { store, manager, log, path } = of;
      const before = store.contents(path);
      await DAMAGES[damage]?.(of);
      expect(await payloads(log)).toEqual(WRITTEN);
      await store.shipped();
      expect(Buffer.compare(store.contents(path), before)).toBe(0);
      expect(manager.diagnostics().residency).toMatchObject({
        healedChunks: 1,
        lastHealed: { file: path },
      });
    }),
  );

  test("serves its sound blocks while the sink does not answer, and who needs others hears of the sink", () =>
    shipped(async ({ store, log, path }) => {
      store.flip(path, IN_LAST_BLOCK);
      store.service.faults.state.down = true;
      await expect(payloads(log)).rejects.toMatchObject({ code: "BOP_SINK_UNAVAILABLE" });
      const [first] = await log.read({ from: 1n, to: 2n });
      expect(first).toMatchObject(entryOf(1));
      store.service.faults.state.down = false;
      expect(await payloads(log)).toEqual(WRITTEN);
    }));

  test("and in the sink fails who needs the damaged block, and nobody else", () =>
    shipped(async ({ store, log, path }) => {
      store.flip(path, IN_FIRST_BLOCK);
      store.flipObjects(IN_FIRST_BLOCK);
      await expect(payloads(log)).rejects.toMatchObject({ code: "BOP_SINK_CORRUPT" });
      await expect(payloads(log)).rejects.toMatchObject({
        code: "BOP_CORRUPT",
        details: { file: path, why: expect.stringContaining("in the bucket") },
      });
      expect(await log.read({ from: 140n })).toHaveLength(11);
    }));
});

test("entries that are only in the sink are refused with its own word while it does not answer", async () => {
  const store = new LogsOnDisk(4);
  await store.world.run(async () => {
    const manager = await store.open({ hasSink: true });
    await (await manager.log("raft")).append(entriesOf(1, ENTRIES));
    await manager.checkpoint();
    await store.shipped();
    await manager.close();
    const { storage } = store.world.start();
    for (const path of store.chunks) await storage.unlink(path);
    const again = await store.open({ hasSink: true });
    const log = await again.log("raft");
    store.service.faults.state.down = true;
    await expect(payloads(log)).rejects.toMatchObject({ code: "BOP_SINK_UNAVAILABLE" });
    store.service.faults.state.down = false;
    expect(await payloads(log)).toEqual(WRITTEN);
    await again.close();
  });
});
