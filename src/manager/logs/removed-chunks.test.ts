/** Files of record chunks that went: nobody holds them open, so that the disk has their room again. */
import { beforeEach, expect, test } from "vitest";
import type { RecordLog } from "../../record-log/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import type { Manager } from "../manager.ts";
import { entriesOf, LogsOnDisk } from "./logs-on-disk.fixture.ts";

const ENTRIES = 70;
/** Less than the chunk takes. */
const NO_ROOM = { limits: { diskBytes: 64 * 1024 } };

beforeEach(() => prepareEngines("sqlite", 4));

const WAYS: Readonly<Record<string, (manager: Manager, log: RecordLog) => Promise<unknown>>> = {
  "was compacted": (_, log) => log.compactPrefix(BigInt(ENTRIES)),
  "was carried over": (_, log) => log.append(entriesOf(ENTRIES + 1, ENTRIES + 1)),
  "was of a log that is dropped": (manager) => manager.dropLog("raft"),
};

const CASES = Object.keys(WAYS).flatMap((way) => [[way, false] as const, [way, true] as const]);

const openChunks = ({ openFiles }: LogsOnDisk) =>
  openFiles.filter((path) => path.endsWith(".chunk"));

test.each(CASES)("the file of a chunk that %s is open no more (a sink: %s)", (way, hasSink) => {
  const store = new LogsOnDisk(6);
  return store.world.run(async () => {
    const manager = await store.open({ hasSink });
    const log = await manager.log("raft");
    await log.append(entriesOf(1, ENTRIES));
    await manager.checkpoint();
    const [path = ""] = store.chunks;
    await log.read({ from: 1n });
    expect(openChunks(store)).toEqual([path]);
    await WAYS[way]?.(manager, log);
    await manager.checkpoint();
    expect(openChunks(store)).toEqual([]);
    await store.shipped();
    await manager.checkpoint();
    expect(store.chunks).not.toContain(path);
    await manager.close();
  });
});

test("the file of a chunk that the sink has, and the disk no room for, is open no more", () => {
  const store = new LogsOnDisk(7);
  return store.world.run(async () => {
    const manager = await store.open({ hasSink: true, ...NO_ROOM });
    const log = await manager.log("raft");
    await log.append(entriesOf(1, ENTRIES));
    await manager.checkpoint();
    await log.read({ from: 1n });
    expect(openChunks(store)).toEqual(store.chunks);
    await store.shipped();
    await manager.checkpoint();
    expect(store.chunks).toEqual([]);
    expect(openChunks(store)).toEqual([]);
    expect(await log.read({ from: 1n })).toHaveLength(ENTRIES);
    await manager.close();
  });
});
