import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { simulatedEnv } from "../../io/index.ts";
import { bucketKey, SimulatedStore, simulatedService } from "../../sink/index.ts";
import { SegmentIndexBuilder } from "../../wal/index.ts";
import { encodeLogObject } from "../format/log-object.ts";
import { encodeManifestObject } from "../format/manifest-object.ts";
import { Bucket, readBucketIdentity } from "./bucket.ts";
import { claimEpoch } from "./claim-epoch.ts";
import { NumberedWriter } from "./numbered-writer.ts";
import { surveyLineage, takeOver } from "./take-over.ts";

const STORE_ID = new Uint8Array(16).fill(7);
const WALL_MS = 1_767_225_600_000;

interface Place {
  readonly env: Env;
  readonly service: ReturnType<typeof simulatedService>;
  readonly bucket: Bucket;
  readonly dice: { readonly random: Env["random"]; readonly wallMs: number };
}

function inBucket(program: (place: Place) => Promise<void>): Promise<void> {
  const { world, env } = simulatedEnv({ seed: 3 });
  const service = simulatedService(3);
  const store = new SimulatedStore({ service, clock: env.clock, latencyMsMax: 20 });
  const bucket = new Bucket(store, STORE_ID);
  const dice = { random: env.random, wallMs: WALL_MS };
  return world.run(() => program({ env, service, bucket, dice }));
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

/** A writer whose log is one block for each object. */
class Writer {
  readonly wal: NumberedWriter;
  readonly manifest: NumberedWriter;
  #lsn: number;

  constructor({ bucket, env }: Place, epoch: number, fromLsn = 0) {
    const of = { bucket, epoch, random: env.random };
    this.wal = new NumberedWriter({ ...of, kind: "wal" });
    this.manifest = new NumberedWriter({ ...of, kind: "manifest" });
    this.#lsn = fromLsn;
  }

  body(): Uint8Array {
    const { epoch, number } = this.wal;
    const payload = new Uint8Array(100).fill(epoch);
    const batches = [{ startLsn: this.#lsn, wallMs: WALL_MS, payload }];
    const streams = new SegmentIndexBuilder(this.#lsn);
    const identity = { storeId: STORE_ID, epoch, number };
    return encodeLogObject({ ...identity, gap: false, batches, streams, spilled: [] });
  }

  async ship(): Promise<number> {
    const number = await this.wal.append(this.body());
    this.#lsn += 4096;
    return number;
  }

  async publish(kind: "base" | "batch"): Promise<void> {
    const { epoch, number } = this.manifest;
    const baseNumber = kind === "base" ? number : number - 1;
    const body = encodeManifestObject({
      ...{ kind, storeId: STORE_ID, epoch, number, generation: number, baseNumber, part: 0 },
      ...{ checkpointLsn: 0, maxLsn: this.#lsn, wallMs: WALL_MS, fencedBelow: epoch },
      ...{ walEpoch: epoch, walNumber: Math.max(0, this.wal.number - 1), walEndLsn: this.#lsn },
      ...{ whole: kind === "batch", rows: [] },
    });
    await this.manifest.append(body);
  }
}

describe("a bucket", () => {
  test("is made once, of two who do it at the same time, and is the other store's for ever", () =>
    inBucket(async ({ bucket, dice }) => {
      expect(await readBucketIdentity(bucket.store)).toBeUndefined();
      const other = new Bucket(bucket.store, new Uint8Array(16).fill(8));
      const answers = [bucket.identify(dice), other.identify(dice)].map(codeOf);
      expect((await Promise.all(answers)).sort()).toEqual(["BOP_SINK_FOREIGN", "done"]);
      const again = [bucket.identify(dice), other.identify(dice)].map(codeOf);
      expect(await Promise.all(again)).toEqual(await Promise.all(answers));
    }));

  test("gives each claimant an epoch of its own, and leaves no number out", () =>
    inBucket(async ({ bucket, dice, service, env }) => {
      const claims = Array.from({ length: 9 }, () => claimEpoch(bucket, dice));
      expect((await Promise.all(claims)).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
      const before = service.calls;
      expect(await claimEpoch(bucket, { ...dice, known: 9 })).toBe(10);
      expect(service.calls - before).toBe(2);
      expect(service.bucket.keys(env.clock.monotonicMs()).at(-1)).toBe(
        bucketKey({ kind: "epoch", epoch: 10 }),
      );
    }));

  test("whose object is damaged on the way is read again, and one that stays so is reported", () =>
    inBucket(async (place) => {
      const { bucket, service, env } = place;
      await new Writer(place, 1).ship();
      const at = { kind: "wal", epoch: 1, number: 0 } as const;
      service.faults.failNext({ fault: "damaged", operation: "get" });
      expect((await bucket.header(at)).kind).toBe("log");
      const found = service.bucket.find(bucketKey(at), env.clock.monotonicMs());
      found?.body.fill(0, 50, 60);
      expect(await codeOf(bucket.header(at))).toBe("BOP_SINK_CORRUPT");
    }));
});

describe("a writer", () => {
  // evidence: G30
  test("whose put was not answered knows nothing, until the same body is answered clearly", () =>
    inBucket(async (place) => {
      const { service } = place;
      const writer = new Writer(place, 1);
      const body = writer.body();
      service.faults.failNext({ fault: "timeout-after", operation: "putIfAbsent" });
      expect(await codeOf(writer.wal.append(body))).toBe("BOP_SINK_UNKNOWN");
      expect([writer.wal.number, writer.wal.pending]).toEqual([0, body]);
      expect(await codeOf(writer.wal.append(writer.body()))).toContain("keeps its body");
      expect(await writer.wal.append(body)).toBe(0);
      expect([writer.wal.number, writer.wal.pending]).toEqual([1, undefined]);
    }));

  // evidence: G29
  test("that was replaced hears by whom, at its next number, and ever after", () =>
    inBucket(async (place) => {
      const { bucket, dice } = place;
      const old = new Writer(place, await claimEpoch(bucket, dice));
      await old.ship();
      await old.publish("base");
      await old.publish("batch");
      const epoch = await claimEpoch(bucket, dice);
      const lineage = await takeOver(bucket, { epoch, ...dice });
      expect(lineage).toMatchObject({
        epochs: [{ epoch: 1, walEnd: 1, manifestEnd: 2, shipped: { firstLsn: 0, endLsn: 4096 } }],
        endLsn: 4096,
        unbrokenLsn: 0,
        reachedLsn: 4096,
        lastWal: { epoch: 1, number: 0 },
        newestState: { epoch: 1, number: 1 },
      });
      for (const _ of [1, 2]) {
        expect(await codeOf(old.ship())).toBe("BOP_FENCED");
        expect(await codeOf(old.publish("batch"))).toBe("BOP_FENCED");
      }
      expect(old.wal.fenced?.details).toEqual({ epoch: 1, byEpoch: 2 });
      expect(await new Writer(place, epoch, 4096).ship()).toBe(0);
    }));

  test("that finds its own epoch written by another process stops", () =>
    inBucket(async (place) => {
      const [one, clone] = [new Writer(place, 1), new Writer(place, 1)];
      await one.ship();
      expect(await codeOf(clone.ship())).toBe("BOP_FENCED");
      expect(clone.wal.fenced?.details).toEqual({ epoch: 1, byEpoch: 1 });
    }));
});

describe("a take-over", () => {
  test("knows how far the newest state leads, and that it does not lead over a gap", () =>
    inBucket(async (place) => {
      const { bucket, dice } = place;
      const newest = async () =>
        takeOver(bucket, { epoch: await claimEpoch(bucket, dice), ...dice });
      expect((await newest()).reachedLsn).toBeUndefined();
      const first = new Writer(place, await claimEpoch(bucket, dice));
      await first.ship();
      await first.publish("base");
      expect((await newest()).reachedLsn).toBeUndefined();
      const second = new Writer(place, await claimEpoch(bucket, dice), 4096);
      await second.publish("base");
      await second.publish("batch");
      await second.ship();
      const third = new Writer(place, await claimEpoch(bucket, dice), 8192);
      expect(await newest()).toMatchObject({ reachedLsn: 8192, endLsn: 8192 });
      expect(await codeOf(third.ship())).toBe("BOP_FENCED");
      await new Writer(place, await claimEpoch(bucket, dice), 8192).ship();
      expect(await newest()).toMatchObject({ reachedLsn: 12288, endLsn: 12288 });
      await new Writer(place, await claimEpoch(bucket, dice), 20480).ship();
      const broken = { reachedLsn: 12288, endLsn: 24576, unbrokenLsn: 20480 };
      expect(await newest()).toMatchObject(broken);
      await new Writer(place, await claimEpoch(bucket, dice), 24576).ship();
      expect(await newest()).toMatchObject({ ...broken, endLsn: 28672 });
    }));

  test("of a writer that never rests comes to its end", () =>
    inBucket(async (place) => {
      const { bucket, dice } = place;
      const busy = new Writer(place, await claimEpoch(bucket, dice));
      const shipping = (async () => {
        while (true) await busy.ship();
      })();
      const ended = codeOf(shipping);
      const epoch = await claimEpoch(bucket, dice);
      const lineage = await takeOver(bucket, { epoch, ...dice });
      expect(await ended).toBe("BOP_FENCED");
      expect(lineage.endLsn).toBe(busy.wal.number * 4096);
    }));

  test("that is looked at only puts nothing, and finds the same", () =>
    inBucket(async (place) => {
      const { bucket, dice, service, env } = place;
      const writer = new Writer(place, await claimEpoch(bucket, dice));
      for (let n = 0; n < 20; n++) await writer.ship();
      await writer.publish("base"); // Not whole: no state.
      const epoch = await claimEpoch(bucket, dice);
      const before = service.bucket.keys(env.clock.monotonicMs());
      const survey = await surveyLineage(bucket, { epoch });
      expect(service.bucket.keys(env.clock.monotonicMs())).toEqual(before);
      expect(await writer.ship()).toBe(20);
      const lineage = await takeOver(bucket, { epoch, ...dice });
      expect([survey.endLsn, lineage.endLsn]).toEqual([20 * 4096, 21 * 4096]);
      expect(lineage.newestState).toBeUndefined();
    }));

  test("goes down to the newest epoch with a state, and finds the log's end where it is named", () =>
    inBucket(async (place) => {
      const { bucket, dice } = place;
      const first = new Writer(place, await claimEpoch(bucket, dice));
      await first.ship();
      const second = await claimEpoch(bucket, dice);
      await takeOver(bucket, { epoch: second, ...dice });
      // It has published, and shipped nothing of its own: the log ends in the epoch before.
      const state = new NumberedWriter({
        ...{ bucket, kind: "manifest", epoch: second, random: dice.random },
      });
      for (const kind of ["base", "batch"] as const) {
        const { number } = state;
        const body = encodeManifestObject({
          ...{ kind, storeId: STORE_ID, epoch: second, number, generation: 1, baseNumber: 0 },
          ...{ part: 0, checkpointLsn: 0, maxLsn: 4096, wallMs: WALL_MS, fencedBelow: second },
          ...{ walEpoch: 1, walNumber: 0, walEndLsn: 4096, whole: kind === "batch", rows: [] },
        });
        await state.append(body);
      }
      await claimEpoch(bucket, dice); // Claimed by somebody who died.
      const epoch = await claimEpoch(bucket, dice);
      const lineage = await takeOver(bucket, { epoch, ...dice });
      expect(lineage.epochs.map((each) => each.epoch)).toEqual([2, 3]);
      expect(lineage.lastWal).toEqual({ epoch: 1, number: 0, endLsn: 4096 });
    }));

  // evidence: G29
  test("that was overtaken while it walked says so, and hands out no lineage", () =>
    inBucket(async (place) => {
      const { bucket, dice } = place;
      await new Writer(place, await claimEpoch(bucket, dice)).ship();
      const slow = await claimEpoch(bucket, dice);
      const fast = await claimEpoch(bucket, dice);
      await takeOver(bucket, { epoch: fast, ...dice });
      expect(await codeOf(takeOver(bucket, { epoch: slow, ...dice }))).toBe("BOP_FENCED");
    }));
});
