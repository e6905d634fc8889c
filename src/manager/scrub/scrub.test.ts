/** Stores whose disk, or bucket, is damaged while nobody looks: what a pass finds, and what it heals. */
import { describe, expect, test } from "vitest";
import { inspectSuperblock } from "../../page-store/index.ts";
import type { Manager } from "../manager.ts";
import { countOf, fill, ScrubbedStore } from "./scrub.fixture.ts";

const ALONE = { hasSink: false } as const;
const SHIPPED = { hasSink: true } as const;
const ROWS = 250;
/** Everything is in the bucket by then. */
const SHIPPED_MS = 3000;

/** Chunks, sealed segments and history, and all of it in the bucket if there is one. */
async function settled(store: ScrubbedStore, manager: Manager): Promise<void> {
  await fill(manager, ROWS);
  await manager.checkpoint();
  await fill(manager, ROWS);
  await store.sleep(SHIPPED_MS);
}

async function shipped(store: ScrubbedStore, manager: Manager): Promise<void> {
  await manager.checkpoint();
  await store.sleep(SHIPPED_MS);
}

/** `what: outcome`. */
async function outcomes(manager: Manager): Promise<string[]> {
  const { findings } = await manager.scrub({ maxBytesPerSecond: 2 ** 30 });
  return findings.map(({ what, outcome }) => `${what}: ${outcome}`);
}

describe("a pass over a store that is whole", () => {
  // evidence: G44
  test("reads every chunk, segment and object, and finds nothing", async () => {
    const store = new ScrubbedStore(1);
    await store.live(SHIPPED, async (manager) => {
      await settled(store, manager);
      const report = await manager.scrub();
      expect(report.findings).toEqual([]);
      expect(report.isSound).toBe(true);
      expect(report.checked.chunks).toBeGreaterThan(0);
      expect(report.checked.segments).toBeGreaterThan(0);
      expect(report.checked.objects).toBe(store.keys("").length);
      expect(report.checked.databases).toEqual(["notes"]);
      const { scrub } = manager.diagnostics();
      expect(scrub.local.lastGoodAt).toBeDefined();
      expect(scrub.remote?.lastGoodAt).toBeDefined();
      expect(scrub.samples).toMatchObject({ goodDatabases: 1 });
    });
  });
});

describe("damage on the disk of a store without a sink", () => {
  // evidence: G44
  test("is found in a chunk, and told with the database that it hurts", async () => {
    const store = new ScrubbedStore(2);
    await store.live(ALONE, async (manager) => {
      await settled(store, manager);
      const [chunk = ""] = await store.files("chunks");
      store.damageFile(chunk, 9000);
      const { findings, isSound } = await manager.scrub();
      expect(isSound).toBe(false);
      expect(findings).toMatchObject([
        { what: chunk, outcome: "reported", databases: ["notes"], part: "local" },
      ]);
      expect(manager.diagnostics().scrub.local).toMatchObject({ lastGoodAt: undefined });
      expect(manager.diagnostics().scrub.local.problem).toContain(chunk);
    });
  });

  // evidence: G44
  test("is found in a sealed segment and in its header, and no start needs it any more", async () => {
    for (const at of [20, 4200]) {
      const store = new ScrubbedStore(3);
      await store.live(ALONE, async (manager) => {
        await settled(store, manager);
        const { inflight } = manager.diagnostics().log;
        const { sequence = 0 } = inflight.find(({ state }) => state === "sealed") ?? {};
        const file = `wal/${sequence.toString(16).padStart(16, "0")}.wal`;
        store.damageFile(file, at);
        expect(await outcomes(manager)).toEqual([`${file}: reported`]);
      });
      await store.live(ALONE, async (manager) => {
        expect(await countOf(await manager.database("notes"))).toBe(2 * ROWS);
      });
    }
  });

  // evidence: G44
  test("is mended in a copy of the superblock and in the mirror", async () => {
    const store = new ScrubbedStore(4);
    await store.live(ALONE, async (manager) => {
      await settled(store, manager);
      store.damageFile("superblock", 3 * 4096 + 40);
      store.damageFile("manifest.mirror", 100);
      expect(await outcomes(manager)).toEqual(["superblock: healed", "manifest.mirror: healed"]);
      const { copies } = inspectSuperblock(store.contents("superblock"));
      expect(copies.filter(({ superblock }) => superblock === undefined)).toEqual([]);
      expect(await outcomes(manager)).toEqual([]);
    });
  });

  test("is not seen in a superblock that a slow device has not written to its end", async () => {
    const store = new ScrubbedStore(25);
    await store.live(ALONE, async (manager) => {
      await settled(store, manager);
      store.world.disk.hangNext({ operation: "sync", pathPattern: /superblock$/, ms: 5000 });
      const written = manager.checkpoint();
      await store.sleep(1000);
      const copies = () => inspectSuperblock(store.contents("superblock")).copies;
      const sequences = () => new Set(copies().map(({ superblock }) => superblock?.sequence));
      expect(sequences().size).toBe(2);
      expect(await outcomes(manager)).toEqual([]);
      expect(sequences().size).toBe(2); // It hangs still.
      await written;
      expect(sequences().size).toBe(1);
    });
  });

  test("is not seen in a store that changes while it is read", async () => {
    const store = new ScrubbedStore(5);
    await store.live({ ...ALONE, historyMs: 0 }, async (manager) => {
      await settled(store, manager);
      let isOver = false;
      const working = (async () => {
        while (!isOver) {
          const notes = await fill(manager, 20);
          await manager.checkpoint();
          await notes.exec("delete from note where id % 3 = 0");
          await store.sleep(10);
        }
      })();
      for (let n = 0; n < 3; n++) {
        const report = await manager.scrub({ maxBytesPerSecond: 2 ** 23 });
        expect(report.findings).toEqual([]);
      }
      isOver = true;
      await working;
    });
  });
});

describe("damage on the disk of a store that ships", () => {
  // evidence: G44
  test("is healed from the sink, in chunks and in segments, and what is read is what was written", async () => {
    const store = new ScrubbedStore(6);
    await store.live(SHIPPED, async (manager) => {
      await settled(store, manager);
      const [chunk = ""] = await store.files("chunks");
      const { inflight } = manager.diagnostics().log;
      const { sequence = 0 } = inflight.find(({ state }) => state !== "active") ?? {};
      const segment = `wal/${sequence.toString(16).padStart(16, "0")}.wal`;
      const [chunkBytes, segmentBytes] = [store.contents(chunk), store.contents(segment)];
      store.damageFile(chunk, 9000);
      store.damageFile(segment, 20);
      expect(await outcomes(manager)).toEqual([`${segment}: healed`, `${chunk}: healed`]);
      expect(Buffer.compare(store.contents(chunk), chunkBytes)).toBe(0);
      expect(store.contents(segment).length).toBe(segmentBytes.length);
      expect(await outcomes(manager)).toEqual([]);
      expect(await countOf(await manager.database("notes"))).toBe(2 * ROWS);
    });
    await store.live(SHIPPED, async (manager) => {
      expect(await countOf(await manager.database("notes"))).toBe(2 * ROWS);
    });
  });
});

describe("damage in the sink", () => {
  // evidence: G44
  test("is healed in chunks and in the log, under their keys and with their bodies", async () => {
    const store = new ScrubbedStore(7);
    await store.live(SHIPPED, async (manager) => {
      await settled(store, manager);
      await shipped(store, manager);
      const keys = [...store.keys("chunks/").slice(0, 1), ...store.keys("wal/").slice(0, 2)];
      const bodies = keys.map((key) => store.service.bucket.find(key, store.world.nowMs)?.body);
      for (const key of keys) store.damageObject(key, 100);
      expect(await outcomes(manager)).toEqual(keys.map((key) => `${key}: healed`));
      for (const [index, key] of keys.entries()) {
        const body = store.service.bucket.find(key, store.world.nowMs)?.body;
        expect(Buffer.compare(body ?? Buffer.of(), bodies[index] ?? Buffer.of())).toBe(0);
      }
      expect(await outcomes(manager)).toEqual([]);
    });
  });

  // evidence: G44
  test("is healed where a chunk is missing", async () => {
    const store = new ScrubbedStore(8);
    await store.live(SHIPPED, async (manager) => {
      await settled(store, manager);
      await shipped(store, manager);
      const [key = ""] = store.keys("chunks/");
      store.service.bucket.delete(key, store.world.nowMs);
      expect(await outcomes(manager)).toEqual([`${key}: healed`]);
      expect(store.keys("chunks/")).toContain(key);
    });
  });

  // evidence: G44
  test("is told where rows of states are damaged, and the next state needs none of them", async () => {
    const store = new ScrubbedStore(9);
    await store.live(SHIPPED, async (manager) => {
      await settled(store, manager);
      await shipped(store, manager);
      const [key = ""] = store.keys("manifest/");
      store.damageObject(key, 600);
      const found = await manager.scrub({ parts: ["remote"] });
      expect(found.findings).toMatchObject([{ what: key, outcome: "reported" }]);
      await store.sleep(5000);
      const { checked, findings } = await manager.scrub({ parts: ["sample"] });
      expect({ findings, databases: checked.databases }).toEqual({
        findings: [],
        databases: ["notes"],
      });
    });
  });
});

describe("a database that is restored to try it", () => {
  // evidence: G44
  test("tells of what only the whole chain shows, and when it was last found whole", async () => {
    const store = new ScrubbedStore(10);
    await store.live(SHIPPED, async (manager) => {
      await settled(store, manager);
      await shipped(store, manager);
      await manager.database("other");
      await shipped(store, manager);
      const first = await manager.scrub({ parts: ["sample"], database: "notes" });
      expect(first).toMatchObject({ isSound: true, checked: { databases: ["notes"] } });
      for (const key of store.keys("chunks/")) {
        store.service.bucket.delete(key, store.world.nowMs);
      }
      const second = await manager.scrub({ parts: ["sample"], database: "notes" });
      expect(second).toMatchObject({
        isSound: false,
        findings: [{ part: "sample", what: "notes" }],
      });
      const { samples } = manager.diagnostics().scrub;
      expect(samples?.oldest.map(({ name }) => name)).toEqual(["other", "notes"]);
      expect(samples?.oldest[1]?.problem).toContain("chunks/");
      expect(samples?.oldest[1]?.lastGoodAt).toBeDefined();
    });
  });
});

describe("scrubbing in the background", () => {
  const SCRUB = { localEveryMs: 600_000, remoteEveryMs: 600_000, sampleEveryMs: 600_000 };

  // evidence: G44
  test("finds damage within one interval, and goes on where it was when the store is reopened", async () => {
    const store = new ScrubbedStore(11);
    const scrub = { ...SCRUB, localEveryMs: 200_000, remoteEveryMs: 200_000 };
    let damaged: string[] = [];
    await store.live({ ...SHIPPED, scrub }, async (manager) => {
      await settled(store, manager);
      await shipped(store, manager);
      await store.sleep(100_000);
      const { scrub } = manager.diagnostics();
      expect(scrub.local.done).toBeGreaterThan(0);
      expect(scrub.local.done).toBeLessThan(0.8);
      expect(scrub.findings).toEqual([]);
      const files = await store.files("chunks");
      damaged = [files.at(-1) ?? "", store.keys("wal/").at(-1) ?? ""];
    });
    store.damageFile(damaged[0] ?? "", 9000);
    store.damageObject(damaged[1] ?? "", 100);
    await store.live({ ...SHIPPED, scrub }, async (manager) => {
      await store.sleep(61_000);
      const { scrub } = manager.diagnostics();
      expect(scrub.local.done).toBeGreaterThan(0.2); // It did not begin anew.
      await store.sleep(250_000);
      const found = manager.diagnostics().scrub.findings.map(({ what }) => what);
      expect(found.sort()).toEqual(damaged.sort());
    });
  });

  test("does nothing in a store that is open for less than a minute, nor where it is off", async () => {
    const store = new ScrubbedStore(12);
    const off = { localEveryMs: 0, remoteEveryMs: 0, sampleEveryMs: 0 };
    await store.live({ ...SHIPPED, scrub: off }, async (manager) => {
      await settled(store, manager);
      await store.sleep(3_600_000);
      expect(manager.diagnostics().scrub).toMatchObject({ readBytes: 0, findings: [] });
    });
    await store.live({ ...SHIPPED, scrub: SCRUB }, async (manager) => {
      await store.sleep(59_000);
      expect(manager.diagnostics().scrub).toMatchObject({ readBytes: 0 });
    });
  });

  test("waits while the sink is away, and tells of no damage for it", async () => {
    const store = new ScrubbedStore(13);
    await store.live({ ...SHIPPED, scrub: SCRUB }, async (manager) => {
      await settled(store, manager);
      await shipped(store, manager);
      store.service.faults.state.down = true;
      await store.sleep(1_200_000);
      expect(manager.diagnostics().scrub.findings).toEqual([]);
      store.service.faults.state.down = false;
      await store.sleep(2_400_000);
      expect(manager.diagnostics().scrub.findings).toEqual([]);
      expect(manager.diagnostics().scrub.remote?.lastGoodAt).toBeDefined();
    });
  });
});
