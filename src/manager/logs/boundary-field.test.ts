/** The field that a boundary keeps of its entry, whatever of the log is in memory. */
import { describe, expect, test } from "vitest";
import { present } from "../../base/assert.ts";
import { type SimulatedDisk, simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import type { LogChange, RecordLog } from "../../record-log/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import { Manager } from "../manager.ts";

const FIELD = Uint8Array.of(5);
const NO_FIELD = new Uint8Array(0);
/** Five of them make a chunk that no checkpoint carries over, since that would have to read it. */
const PAYLOAD_BYTES = 30_000;

interface Checkpointed {
  readonly log: RecordLog;
  readonly manager: Manager;
  readonly disk: SimulatedDisk;
  readonly damage: () => void;
}

/** Entries 1 to 5 lie in a chunk; with a cache, in memory as well. */
async function checkpointed(
  logCacheBytes: number,
  work: (it: Checkpointed) => Promise<void>,
): Promise<void> {
  await prepareEngines("sqlite", 1);
  const world = simulatedWorld({ seed: 5 });
  const env = world.start();
  const openKeyValueStore = memoryStores(world.random.fork()).openerFor(env);
  const given = { directory: "/store", env, openKeyValueStore, segmentBytes: 2 ** 20 };
  const damage = () => {
    for (const path of world.disk.files(/chunks/)) {
      const { length } = present(world.disk.contents(path), "a file that is listed");
      world.disk.replace(path, new Uint8Array(length).fill(0xee));
    }
  };
  await world.run(async () => {
    const manager = await Manager.open({ ...given, logCacheBytes });
    const log = await manager.log("raft");
    const payload = new Uint8Array(PAYLOAD_BYTES);
    const entry = (index: bigint) => ({ term: 1n, index, field: FIELD, payload });
    await log.append([1n, 2n, 3n, 4n, 5n].map(entry));
    await manager.checkpoint();
    await work({ log, manager, disk: world.disk, damage });
    await manager.close();
  });
}

const REMOVING: readonly LogChange[] = [
  { clear: true, compact: { upToIndex: 5n, term: 1n } },
  { truncateAfter: 3n, compact: { upToIndex: 5n, term: 2n } },
  { truncateAfter: "all", compact: { upToIndex: 5n, term: 2n } },
];

describe.each([
  ["in memory", 1_000_000],
  ["in a chunk only", 0],
])("a boundary whose entry is %s", (_, cacheBytes) => {
  test.each(REMOVING)("has no field if the change removes that entry first: %o", (change) =>
    checkpointed(cacheBytes, async ({ log }) => {
      await log.commit(change);
      expect(log.boundary).toMatchObject({ index: 5n, field: NO_FIELD });
    }),
  );

  test("keeps its field if the change removes only what is behind it", () =>
    checkpointed(cacheBytes, async ({ log }) => {
      await log.commit({ truncateAfter: 3n, compact: { upToIndex: 3n } });
      expect(log.boundary).toEqual({ index: 3n, term: 1n, field: FIELD });
    }));
});

test("a boundary keeps its field though its entry leaves memory while another's is read", () =>
  checkpointed(0, async ({ log, manager, disk }) => {
    const other = await manager.log("other");
    await other.append([{ term: 1n, index: 1n, field: FIELD, payload: NO_FIELD }]);
    disk.hangNext({ operation: "read", pathPattern: /chunks/, ms: 10_000 });
    const members = [
      { log: other, compact: { upToIndex: 1n } },
      { log, compact: { upToIndex: 5n } },
    ];
    const compacting = manager.commitLogs(members);
    await manager.checkpoint();
    expect(manager.diagnostics().recordLogs).toMatchObject({ unstoredBytes: 0, cachedBytes: 0 });
    expect(other.boundary).toBeUndefined();
    await compacting;
    expect(log.boundary?.field).toEqual(FIELD);
    expect(other.boundary?.field).toEqual(FIELD);
  }));

test("a log whose chunk is damaged begins anew behind a snapshot: what goes is not read", () =>
  checkpointed(0, async ({ log, manager, damage }) => {
    damage();
    await expect(log.compactPrefix(5n)).rejects.toMatchObject({ code: "BOP_CORRUPT" });
    const [snapshotMeta, compact] = [Uint8Array.of(1), { upToIndex: 5n, term: 2n }];
    await manager.commitLogs([{ log, clear: true, compact, snapshotMeta }]);
    expect(log.boundary).toEqual({ index: 5n, term: 2n, field: NO_FIELD });
    const beyond = { upToIndex: 7n, term: 3n };
    await log.commit({ truncateAfter: "all", compact: beyond });
    expect(log.boundary).toMatchObject({ index: 7n });
  }));
