/** Transactions within a transaction: in which order they take their turns, and how they end. */
import { describe, expect, test } from "vitest";
import type { Transaction } from "../../src/index.ts";
import { openDatabase } from "../support/store.ts";

async function begin() {
  const db = await openDatabase();
  await db.exec("create table t (v integer)");
  const values = () => db.prepare("select v from t order by rowid").pluck<number>().all();
  return { db, values };
}

const insert = (value: number) => `insert into t values (${value})`;
const outcomes = async (calls: readonly Promise<unknown>[]) =>
  (await Promise.allSettled(calls)).map((settled) =>
    settled.status === "fulfilled" ? "done" : (settled.reason.code ?? settled.reason.message),
  );
const REFUSED = expect.stringContaining("a nested transaction is open");

/** A promise that is settled by hand, or never. */
function byHand() {
  let release = (): void => {};
  const promise = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { promise, release };
}

describe.each(["immediate", "deferred"] as const)("a nested transaction (%s)", (mode) => {
  test("that is undone takes no call along that was made before it", async () => {
    const { db, values } = await begin();
    const told = await db.transaction(
      (tx) =>
        outcomes([
          tx.exec(insert(1)),
          tx.prepare(insert(2)).run(),
          tx.transaction(async (inner) => {
            await inner.exec(insert(3));
            throw new Error("only me");
          }),
        ]),
      { mode },
    );
    expect(told).toEqual(["done", "done", "only me"]);
    expect(await values()).toEqual([1, 2]);
  });

  test("begins behind the calls before it, and those of the handle around it are refused until its end", async () => {
    const { db, values } = await begin();
    const told = await db.transaction(
      async (tx) => [
        ...(await outcomes([
          tx.exec(insert(1)),
          tx.transaction((inner) => outcomes([inner.exec(insert(2)), inner.exec(insert(3))])),
          tx.exec(insert(4)),
          tx.transaction((inner) => inner.exec(insert(5))),
        ])),
        ...(await outcomes([tx.transaction((inner) => inner.exec(insert(6))), tx.exec(insert(7))])),
        ...(await outcomes([tx.exec(insert(8))])),
      ],
      { mode },
    );
    expect(told).toEqual(["done", "done", REFUSED, REFUSED, "done", REFUSED, "done"]);
    expect(await values()).toEqual([1, 2, 3, 6, 8]);
  });

  test("that is open when the function around it returns is undone, and says why", async () => {
    const { db, values } = await begin();
    const [isOpen, goesOn] = [byHand(), byHand()];
    const late: Promise<unknown>[] = [];
    let nested: Promise<unknown> | undefined;
    await db.transaction(
      async (tx) => {
        await tx.exec(insert(1));
        nested = tx.transaction(async (inner) => {
          await inner.exec(insert(2));
          isOpen.release();
          await goesOn.promise;
          late.push(inner.exec(insert(3)), inner.prepare(insert(4)).run());
        });
        nested.catch(() => undefined);
        await Promise.race([nested, isOpen.promise]);
      },
      { mode },
    );
    await expect(nested).rejects.toMatchObject({
      code: "BOP_CLOSED",
      message: expect.stringContaining("returned before"),
    });
    expect(await values()).toEqual([1]);
    goesOn.release();
    await goesOn.promise;
    expect(await outcomes(late)).toEqual(["BOP_CLOSED", "BOP_CLOSED"]);
    expect(await values()).toEqual([1]);
  });

  test("that has not begun when the function around it returns never does; calls before it are done", async () => {
    const { db, values } = await begin();
    let told: Promise<string[]> | undefined;
    let hasBegun = false;
    await db.transaction(
      (tx) => {
        told = outcomes([
          tx.exec(insert(1)),
          tx.transaction(() => {
            hasBegun = true;
          }),
        ]);
      },
      { mode },
    );
    expect(await told).toEqual(["done", "BOP_CLOSED"]);
    expect(hasBegun).toBe(false);
    expect(await values()).toEqual([1]);
  });

  test("takes the nested ones within it along, and is not touched by one that it leaves open", async () => {
    const { db, values } = await begin();
    const told: Promise<string[]>[] = [];
    const leaveOpen = async (tx: Transaction, value: number) => {
      const isOpen = byHand();
      const nested = tx.transaction(async (inner) => {
        await inner.exec(insert(value));
        isOpen.release();
        await byHand().promise;
      });
      told.push(outcomes([nested]));
      await isOpen.promise;
    };
    await db.transaction(
      async (tx) => {
        await tx.transaction(async (inner) => {
          await inner.exec(insert(1));
          await leaveOpen(inner, 2);
        });
        const undone = tx.transaction(async (inner) => {
          await inner.exec(insert(3));
          await leaveOpen(inner, 4);
          throw new Error("only us");
        });
        await expect(undone).rejects.toThrow("only us");
        await tx.exec(insert(5));
      },
      { mode },
    );
    expect(await Promise.all(told)).toEqual([["BOP_CLOSED"], ["BOP_CLOSED"]]);
    expect(await values()).toEqual([1, 5]);
  });

  test("ends with the one around it at once, also where its own function hangs", async () => {
    const { db, values } = await begin();
    const abort = new AbortController();
    const told: Promise<string[]>[] = [];
    const hang = async (tx: Transaction) => {
      const nested = tx.transaction(async (inner) => {
        await inner.exec(insert(1));
        abort.abort(new Error("changed my mind"));
        await byHand().promise;
      });
      told.push(outcomes([nested]));
      await nested;
    };
    const around = db.transaction(hang, { mode, signal: abort.signal });
    await expect(around).rejects.toThrow("changed my mind");
    await db.transaction((tx) => tx.exec(insert(2)), { mode });
    expect(await Promise.all(told)).toEqual([["BOP_CLOSED"]]);
    expect(await values()).toEqual([2]);
  });
});

describe("a connection's transaction", () => {
  test("has its nested ones in order, too, and undoes what is left open", async () => {
    const { db, values } = await begin();
    const connection = await db.connect();
    const isOpen = byHand();
    let told: Promise<string[]> | undefined;
    await connection.transaction(async (tx) => {
      told = outcomes([
        tx.exec(insert(1)),
        tx.transaction(async (inner) => {
          await inner.exec(insert(2));
          isOpen.release();
          await byHand().promise;
        }),
      ]);
      await isOpen.promise;
    });
    expect(await told).toEqual(["done", "BOP_CLOSED"]);
    expect(await values()).toEqual([1]);
    expect(connection.inTransaction).toBe(false);
    await connection.close();
  });

  test("leaves its connection alone when that is closed while a nested one is open", async () => {
    const { db, values } = await begin();
    const [isOpen, goesOn, isUndone, ends] = [byHand(), byHand(), byHand(), byHand()];
    const connection = await db.connect();
    const lost = connection.transaction(async (tx) => {
      const nested = tx.transaction(async (inner) => {
        await inner.exec(insert(1));
        isOpen.release();
        await goesOn.promise;
        throw new Error("only me");
      });
      await nested.catch(() => isUndone.release());
      await ends.promise;
    });
    const told = outcomes([lost]);
    await isOpen.promise;
    await connection.close();
    const other = await db.connect(); // It takes over the one beneath.
    await other.exec(`begin; savepoint bop_1; ${insert(2)}`);
    goesOn.release();
    await isUndone.promise;
    await other.exec("commit");
    expect(await values()).toEqual([2]);
    await other.close();
    ends.release();
    await told;
  });
});

test("an iterator is not stepped for the first time within a nested transaction", async () => {
  const { db, values } = await begin();
  await db.transaction(async (tx) => {
    const early = tx
      .prepare(`${insert(1)} returning v`)
      .pluck()
      .iterate();
    const rows = tx.prepare("values (7), (8)").pluck().iterate();
    expect(await rows.next()).toEqual({ done: false, value: 7 });
    await expect(
      tx.transaction(async (inner) => {
        await inner.exec(insert(2));
        await expect(early.next()).rejects.toThrow("a nested transaction is open");
        expect(await rows.next()).toEqual({ done: false, value: 8 });
        throw new Error("only me");
      }),
    ).rejects.toThrow("only me");
    expect(await early.next()).toEqual({ done: false, value: 1 });
  });
  expect(await values()).toEqual([1]);
});
