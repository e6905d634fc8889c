import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { streamId } from "../../base/units.ts";
import { DIRECTORY, databaseRow, manifestWorld, mapRow } from "../manifest.fixture.ts";
import { ByteReader, ByteWriter, Malformed } from "../rows/bytes.ts";
import { put, remove, removeRange } from "../rows/table.ts";
import { databases } from "../tables/databases.ts";
import { deadLetters } from "../tables/dead-letters.ts";
import { mapOf, pageMap } from "../tables/page-map.ts";
import { pendingBatches } from "../tables/pending-batches.ts";
import { watermarks } from "../tables/watermarks.ts";
import { decodeOperations, encodeOperations } from "./batch-codec.ts";

/** A batch that leaves its number: it can be applied once and in order, or it breaks an invariant. */
const mark = (generation: number) => [put(watermarks, { component: "test", generation })];

const encoded = (operations: Parameters<typeof encodeOperations>[0]): Uint8Array =>
  encodeOperations(operations, new ByteWriter()).finish().slice();

describe("the journal", () => {
  test("applies what was enqueued, in order, and is empty then", async () => {
    const { world, open } = manifestWorld(1);
    const manifest = await open();
    await world.run(() => Promise.all([1, 2, 3].map((n) => manifest.enqueue(mark(n)))));
    await world.run(() => manifest.waitFor("test", 3));
    expect(manifest.stats.journal).toMatchObject({ entries: 0, bytes: 0, applied: 3, dead: 0 });
    expect(manifest.stats.rows).toMatchObject({ pendingBatches: 0 });
  });

  test("what a process left is applied before the next one is handed its manifest", async () => {
    const { world, stores, open } = manifestWorld(2);
    await open();
    const store = await world.run(() => stores.openerFor(world.start())(DIRECTORY));
    const left = [7, 8, 9].map((sequence) =>
      pendingBatches.encode({ sequence, enqueuedAtMs: 1, batch: encoded(mark(sequence)) }, 1),
    );
    await world.run(() => store.commit(left));
    const manifest = await open();
    expect(manifest.stats.watermarks).toMatchObject({ test: 9 });
    expect(manifest.stats.journal).toMatchObject({ entries: 0, replayed: 3, applied: 3 });
    world.kill();
    expect((await open()).stats.journal).toMatchObject({ replayed: 0, applied: 0 });
  });

  test("a batch that breaks an invariant when its turn comes is a dead letter; others go on", async () => {
    const { world, stores, open } = manifestWorld(3);
    const manifest = await open();
    const wrong = [put(databases, databaseRow(99))];
    await world.run(() =>
      Promise.all([mark(1), wrong, mark(2)].map((batch) => manifest.enqueue(batch))),
    );
    await world.run(() => manifest.waitFor("test", 2));
    expect(manifest.stats.journal).toMatchObject({ entries: 0, applied: 2, dead: 1 });
    const store = await world.run(() => stores.openerFor(world.start())(DIRECTORY));
    const { from, to } = deadLetters.range();
    const letters = [...store.range(from, to)].map((pair) =>
      deadLetters.decode({ ...pair, file: DIRECTORY }),
    );
    expect(letters).toMatchObject([{ sequence: 2, kind: "batch", body: encoded(wrong) }]);
    expect(letters[0]?.reason).toContain("a stream was given out before it has a row");
    world.kill();
    const again = await open();
    await world.run(() => again.enqueue(mark(3))); // Under a sequence that no letter has.
    await world.run(() => again.waitFor("test", 3));
    expect(again.stats.rows).toMatchObject({ deadLetters: 1, pendingBatches: 0 });
  });

  test("beyond its bounds a batch is refused before anything was done, and taken later", async () => {
    const { world, open } = manifestWorld(4);
    const { length } = encoded(mark(1));
    const bounds = [
      { entries: 2, bytes: 1000 },
      { entries: 10, bytes: 2 * length },
    ];
    for (const journal of bounds) {
      const manifest = await open({ journal });
      const { watermarks: marks } = manifest.stats;
      const next = (marks.test ?? 0) + 1;
      const outcomes = await world.run(() =>
        Promise.allSettled([0, 1, 2].map((n) => manifest.enqueue(mark(next + n)))),
      );
      expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
      const [, , refused] = outcomes;
      expect(
        refused?.status === "rejected" && isStorageError(refused.reason, "BOP_BACKPRESSURE"),
      ).toBe(true);
      await world.run(() => manifest.waitFor("test", next + 1));
      await world.run(() => manifest.enqueue(mark(next + 2)));
      await world.run(() => manifest.waitFor("test", next + 2));
      world.kill();
    }
  });

  test.each([
    ["ENOSPC", "BOP_DISK_FULL"],
    ["EIO", "BOP_IO"],
  ] as const)(
    "a disk that says %s refuses one batch; what was accepted is applied when it is well",
    async (error, code) => {
      const { world, stores, open } = manifestWorld(5);
      const manifest = await open();
      stores.failNextCommit({ applied: false, error });
      await expect(world.run(() => manifest.enqueue(mark(1)))).rejects.toMatchObject({ code });
      expect(manifest.stats.journal).toMatchObject({ entries: 0, bytes: 0 });
      await world.run(() => manifest.enqueue(mark(2)));
      stores.failNextCommit({ applied: false, error }); // Of applying it.
      await world.pass(500);
      expect(manifest.stats.journal).toMatchObject({ entries: 1 });
      expect(manifest.stats.journal.oldestMs).toBeGreaterThan(0);
      await world.pass(2000);
      expect(manifest.stats.journal).toMatchObject({ entries: 0, applied: 1 });
      expect(manifest.stats.watermarks).toMatchObject({ test: 2 });
    },
  );

  test("closing ends the journal: what waits is applied at the next start, once", async () => {
    const { world, open } = manifestWorld(6);
    const manifest = await open();
    const accepted = [1, 2, 3].map((n) => manifest.enqueue(mark(n)));
    await world.run(() => Promise.all(accepted));
    await world.run(() => manifest.close());
    await expect(manifest.enqueue(mark(4))).rejects.toMatchObject({ code: "BOP_CLOSED" });
    expect((await open()).stats.watermarks).toMatchObject({ test: 3 });
  });
});

describe("operations as bytes", () => {
  const operations = [
    put(databases, databaseRow(7, 99)),
    put(pageMap, mapRow(7, 1, 2)),
    remove(databases, streamId(8)),
    removeRange(pageMap, mapOf(streamId(8))),
  ];

  test("have these bytes in the journal", () => {
    const hex = Buffer.from(encoded([remove(databases, streamId(8)), ...mark(5)])).toString("hex");
    expect(hex).toBe("02000000020205000200000008010f0105000f7465737408000000" + "0500000000000000");
  });

  test("come back as they were", () => {
    const again = decodeOperations(new ByteReader(encoded(operations)));
    expect(encoded(again)).toEqual(encoded(operations));
    expect(again).toEqual(operations);
  });

  test("no bytes make the decoder throw anything but Malformed", () => {
    const whole = encoded(operations);
    const cut = fc.nat(whole.length).map((end) => whole.slice(0, end));
    const flipped = fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, value]) => {
      const bytes = whole.slice();
      bytes[at] = value;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), cut, flipped), (bytes) => {
        try {
          decodeOperations(new ByteReader(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
