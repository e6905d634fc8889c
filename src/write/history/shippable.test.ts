import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { type ChunkId, chunkId, LSN_ZERO, type Lsn, lsn, streamId } from "../../base/units.ts";
import { seeded } from "../../io/index.ts";
import { BLOCK_BYTES, batchBytes, CommitAssembler, type ReplayedCommit } from "../../wal/index.ts";
import { LogStore, live, STREAM, worldOf } from "../log.fixture.ts";
import type { LoggedBatch, Shippable, StoredLog } from "../log.ts";
import { codeOf, FLUSH, within } from "../running.fixture.ts";

const MIB = 1024 * 1024;

/** A sink that has everything at once, and outlives processes and disks. */
class Sink {
  readonly batches: LoggedBatch[] = [];
  endLsn: Lsn = LSN_ZERO;
  settledLsn: Lsn = LSN_ZERO;

  /** The next range, if there is one. */
  async take(log: StoredLog, store: LogStore, maxBytes: number): Promise<Shippable | undefined> {
    const floorLsn = store.durableFloorLsn;
    const found = await log.shipping.shippable({ fromLsn: this.endLsn, maxBytes, floorLsn });
    if (found?.range !== undefined) {
      expect(found.range.firstLsn).toBe(this.endLsn);
      for (const batch of found.range.batches) {
        expect(batch.startLsn).toBe(this.endLsn);
        this.endLsn = lsn(batch.startLsn + batchBytes(batch.payload.length));
        this.batches.push({ ...batch, payload: batch.payload.slice() });
      }
      expect(found.range.endLsn).toBe(this.endLsn);
      if (store.archivedLsn !== undefined) await log.shipping.archived(this.endLsn);
    }
    this.settledLsn = lsn(Math.max(this.settledLsn, found?.settledLsn ?? 0));
    return found;
  }

  async takeAll(log: StoredLog, store: LogStore, maxBytes: number): Promise<void> {
    for (let more = true; more; ) {
      more = (await this.take(log, store, maxBytes))?.range !== undefined;
    }
    expect(this.settledLsn).toBe(log.durableLsn);
  }

  /** LSNs of the commits that can be put together from what it has. */
  commits(): number[] {
    const found: number[] = [];
    const assembler = new CommitAssembler(LSN_ZERO, ({ lsn }: ReplayedCommit) => found.push(lsn));
    for (const { startLsn, payload } of this.batches) {
      assembler.take({ startLsn, payload, place: { file: "sink", offset: 0 } });
    }
    return found;
  }
}

interface Life {
  readonly env: Env;
  readonly sink: Sink;
  readonly seed: number;
}

/** Commits, some over several batches and segments; the sink comes now and then. */
async function life(store: LogStore, { env, sink, seed }: Life): Promise<void> {
  const random = seeded(seed);
  store.archivedLsn = lsn(random.below(2) * sink.endLsn);
  const log = await store.open(env);
  for (let round = 0; round < 10; round++) {
    const company = Array.from({ length: 1 + random.below(3) }, () => {
      const bytes = random.below(5) === 0 ? 100_000 + random.below(300_000) : random.below(9000);
      return store.commitDurably(log, bytes);
    });
    await Promise.all(company);
    if (random.below(2) === 0) await store.checkpoint(env, log);
    if (random.below(4) === 0) await env.clock.sleep(120);
    if (random.below(2) === 0) await sink.take(log, store, 4096 + random.below(200_000));
    expect(log.history.fromLsn).toBeLessThanOrEqual(Math.max(sink.endLsn, store.checkpointLsn));
    for (const { state, marks } of log.stats.inflight) {
      if (state === "archived") expect(marks.durableLsn).toBeLessThanOrEqual(sink.endLsn);
    }
  }
  await log.close();
}

describe("the log as a sink gets it", () => {
  // evidence: G31
  test("is there without a gap and without a byte twice, wherever crashes cut off shipper, commits and checkpoints", async () => {
    for (let n = 1; n <= 14; n += 1) {
      const world = await worldOf(7000 + n);
      const store = new LogStore();
      const sink = new Sink();
      store.io = n % 2 === 0 ? "direct" : "standard";
      const how = n % 3 === 0 ? "kill" : "power";
      world.disk.crashAt(2 + n * 16, how);
      await live(world, () => life(store, { env: world.start(), sink, seed: n % 5 }));
      if (world.alive) world.powerCut();
      const env = world.start();
      await world.run(async () => {
        store.archivedLsn = LSN_ZERO;
        const log = await store.open(env);
        await store.commitDurably(log, 3000);
        await sink.takeAll(log, store, 60_000);
        await log.close();
      });
      expect(sink.commits()).toEqual(store.sealed.map(({ lsn }) => lsn));
    }
  }, 60_000);

  // evidence: G31
  test("goes on where it was when a start has cut off the last batch, which nothing had proven", async () => {
    const { world, store } = await within({}, async () => undefined);
    const sink = new Sink();
    for (let round = 0; round < 3; round++) {
      world.kill();
      const env = world.start();
      await world.run(async () => {
        const log = await store.open(env);
        await store.commitDurably(log, 3000);
        await env.clock.sleep(500); // An empty batch follows, and nothing follows that.
        await sink.takeAll(log, store, MIB);
      });
    }
    expect(sink.commits()).toEqual(store.sealed.map(({ lsn }) => lsn));
  });

  // evidence: G31
  test("keeps a segment that a checkpoint let go until the sink has all of it, and then lets it go by itself", () =>
    within({}, async ({ env, store, log: plain }) => {
      await plain.close();
      store.archivedLsn = LSN_ZERO;
      const log = await store.open(env);
      const sink = new Sink();
      for (let i = 0; i < 20; i++) await store.commitDurably(log, 40_000);
      await store.checkpoint(env, log);
      const held = log.stats.inflight;
      expect(held.length).toBeGreaterThan(2);
      expect(log.stats.inflightSegments).toBeLessThan(held.length); // Only the sink needs the others.
      expect(log.history.fromLsn).toBe(LSN_ZERO);
      await sink.take(log, store, 300_000);
      expect(log.stats.inflight.length).toBe(held.length - 1);
      await sink.takeAll(log, store, MIB);
      expect(log.stats.inflight.map(({ state }) => state)).toEqual(["active"]);
      expect(sink.commits()).toEqual(store.sealed.map(({ lsn }) => lsn));
      await log.close();
    }));

  test("says archived of segments that the sink has and a checkpoint still needs", () =>
    within({}, async ({ env, store, log: plain }) => {
      await plain.close();
      store.archivedLsn = LSN_ZERO;
      const log = await store.open(env);
      const sink = new Sink();
      for (let i = 0; i < 12; i++) await store.commitDurably(log, 40_000);
      const before = log.stats.inflight.map(({ state }) => state);
      expect(before.slice(0, -1)).toContain("sealed");
      expect(before.slice(0, -1)).not.toContain("archived");
      await sink.takeAll(log, store, MIB);
      const states = log.stats.inflight.map(({ state }) => state);
      expect(new Set(states.slice(0, -1))).toEqual(new Set(["archived"]));
      expect(log.stats.marks.archivedLsn).toBe(sink.endLsn);
      await store.checkpoint(env, log);
      expect(log.stats.inflight).toHaveLength(1);
      await log.close();
    }));

  for (const io of ["standard", "direct"] as const) {
    test(`leaves out what a poisoned segment holds beyond its end (${io})`, () =>
      within({ io }, async ({ world, store, log }) => {
        const sink = new Sink();
        for (let round = 0; round < 4; round++) {
          await store.commitDurably(log, 5000);
          world.disk.failNext({ operation: FLUSH[io] });
          await store.commitDurably(log, 7000);
        }
        const read = await log.shipping.shippable({
          fromLsn: LSN_ZERO,
          maxBytes: MIB,
          floorLsn: LSN_ZERO,
        });
        expect(log.stats.failedFlushes).toBe(4);
        expect(read?.range?.firstLsn).toBe(LSN_ZERO);
        for (const batch of read?.range?.batches ?? []) sink.batches.push(batch);
        expect(sink.commits()).toEqual(store.sealed.map(({ lsn }) => lsn));
        await log.close();
      }));
  }

  test("begins with the batch that the LSN lies in, and takes a batch that is larger than it may be", () =>
    within({}, async ({ store, log }) => {
      for (const bytes of [100, 90_000, 100]) await store.commitDurably(log, bytes);
      const [first, second] = store.sealed;
      const inSecond = lsn((first?.lsn ?? 0) + 2 * BLOCK_BYTES);
      const at = (fromLsn: Lsn, maxBytes: number) =>
        log.shipping.shippable({ fromLsn, maxBytes, floorLsn: LSN_ZERO });
      const small = (await at(inSecond, 1))?.range;
      expect(small?.firstLsn).toBe(BLOCK_BYTES);
      expect(small?.batches).toHaveLength(1);
      expect(small?.endLsn).toBeGreaterThanOrEqual(second?.lsn ?? 0);
      expect((await at(lsn(2 * BLOCK_BYTES), MIB))?.range?.firstLsn).toBe(BLOCK_BYTES);
      expect(await at(lsn(small?.endLsn ?? 0), MIB)).toMatchObject({
        range: { firstLsn: small?.endLsn },
      });
      await log.close();
    }));

  test("has no batch without frames at its end that the next start might cut off, unless it is said to be durable", () =>
    within({}, async ({ env, store, log }) => {
      await store.commitDurably(log, 100);
      await env.clock.sleep(500); // The proof that the last batch is durable.
      const { durableLsn } = log;
      const take = (floorLsn: Lsn, fromLsn = LSN_ZERO) =>
        log.shipping.shippable({ fromLsn, maxBytes: MIB, floorLsn });
      const without = await take(LSN_ZERO);
      expect(without?.range?.endLsn).toBe(BLOCK_BYTES);
      expect(without?.settledLsn).toBe(durableLsn);
      const rest = await take(LSN_ZERO, lsn(BLOCK_BYTES));
      expect(rest).toEqual({ range: undefined, settledLsn: durableLsn });
      expect((await take(durableLsn))?.range?.endLsn).toBe(durableLsn);
      expect(await take(LSN_ZERO, durableLsn)).toBeUndefined();
      await log.close();
    }));

  test("is refused, with the file, where a byte of it is damaged", () =>
    within({}, async ({ world, store, log }) => {
      await store.commitDurably(log, 20_000);
      const path = store.path(1);
      const bytes = world.disk.contents(path)?.slice() ?? new Uint8Array(0);
      bytes[BLOCK_BYTES + 9000] = (bytes[BLOCK_BYTES + 9000] ?? 0) ^ 1;
      world.disk.replace(path, bytes);
      const asked = { fromLsn: LSN_ZERO, maxBytes: MIB, floorLsn: LSN_ZERO };
      await expect(log.shipping.shippable(asked)).rejects.toMatchObject({
        code: "BOP_CORRUPT",
        details: { file: path },
      });
      await log.close();
    }));

  test("names the chunks that its commits name, and where the commits of each stream lie", () =>
    within({}, async ({ log }) => {
      const other = streamId(4);
      const lsns: Lsn[] = [];
      const chunks: ChunkId[] = [];
      for (const stream of [STREAM, other, other]) {
        const staged = log.stage(stream);
        const chunk = chunkId(100 + chunks.length);
        chunks.push(chunk);
        staged.spill({ chunk, fileBytes: 8192, pageCount: 1, directoryCrc: 7 });
        lsns.push(staged.seal({ pageCount: 1, pageBytes: 4096 }));
      }
      await log.durable(lsns.at(-1) as Lsn);
      const asked = { fromLsn: LSN_ZERO, maxBytes: MIB, floorLsn: LSN_ZERO };
      const range = (await log.shipping.shippable(asked))?.range;
      expect(range?.spilled).toEqual(chunks);
      const runs = range?.streams.index().runs.map(({ stream, commits, lastLsn }) => {
        return { stream, commits, lastLsn };
      });
      expect(runs).toEqual([
        { stream: other, commits: 2, lastLsn: lsns[2] },
        { stream: STREAM, commits: 1, lastLsn: lsns[0] },
      ]);
      await log.close();
    }));

  test("refuses new transactions while more of it waits than may, and takes them again when it is shipped", () =>
    within({ maxUnshippedBytes: MIB }, async ({ env, store, log: plain }) => {
      await plain.close();
      store.archivedLsn = LSN_ZERO;
      const log = await store.open(env);
      const sink = new Sink();
      for (let i = 0; i < 13; i++) await store.commitDurably(log, 90_000);
      await store.checkpoint(env, log);
      expect(codeOf(() => log.admit())).toBe("BOP_BACKPRESSURE");
      await sink.take(log, store, MIB);
      expect(codeOf(() => log.admit())).toBe("nothing");
      await log.close();
    }));
});

describe("up to where commits are whole", () => {
  test("is never within a commit or a group of them, wherever ranges are cut, and comes to the end", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ group: fc.integer({ min: 1, max: 4 }), bytes: fc.nat(120_000) }), {
          minLength: 1,
          maxLength: 8,
        }),
        fc.integer({ min: 1, max: 200_000 }),
        async (commits, maxBytes) => {
          await within({}, async ({ store, log }) => {
            const ends: { readonly lsn: Lsn; readonly wholeLsn: Lsn }[] = [];
            for (const { group, bytes } of commits) {
              const lsns = sealGroup(log, group, bytes);
              await log.durable(lsns.at(-1) as Lsn);
              for (const each of lsns) ends.push({ lsn: each, wholeLsn: lsns.at(-1) as Lsn });
            }
            const sink = new Sink();
            for (let more = true; more; ) {
              const found = await sink.take(log, store, maxBytes);
              more = found?.range !== undefined;
              for (const { lsn, wholeLsn } of ends) {
                if (lsn <= sink.settledLsn) expect(wholeLsn).toBeLessThanOrEqual(sink.endLsn);
              }
              const end = ends.findLast(({ lsn }) => lsn <= sink.settledLsn);
              expect(end?.wholeLsn ?? 0).toBeLessThanOrEqual(sink.settledLsn);
            }
            expect(sink.settledLsn).toBe(log.durableLsn);
            await log.close();
          });
        },
      ),
      { numRuns: 20 },
    );
  });
});

/** Commits that are one, or a single one. */
function sealGroup(log: StoredLog, count: number, bytes: number): Lsn[] {
  return Array.from({ length: count }, (_, index) => {
    const staged = log.stage(streamId(30 + index));
    for (let rest = bytes; rest > 0; rest -= 50_000) {
      staged.entry(new Uint8Array(Math.min(rest, 50_000)));
    }
    staged.entry(Uint8Array.of(index));
    return staged.seal({ pageCount: 0, pageBytes: 0 }, count);
  });
}
