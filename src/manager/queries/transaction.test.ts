/** How long a transaction on a connection waits for those who write, and what it leaves of that wait. */
import { beforeEach, describe, expect, test } from "vitest";
import { prepareEngines } from "../../sqlite/index.ts";
import { begin, type HandShipped, INSERT, shippedByHand } from "../gates/levels.fixture.ts";

const COUNT = "select count(*) from note";

/** A database with one row, a connection to it, and what came of things, in order. */
async function opened({ manager, shipper, clock }: HandShipped) {
  const notes = await begin({ manager, shipper }, "notes", "local");
  const own = await notes.connect();
  const events: string[] = [];
  const noted = (what: string, done: Promise<unknown>): Promise<unknown> =>
    done.then(
      () => events.push(what),
      (error) => events.push(`${what}: ${error.code ?? error.message}`),
    );
  /** Somebody else writes for so long. */
  const hold = (forMs: number): Promise<unknown> =>
    noted(
      "holder",
      notes.transaction(() => clock.sleep(forMs), { timeoutMs: 60_000 }),
    );
  return { notes, own, events, noted, hold };
}

beforeEach(() => prepareEngines("sqlite", 2));

test.each(["insert into note (body) values ('late')", "drop table note"])(
  "a transaction of a connection that read too early to write holds up nobody: %s",
  (sql) =>
    shippedByHand({}, async (it) => {
      const { notes, own, events, noted } = await opened(it);
      await own.exec(`begin; ${COUNT}`);
      await notes.exec(INSERT);
      await expect(own.exec(sql)).rejects.toMatchObject({ sqliteCode: "SQLITE_BUSY_SNAPSHOT" });
      const other = await notes.connect();
      await noted("handle", notes.exec(INSERT));
      await noted("connection", other.exec(INSERT));
      expect(events).toEqual(["handle", "connection"]);
      expect(own.inTransaction).toBe(true);
      expect(await own.prepare(COUNT).pluck().get()).toBe(1);
      await own.exec(`rollback; ${INSERT}`);
      expect(await notes.prepare(COUNT).pluck().get()).toBe(5);
    }),
);

describe("a transaction on a connection", () => {
  test.each(["time", "signal"])(
    "that waits for the writer gives up by its %s, and others write behind it",
    (limit) =>
      shippedByHand({}, async (it) => {
        const { notes, own, events, noted, hold } = await opened(it);
        const controller = new AbortController();
        const limits = limit === "time" ? { timeoutMs: 100 } : { signal: controller.signal };
        const holding = hold(2000);
        const waiting = noted(
          "it",
          own.transaction((tx) => tx.exec(INSERT), limits),
        );
        const other = noted("other", notes.exec(INSERT));
        await it.clock.sleep(50);
        controller.abort(new Error("enough"));
        await waiting;
        await noted("read", own.prepare(COUNT).get());
        await Promise.all([holding, other]);
        const reason = limit === "time" ? "BOP_TIMEOUT" : "enough";
        expect(events).toEqual([`it: ${reason}`, "read", "holder", "other"]);
        expect(own.inTransaction).toBe(false);
        await notes.exec(INSERT);
        await own.transaction((tx) => tx.exec(INSERT));
        expect(await notes.prepare(COUNT).pluck().get()).toBe(4);
      }),
  );

  test("waits for the writer for longer than a statement does, where it was given longer", () =>
    shippedByHand({}, async (it) => {
      const { own, events, noted, hold } = await opened(it);
      const holding = hold(8000);
      const waiting = own.transaction((tx) => tx.exec(INSERT), { timeoutMs: 60_000 });
      await Promise.all([holding, noted("it", waiting)]);
      expect(events).toEqual(["holder", "it"]);
    }));

  test("that gave up behind a call of its connection does not begin when that is done", () =>
    shippedByHand({}, async (it) => {
      const { notes, own, events, noted, hold } = await opened(it);
      await own.exec("create temp table mine (x)"); // From now on its calls wait for each other.
      const holding = hold(2000);
      const before = noted("before", own.exec(INSERT));
      let hasRun = false;
      const body = (): void => {
        hasRun = true;
      };
      await noted("it", own.transaction(body, { timeoutMs: 100 }));
      const next = noted(
        "next",
        own.transaction((tx) => tx.exec(INSERT)),
      );
      await Promise.all([holding, before, next]);
      expect(events).toEqual(["it: BOP_TIMEOUT", "holder", "before", "next"]);
      expect([hasRun, own.inTransaction]).toEqual([false, false]);
      await notes.exec(INSERT);
      expect(await notes.prepare(COUNT).pluck().get()).toBe(4);
    }));
});
