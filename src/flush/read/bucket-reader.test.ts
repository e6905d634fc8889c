import { describe, expect, test } from "vitest";
import { lsn } from "../../base/units.ts";
import { seeded } from "../../io/index.ts";
import { bucketKey } from "../../sink/index.ts";
import { BATCH_HEADER, CommitAssembler } from "../../wal/index.ts";
import { type KnownCommit, row, TestBucket } from "./bucket.fixture.ts";
import { BucketReader } from "./bucket-reader.ts";
import type { CommitSpan, LogPart } from "./log-reader.ts";
import type { KeyBounds } from "./state-rows.ts";

const payloadLsn = (startLsn: number): number => startLsn + BATCH_HEADER.sizeBytes;

/** What the commits say that a reader gives of a stream. */
async function commitsOf(
  reader: BucketReader,
  stream: number,
  { afterLsn = 0, upToLsn }: { readonly afterLsn?: number; readonly upToLsn: number },
) {
  const spans = await reader.commits(stream, { afterLsn, upToLsn });
  return assembled(reader.batchesOf(spans), spans);
}

/** Payloads of the commits, put together from the stretches that they lie in. */
async function assembled(parts: AsyncIterable<LogPart>, spans: readonly CommitSpan[]) {
  const found: KnownCommit[] = [];
  const assembler = new CommitAssembler(lsn(0), ({ stream, lsn: at, frames }) => {
    const parts = frames.map((frame) => (frame.kind === "records" ? frame.payload : []));
    const text = Buffer.concat(parts.map((part) => Uint8Array.from(part))).toString();
    found.push({ stream, lsn: at, text });
  });
  for await (const { batches } of parts) {
    for (const { startLsn, payload } of batches) {
      for (const { firstLsn, lsn: endLsn } of spans) {
        const from = Math.max(0, firstLsn - payloadLsn(startLsn));
        const to = Math.min(payload.length, endLsn - payloadLsn(startLsn));
        if (to <= from) continue;
        const place = { file: "test", offset: 0 };
        assembler.take({ startLsn: startLsn + from, payload: payload.subarray(from, to), place });
      }
    }
  }
  return found;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

async function rowsOf(
  reader: BucketReader,
  state: { epoch: number; number: number },
  bounds?: KeyBounds,
): Promise<string[]> {
  const rows = await all(reader.rows(state, bounds));
  return rows.map(({ key, value }) => `${Buffer.from(key)}=${Buffer.from(value)}`);
}

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

describe("a bucket without a store", () => {
  test("has no reader", async () => {
    const { store } = new TestBucket();
    expect(await BucketReader.open(store)).toBeUndefined();
  });

  test("that was only claimed has neither log nor states", async () => {
    const reader = await (await TestBucket.make()).reader();
    expect(await reader.logEnd()).toBeUndefined();
    expect(await reader.stateAt(1_000_000)).toBeUndefined();
    expect(await reader.reach(0)).toBeUndefined();
    expect(await all(reader.log({ fromLsn: 0, toLsn: 0 }))).toEqual([]);
  });
});

describe("the log in a bucket", () => {
  test("is read back batch by batch, over objects and epochs", async () => {
    const bucket = await TestBucket.make();
    bucket.commit(1, "one");
    await bucket.ship();
    bucket.commit(2, "two");
    await bucket.ship();
    await bucket.fence("wal");
    await bucket.claim();
    bucket.commit(1, "three");
    await bucket.ship();
    const reader = await bucket.reader();
    const toLsn = bucket.endLsn;
    expect(await reader.logEnd()).toMatchObject({ lsn: toLsn });
    expect(await reader.reach(0)).toMatchObject({ lsn: toLsn });
    const parts = await all(reader.log({ fromLsn: 0, toLsn }));
    expect(parts.flatMap(({ batches }) => batches.map(({ startLsn }) => startLsn))).toEqual([
      0, 4096, 8192,
    ]);
    const some = await all(reader.log({ fromLsn: 5000, toLsn: 8192 }));
    expect(some.flatMap(({ batches }) => batches.map(({ startLsn }) => startLsn))).toEqual([4096]);
  });

  test("ends at a fence: what landed behind it is void, and the next epoch goes on", async () => {
    const bucket = await TestBucket.make();
    bucket.commit(1, "counts");
    await bucket.ship();
    const endLsn = bucket.endLsn;
    await bucket.fence("wal", 1);
    bucket.skip("wal");
    bucket.commit(1, "void");
    await bucket.ship();
    const reader = await bucket.reader();
    expect(await reader.logEnd()).toMatchObject({ lsn: endLsn });
    await expect(all(reader.log({ fromLsn: 0, toLsn: endLsn + 1 }))).rejects.toMatchObject({
      code: "BOP_SINK_CORRUPT",
    });
  });

  test("that a list does not show yet is found by its number", async () => {
    const bucket = await TestBucket.make();
    bucket.commit(1, "listed");
    await bucket.ship();
    const listed = bucket.store.list.bind(bucket.store);
    const seen = await listed("wal/");
    for (const text of ["not listed", "neither"]) {
      bucket.commit(1, text);
      await bucket.ship();
    }
    bucket.store.list = async (prefix, options) =>
      prefix === "wal/" ? seen : listed(prefix, options);
    expect(await (await bucket.reader()).logEnd()).toMatchObject({ lsn: bucket.endLsn });
  });

  test("below a fence that was put ahead of it is found, though a list does not show it", async () => {
    const bucket = await TestBucket.make();
    bucket.commit(1, "listed");
    await bucket.ship();
    await bucket.fence("wal", 5);
    const listed = bucket.store.list.bind(bucket.store);
    const seen = await listed("wal/");
    bucket.commit(1, "not listed");
    await bucket.ship();
    bucket.store.list = async (prefix, options) =>
      prefix === "wal/" ? seen : listed(prefix, options);
    expect(await (await bucket.reader()).logEnd()).toMatchObject({ lsn: bucket.endLsn });
  });

  test("with a number missing reaches up to there, and is not read across it", async () => {
    const bucket = await TestBucket.make();
    for (let count = 0; count < 4; count += 1) {
      bucket.commit(1, `commit ${count}`);
      await bucket.ship();
    }
    await bucket.store.delete(bucketKey({ kind: "wal", epoch: 1, number: 1 }));
    const reader = await bucket.reader();
    expect(await reader.reach(0)).toMatchObject({ lsn: 4096 });
    expect(await reader.reach(4096)).toMatchObject({ lsn: 4096 });
    expect(await reader.reach(8192)).toMatchObject({ lsn: bucket.endLsn });
    const reading = all(reader.log({ fromLsn: 0, toLsn: bucket.endLsn }));
    await expect(reading).rejects.toMatchObject({
      details: { key: bucketKey({ kind: "wal", epoch: 1, number: 1 }) },
    });
  });

  test("with a lost window reaches up to it, and goes on behind it", async () => {
    const bucket = await TestBucket.make();
    bucket.commit(1, "kept");
    await bucket.ship();
    const lostLsn = bucket.endLsn;
    bucket.commit(1, "lost");
    bucket.lose();
    const foundLsn = bucket.endLsn;
    await bucket.fence("wal");
    await bucket.claim();
    bucket.commit(1, "again");
    await bucket.ship({ gap: true });
    const reader = await bucket.reader();
    expect(await reader.reach(0)).toMatchObject({ lsn: lostLsn });
    expect(await reader.reach(foundLsn)).toMatchObject({ lsn: bucket.endLsn });
    const across = all(reader.log({ fromLsn: 0, toLsn: bucket.endLsn }));
    await expect(across).rejects.toMatchObject({ code: "BOP_SINK_CORRUPT" });
  });

  test("tells where it had come at a time", async () => {
    const bucket = await TestBucket.make();
    const ends: [wallMs: number, lsn: number][] = [];
    for (let count = 0; count < 12; count += 1) {
      bucket.commit(1, `commit ${count}`);
      bucket.write();
      ends.push([bucket.wallMs, bucket.endLsn]);
      if (count % 3 === 2) await bucket.ship();
    }
    const reader = await bucket.reader();
    for (const [wallMs, endLsn] of ends) {
      expect(await reader.lsnAt(wallMs)).toBe(endLsn);
      expect(await reader.lsnAt(wallMs + 5)).toBe(endLsn);
    }
    expect(await reader.lsnAt((ends[0]?.[0] ?? 0) - 1)).toBeUndefined();
  });

  test("names the chunks that transactions spilled, with the epochs of their keys", async () => {
    const bucket = await TestBucket.make();
    bucket.commit(1, "a");
    bucket.spill({ chunk: 7, epoch: 1 });
    await bucket.ship();
    bucket.commit(1, "b");
    await bucket.ship();
    const reader = await bucket.reader();
    expect(await reader.spilled({ fromLsn: 0, toLsn: bucket.endLsn })).toEqual([
      { chunk: 7, epoch: 1 },
    ]);
    expect(await reader.spilled({ fromLsn: 4096, toLsn: bucket.endLsn })).toEqual([]);
  });
});

describe("the commits of one stream", () => {
  test("are found and put together, wherever objects and batches were cut", async () => {
    const bucket = await TestBucket.make();
    const random = seeded(11);
    for (let count = 0; count < 120; count += 1) {
      const bytes = random.below(10) === 0 ? 9000 : random.below(300) + 1;
      bucket.commit(1 + random.below(6), `${count}.`.repeat(bytes).slice(0, bytes));
      if (random.below(3) === 0) await bucket.ship({ batches: 1 + random.below(3) });
    }
    await bucket.ship();
    const reader = await bucket.reader();
    for (let stream = 1; stream <= 6; stream += 1) {
      const known = bucket.commits.filter((each) => each.stream === stream);
      expect(await commitsOf(reader, stream, { upToLsn: bucket.endLsn })).toEqual(known);
      const middle = known[Math.floor(known.length / 2)]?.lsn ?? 0;
      const above = known.filter((each) => each.lsn > middle);
      expect(await commitsOf(reader, stream, { upToLsn: bucket.endLsn, afterLsn: middle })).toEqual(
        above,
      );
      expect(await commitsOf(reader, stream, { upToLsn: middle })).toEqual(
        known.slice(0, -above.length),
      );
    }
  });

  test("cost as many reads whether few others commit or many", async () => {
    const reads = async (others: number) => {
      const bucket = await TestBucket.make();
      for (let count = 0; count < 300; count += 1) {
        for (let other = 0; other < others; other += 1) bucket.commit(100 + other, "other");
        if (count % 75 === 7) bucket.commit(5, `mine ${count}`);
        await bucket.ship();
      }
      const reader = await bucket.reader();
      const found = await commitsOf(reader, 5, { upToLsn: bucket.endLsn });
      expect(found).toEqual(bucket.commits.filter(({ stream }) => stream === 5));
      return reader.reads.gets;
    };
    const [alone, crowded] = [await reads(1), await reads(8)];
    expect(crowded).toBe(alone);
    // The index object, four log objects, those behind the index, and headers on the way.
    expect(alone).toBeLessThan(75);
  });
});

describe("states in a bucket", () => {
  const alphabet = (from: number, to: number, value: string) =>
    Array.from({ length: to - from }, (_, at) =>
      row(`key ${String(from + at).padStart(5, "0")}`, value),
    );

  test("begin with the batch that makes a base whole; of each key the newest row counts", async () => {
    const bucket = await TestBucket.make();
    await bucket.base([
      [row("a", "1"), row("b", "1")],
      [row("c", "1"), row("d", "1")],
    ]);
    bucket.commit(1, "x");
    await bucket.ship();
    const first = await bucket.batch([row("b", "2"), row("c")], true);
    bucket.commit(1, "y");
    await bucket.ship();
    const second = await bucket.batch([row("aa", "3"), row("b"), row("c", "3")]);
    const reader = await bucket.reader();
    expect(await rowsOf(reader, first)).toEqual(["a=1", "b=2", "d=1"]);
    expect(await rowsOf(reader, second)).toEqual(["a=1", "aa=3", "c=3", "d=1"]);
    const within = { from: bytes("aa"), to: bytes("d") };
    expect(await rowsOf(reader, second, within)).toEqual(["aa=3", "c=3"]);
    expect((await all(reader.states())).map(({ number }) => number)).toEqual([3, 2]);
    expect(await reader.stateAt(bucket.endLsn)).toMatchObject(second);
    expect(await reader.stateAt(bucket.endLsn - 1)).toMatchObject(first);
    expect(await reader.stateAt(0)).toBeUndefined();
  });

  test("are not there before the base is whole, nor when a part of it is gone", async () => {
    const bucket = await TestBucket.make();
    await bucket.base([[row("a", "1")]]);
    expect(await (await bucket.reader()).stateAt(0)).toBeUndefined();
    await bucket.batch([], true);
    expect(await (await bucket.reader()).stateAt(0)).toMatchObject({ number: 1 });
    const last = await bucket.batch([row("b", "1")]);
    await bucket.store.delete(bucketKey({ kind: "manifest", epoch: 1, number: 0 }));
    const reader = await bucket.reader();
    expect(await reader.stateAt(0)).toBeUndefined();
    await expect(rowsOf(reader, last)).rejects.toMatchObject({ code: "BOP_SINK_CORRUPT" });
  });

  test("of an epoch that was ended are found behind a newer one that has none yet", async () => {
    const bucket = await TestBucket.make();
    await bucket.base([[row("a", "1")]]);
    const state = await bucket.batch([], true);
    await bucket.fence("manifest");
    await bucket.claim();
    await bucket.base([[row("a", "2")]]);
    const reader = await bucket.reader();
    expect(await reader.stateAt(0)).toMatchObject(state);
    const newer = await bucket.batch([], true);
    reader.refresh();
    expect(await reader.stateAt(0)).toMatchObject(newer);
    expect((await all(reader.states())).map(({ epoch }) => epoch)).toEqual([2, 1]);
  });

  test("are read by a range of keys without reading the rest", async () => {
    const bucket = await TestBucket.make();
    const value = "v".repeat(200);
    await bucket.base([alphabet(0, 5000, value), alphabet(5000, 10_000, value)]);
    const state = await bucket.batch([row("key 07000", "new")], true);
    const reader = await bucket.reader();
    const bounds = { from: bytes("key 06998"), to: bytes("key 07002") };
    const rows = await rowsOf(reader, state, bounds);
    expect(rows.map((each) => each.slice(0, 13))).toEqual([
      "key 06998=vvv",
      "key 06999=vvv",
      "key 07000=new",
      "key 07001=vvv",
    ]);
    // The ends of three objects, a block, the headers of three.
    expect(reader.reads.bytes).toBeLessThan(300_000);
    expect(await rowsOf(reader, state)).toHaveLength(10_000);
  });
});

describe("damage in a bucket", () => {
  async function damaged() {
    const bucket = await TestBucket.make();
    for (let count = 0; count < 40; count += 1) bucket.commit(1, `commit ${count}`.repeat(200));
    await bucket.ship();
    await bucket.base([[row("a", "1".repeat(100_000)), row("b", "2")]]);
    const state = await bucket.batch([row("b", "3")], true);
    return { bucket, state };
  }
  const flip = (bucket: TestBucket, key: string, at: number) => {
    const found = bucket.service.bucket.find(key, Number.MAX_SAFE_INTEGER);
    if (found !== undefined) found.body[at] = (found.body[at] ?? 0) ^ 1;
  };

  test("of a batch is reported by its object, and nothing of it is given out", async () => {
    const { bucket } = await damaged();
    const key = bucketKey({ kind: "wal", epoch: 1, number: 0 });
    flip(bucket, key, 5000);
    const reader = await bucket.reader();
    const expected = { code: "BOP_SINK_CORRUPT", details: { key } };
    await expect(all(reader.log({ fromLsn: 0, toLsn: bucket.endLsn }))).rejects.toMatchObject(
      expected,
    );
    await expect(commitsOf(reader, 1, { upToLsn: bucket.endLsn })).rejects.toMatchObject(expected);
  });

  test("of a block of rows, a header or a trailer is reported by its object", async () => {
    for (const at of [50_000, 20, -20]) {
      const { bucket, state } = await damaged();
      const key = bucketKey({ kind: "manifest", epoch: 1, number: 0 });
      const length = bucket.service.bucket.find(key, Number.MAX_SAFE_INTEGER)?.body.length ?? 0;
      flip(bucket, key, at < 0 ? length + at : at);
      const expected = { code: "BOP_SINK_CORRUPT", details: { key } };
      await expect(rowsOf(await bucket.reader(), state)).rejects.toMatchObject(expected);
    }
  });

  test("on the way is read again, and nobody notices", async () => {
    const { bucket, state } = await damaged();
    let calls = 0;
    const get = bucket.store.get.bind(bucket.store);
    bucket.store.get = async (key, options) => {
      const found = await get(key, options);
      calls += 1;
      const hits = calls % 2 === 0 && options?.range !== undefined && found !== undefined;
      if (hits)
        found.bytes[found.bytes.length >> 1] = (found.bytes[found.bytes.length >> 1] ?? 0) ^ 8;
      return found;
    };
    const reader = await bucket.reader();
    expect(await rowsOf(reader, state)).toHaveLength(2);
    expect(await commitsOf(reader, 1, { upToLsn: bucket.endLsn })).toEqual(bucket.commits);
  });

  test("an object under another object's key is refused", async () => {
    const { bucket } = await damaged();
    const found = await bucket.store.get(bucketKey({ kind: "wal", epoch: 1, number: 0 }));
    bucket.commit(1, "more");
    await bucket.ship();
    await bucket.put(bucketKey({ kind: "wal", epoch: 1, number: 1 }), found?.bytes ?? bytes(""));
    await expect((await bucket.reader()).logEnd()).rejects.toMatchObject({
      code: "BOP_SINK_CORRUPT",
      message: expect.stringContaining("it is object 0 of epoch 1"),
    });
  });
});
