/** Restores that are cut off, and buckets that are not what they were. */
import { describe, expect, test } from "vitest";
import { verifyStore } from "../manager/index.ts";
import type { KeyValueStore } from "../manifest/index.ts";
import {
  CountedStore,
  ForwardingStore,
  type ListOptions,
  type ListPage,
  PREFIXES,
} from "../sink/index.ts";
import { RestoreRig } from "./restored.fixture.ts";

/** Its lists tell of no writer: there is no checksum in them. */
class Forgetful extends ForwardingStore {
  override async list(prefix: string, options?: ListOptions): Promise<ListPage> {
    const page = await super.list(prefix, options);
    return prefix === PREFIXES.epoch ? { ...page, objects: [] } : page;
  }

  protected override around<T>(_call: unknown, send: () => Promise<T>): Promise<T> {
    return send();
  }
}

const TABLE = "create table t (id integer primary key, body text)";

async function shippedRig(seed: number): Promise<RestoreRig> {
  const rig = new RestoreRig(seed);
  const manager = await rig.open();
  await rig.run(async () => {
    const one = await manager.database("one");
    await one.exec(`${TABLE}; insert into t (body) values ('first')`);
    await manager.checkpoint();
    await one.exec("insert into t (body) values ('second')");
  });
  rig.kill();
  await rig.ship();
  return rig;
}

describe("a restore that is cut off", () => {
  // evidence: G37
  test("is no store at any step, and begins again to the same end", async () => {
    const rig = await shippedRig(31);
    const before = rig.world.disk.changeCount;
    await rig.restore("/whole");
    const steps = rig.world.disk.changeCount - before;
    expect(steps).toBeGreaterThan(20);
    let cuts = 0;
    for (let step = 1; step < steps; step += 1) {
      const directory = `/cut-${step}`;
      rig.world.disk.crashAt(step, step % 3 === 0 ? "kill" : "power");
      await rig.restore(directory).catch(() => undefined);
      if (rig.world.alive) {
        rig.world.disk.crashAt(1e9, "kill"); // It was over before.
        continue;
      }
      cuts += 1;
      rig.env = rig.world.start();
      await rig.restore(directory).catch((error: unknown) => {
        // The marker was gone: it was a store already.
        expect(error).toMatchObject({ code: "BOP_EXISTS" });
        expect(step).toBe(steps - 1);
      });
      const openKeyValueStore = rig.stores.openerFor(rig.env);
      const { env } = rig;
      const report = await rig.run(() => verifyStore({ env, directory, openKeyValueStore }));
      expect(report.findings, `cut off at step ${step}`).toEqual([]);
    }
    expect(cuts).toBeGreaterThan(steps / 2);
    const manager = await rig.open("/cut-7");
    expect(await rig.contentOf(manager)).toMatchObject({ one: { rows: [{ id: 1 }, { id: 2 }] } });
    await rig.run(() => manager.close());
  });

  // evidence: G37
  test("is refused as a store until it is done", async () => {
    const rig = await shippedRig(32);
    const signal = AbortSignal.abort();
    await expect(rig.restore("/half", { signal })).rejects.toThrow();
    const { env } = rig;
    expect(await rig.run(() => env.storage.stat("/half/restoring"))).toBeDefined();
    await expect(rig.open("/half")).rejects.toMatchObject({ code: "BOP_CORRUPT" });
    await rig.restore("/half");
    const manager = await rig.open("/half");
    await rig.run(() => manager.close());
  });
});

describe("a restore that fails", () => {
  // evidence: G37
  test("has nothing of its manifest open any more, also at its last step", async () => {
    const rig = await shippedRig(34);
    const { stores, env } = rig;
    const cut = new AbortController();
    const handles: KeyValueStore[] = [];
    const openKeyValueStore = async (place: string) => {
      const handle = await stores.openerFor(env)(place);
      if (place.endsWith("/manifest")) handles.push(handle);
      if (handles.length === 2) cut.abort(); // The rows are there.
      return handle;
    };
    const { signal } = cut;
    await expect(rig.restore("/there", { openKeyValueStore, signal })).rejects.toThrow();
    expect(handles).toHaveLength(2);
    for (const handle of handles) expect(() => handle.get(Uint8Array.of(1))).toThrow("closed");
    await rig.restore("/there");
  });
});

describe("a bucket that is not what it was", () => {
  test("is restored, though a list leaves out who has written there", async () => {
    const rig = await shippedRig(35);
    await rig.restore("/listed", { objects: new CountedStore(new Forgetful(rig.objects())) });
    const manager = await rig.open("/listed");
    expect(await rig.contentOf(manager)).toMatchObject({ one: { rows: [{ id: 1 }, { id: 2 }] } });
    await rig.run(() => manager.close());
  });

  // evidence: G37
  test("whatever object is missing or damaged is named, and no store is made", async () => {
    for (const prefix of ["wal/", "manifest/", "chunks/", "store.json"]) {
      for (const damage of ["missing", "flipped"] as const) {
        const rig = await shippedRig(33);
        const objects = rig.objects();
        const key = await rig.run(async () => {
          const [first] = (await objects.list(prefix)).objects;
          const found = first && (await objects.get(first.key));
          if (found === undefined) throw new Error(`nothing under ${prefix}`);
          await objects.delete(found.info.key);
          const bytes = found.bytes.slice();
          bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
          const putId = "0".repeat(32);
          if (damage === "flipped") await objects.put(found.info.key, bytes, { putId });
          return found.info.key;
        });
        const error = await rig.restore("/no").catch((thrown: unknown) => thrown);
        if (!(error instanceof Error)) {
          // Without a state the log from its beginning is enough.
          expect(`${prefix} ${damage}`).toBe("manifest/ missing");
          continue;
        }
        const named = [key, "cannot give back", "holds no store", "belongs to another store"];
        expect(
          named.some((text) => error.message.includes(text)),
          error.message,
        ).toBe(true);
        const refused = await rig.run(() => rig.env.storage.stat("/no/superblock"));
        expect(refused).toBeUndefined();
      }
    }
  });
});
