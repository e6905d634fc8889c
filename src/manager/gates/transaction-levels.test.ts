/** What transactions wait for at each level, and what comes of one that waits for the sink. */
import { beforeEach, describe, expect, test } from "vitest";
import { StorageError } from "../../base/errors.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import type { Transaction } from "../api/connection.ts";
import type { Database } from "../api/database.ts";
import { begin, INSERT, shippedByHand } from "./levels.fixture.ts";

beforeEach(() => prepareEngines("sqlite", 4));

const COUNT = "select count(*) from note";
const count = (of: Pick<Database, "prepare">) => of.prepare(COUNT).pluck<number>().get();
const fenced = new StorageError("BOP_FENCED", "epoch 2 has the bucket", {
  details: { epoch: 1, byEpoch: 2 },
});

describe("a transaction", () => {
  test("has a level of its own, above or below that of its database", () =>
    shippedByHand({}, async ({ manager, shipper, outcome }) => {
      const notes = await begin({ manager, shipper }, "notes", "remote");
      const drafts = await begin({ manager, shipper }, "drafts", "local");
      const lower = notes.transaction((tx) => tx.exec(INSERT), { durability: "local" });
      expect(await outcome(lower)).toBe("done");
      const higher = drafts.transaction((tx) => tx.exec(INSERT), { durability: "remote" });
      expect(await outcome(higher)).toBe("open");
      shipper.ship();
      expect(await outcome(higher)).toBe("done");
      const connection = await notes.connect();
      const pinned = connection.transaction((tx) => tx.exec(INSERT), { durability: "local" });
      expect(await outcome(pinned)).toBe("done");
      expect(await outcome(connection.exec(INSERT))).toBe("open");
      shipper.ship();
      await connection.close();
    }));

  test("that runs out of time while the sink is away says so, and is rolled back", () =>
    shippedByHand({}, async ({ manager, shipper, outcome }) => {
      const notes = await begin({ manager, shipper }, "notes", "remote");
      const before = notes.exec(INSERT);
      const late = notes.transaction((tx) => tx.exec(INSERT), { timeoutMs: 500 });
      expect(await outcome(late)).toBe("BOP_TIMEOUT");
      const own = await notes.connect();
      const later = own.transaction((tx) => tx.exec(INSERT), { timeoutMs: 500 });
      expect(await outcome(later)).toBe("BOP_TIMEOUT");
      const signal = new AbortController();
      const given = own.transaction((tx) => tx.exec(INSERT), { signal: signal.signal });
      expect(await outcome(given)).toBe("open");
      signal.abort(new Error("enough"));
      expect(await outcome(given)).toBe("enough");
      shipper.ship();
      await before;
      expect(await count(notes)).toBe(2);
    }));

  // evidence: G34
  test("that a connection begins by itself is begun at once; what it shows waits for the sink", () =>
    shippedByHand({}, async ({ manager, shipper, outcome }) => {
      const notes = await begin({ manager, shipper }, "notes", "remote");
      const own = await notes.connect();
      for (const begins of [
        () => own.exec("begin immediate"),
        () => own.execute("begin immediate").then(({ rows }) => rows),
        () => own.exec("begin; savepoint s"),
      ]) {
        const before = notes.exec(INSERT);
        expect(await outcome(before)).toBe("open");
        expect(await outcome(begins())).toMatch(/done|\[\]/);
        const counted = count(own);
        expect(await outcome(counted)).toBe("open");
        shipper.ship();
        await counted;
        await own.exec("rollback");
        await before;
      }
      const before = notes.exec(INSERT);
      expect(await outcome(before)).toBe("open");
      await own.exec("begin immediate");
      const nothing = own.exec("commit"); // It saw what it was begun on.
      expect(await outcome(nothing)).toBe("open");
      shipper.ship();
      await Promise.all([before, nothing]);
    }));

  // evidence: G10
  test.each([
    ["its time runs out", "closing", "BOP_OUTCOME_UNKNOWN"],
    ["its caller gives up", "closing", "BOP_OUTCOME_UNKNOWN"],
    ["its time runs out", "the loss of the bucket", "BOP_FENCED"],
  ])(
    "that is committed when %s waits for the sink all the same, and hears of %s as a statement does",
    (what, end, code) =>
      shippedByHand({}, async ({ manager, shipper, outcome, clock }) => {
        const notes = await begin({ manager, shipper }, "notes", "remote");
        const others = await begin({ manager, shipper }, "others", "remote");
        const own = await others.connect();
        const controller = new AbortController();
        const limits =
          what === "its time runs out" ? { timeoutMs: 500 } : { signal: controller.signal };
        const settled = [notes, own].map((on) => {
          const committed = on.transaction((tx) => tx.exec(INSERT), limits);
          return committed.catch((error) => error.code ?? error.message);
        });
        await clock.sleep(400);
        controller.abort(new Error("enough"));
        expect(await outcome(Promise.race(settled))).toBe("open");
        if (end === "closing") await manager.close();
        else shipper.lose(fenced);
        expect(await Promise.all(settled)).toEqual([code, code]);
      }),
  );

  test("that is committed in time resolves whenever the sink has it", () =>
    shippedByHand({}, async ({ manager, shipper, outcome }) => {
      const notes = await begin({ manager, shipper }, "notes", "remote");
      const writing = notes.transaction((tx) => tx.exec(INSERT), { timeoutMs: 500 });
      expect(await outcome(writing)).toBe("open");
      shipper.ship();
      expect(await outcome(writing)).toBe("done");
    }));

  // evidence: G34
  test("of a connection is what it was asked to be, whatever is called in the same go", () =>
    shippedByHand({}, async ({ manager, shipper, outcome }) => {
      const drafts = await begin({ manager, shipper }, "drafts", "local");
      const own = await drafts.connect();
      for (let n = 0; n < 2; n += 1) {
        const first = own.transaction((tx) => tx.exec(INSERT), { durability: "remote" });
        const second = own.transaction((tx) => tx.exec(INSERT), { mode: "read" });
        await expect(second).rejects.toThrow(TypeError);
        expect(await outcome(first)).toBe("open");
        shipper.ship();
        expect(await outcome(first)).toBe("done");
      }
      expect(await count(drafts)).toBe(3);
    }));

  test("that waits for the sink leaves the next one of its connection what that was asked to be", () =>
    shippedByHand({}, async ({ manager, shipper, outcome }) => {
      const drafts = await begin({ manager, shipper }, "drafts", "local");
      const own = await drafts.connect();
      const first = own.transaction((tx) => tx.exec(INSERT), { durability: "remote" });
      expect(await outcome(first)).toBe("open");
      const refusals: unknown[] = [];
      const body = async (tx: Transaction): Promise<void> => {
        shipper.ship();
        await first;
        await tx.exec(INSERT).catch(({ sqliteCode }) => refusals.push(sqliteCode));
      };
      await own.transaction(body, { mode: "read" });
      expect(refusals).toEqual(["SQLITE_READONLY"]);
      await own.exec(INSERT);
      expect(await count(drafts)).toBe(3);
    }));
});
