import { describe, expect, test } from "vitest";
import { StorageError } from "../base/errors.ts";
import { seeded, systemEnv } from "../io/index.ts";
import type { ObjectStore } from "./object-store.ts";
import { assertFit, probe } from "./probe.ts";
import { simulatedService } from "./simulated/service.ts";
import { SimulatedStore } from "./simulated/simulated-store.ts";

/** A service that is wrong in one way, on top of one that is right. */
function wrong(change: (right: ObjectStore) => Partial<ObjectStore>): ObjectStore {
  const { clock } = systemEnv({ scratchDirectory: "/tmp" });
  const right = new SimulatedStore({ service: simulatedService(1), clock });
  const all: ObjectStore = {
    location: right.location,
    put: (key, body, options) => right.put(key, body, options),
    putIfAbsent: (key, body, options) => right.putIfAbsent(key, body, options),
    get: (key, options) => right.get(key, options),
    head: (key, options) => right.head(key, options),
    list: (prefix, options) => right.list(prefix, options),
    delete: (key, options) => right.delete(key, options),
    close: () => right.close(),
  };
  return { ...all, ...change(right) };
}

const random = seeded(1);
const failedOf = async (store: ObjectStore) => {
  const { findings } = await probe(store, { random });
  return findings.filter(({ passed }) => !passed).map(({ name }) => name);
};

describe("the probe of a sink", () => {
  test("finds one that does what is asked fit", async () => {
    const report = await probe(
      wrong(() => ({})),
      { random },
    );
    expect(report.findings.map(({ name }) => name)).toEqual([
      "stored",
      "create-if-absent",
      "ranges",
      "deleted",
    ]);
    expect(() => assertFit(report)).not.toThrow();
  });

  test("finds one that ignores the condition of a put unfit, and says what would follow", async () => {
    const store = wrong((right) => ({
      async putIfAbsent(key, body, options) {
        await right.put(key, body, options);
        return { type: "created" };
      },
    }));
    const report = await probe(store, { random });
    expect(report.fit).toBe(false);
    expect(() => assertFit(report)).toThrow("nothing would keep two machines apart");
  });

  test("finds one that lets several of a race win unfit, though it refuses those who come later", async () => {
    const store = wrong((right) => ({
      async putIfAbsent(key, body, options) {
        const there = await right.head(key);
        if (there !== undefined) return right.putIfAbsent(key, body, options);
        await right.put(key, body, options);
        return { type: "created" };
      },
    }));
    expect(await failedOf(store)).toEqual(["create-if-absent"]);
  });

  test.each([
    [
      "metadata is lost",
      "stored",
      (right: ObjectStore): Partial<ObjectStore> => ({
        async head(key) {
          const info = await right.head(key);
          return info && { ...info, putId: undefined };
        },
      }),
    ],
    [
      "ranges are ignored",
      "ranges",
      (right: ObjectStore): Partial<ObjectStore> => ({
        get: (key) => right.get(key),
      }),
    ],
    [
      "nothing is deleted",
      "deleted",
      (): Partial<ObjectStore> => ({ delete: async () => undefined }),
    ],
    [
      "lists stay empty",
      "stored",
      (): Partial<ObjectStore> => ({
        list: async () => ({ objects: [], next: undefined }),
      }),
    ],
  ] as const)("where %s reports '%s'", async (_what, name, change) => {
    expect(await failedOf(wrong(change))).toContain(name);
  });

  test.each([
    ["reads", 3],
    ["puts", 3],
  ] as const)(
    "does not judge a place by %s that were damaged on their way",
    async (what, times) => {
      const random = seeded(7);
      let left: number = times;
      const store = wrong((right) => ({
        async put(key, body, options) {
          const isDamaged = what === "puts" && left-- > 0;
          const sent = isDamaged ? body.map((byte) => byte ^ 1) : body;
          await right.put(key, sent, options);
        },
        async get(key, options) {
          const found = await right.get(key, options);
          const isWhole = options?.range === undefined;
          const isDamaged = what === "reads" && isWhole && left-- > 0;
          const isWrong = what === "puts" && isWhole && left >= 0;
          if (!isDamaged && !isWrong) return found;
          const store = right.location;
          throw new StorageError("BOP_SINK_CORRUPT", "damaged", {
            details: { store, key, why: "" },
          });
        },
      }));
      expect((await probe(store, { random })).fit).toBe(true);
      left = Number.POSITIVE_INFINITY;
      const refused = await probe(store, { random }).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: "BOP_SINK_CORRUPT" });
    },
  );

  test("where compare-and-swap is missing reports that, and finds it fit", async () => {
    const store = wrong(() => ({
      inspect: async () => ({ compareAndSwap: "no", refusesDamage: false }) as const,
    }));
    const report = await probe(store, { random });
    expect(report.fit).toBe(true);
    expect(report.findings.filter(({ passed }) => !passed)).toHaveLength(2);
  });
});
