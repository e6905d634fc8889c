/**
 * Limits and failures of the log as a program meets them, over a simulated disk with both kinds of
 * driver.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { type Connection, isStorageError, Manager } from "../../src/index.ts";
import { prepareEngines } from "../../src/sqlite/index.ts";
import { DRIVERS, FLUSH, refusalOf, WAL, within } from "./hurt-log.fixture.ts";

const BIG = "insert into note (body) values (hex(randomblob(60000)))";

beforeEach(async () => {
  await prepareEngines("sqlite", 2);
});

describe.each(DRIVERS)("a store whose device hangs, %s", (io) => {
  // evidence: G2
  test("shows a transaction what is only committed if it asked for that, and lets nothing out", async () => {
    const limits = { writeTimeoutMs: 60_000 };
    await within({ io, limits, inlineFlushMs: 0 }, async ({ world, env, manager, notes }) => {
      world.disk.hangNext({ operation: FLUSH[io], pathPattern: WAL, ms: 5000 });
      const writing = notes.exec("insert into note (body) values ('one')");
      await env.clock.sleep(100);
      const steps: string[] = [];
      const count = async (reveal: "durable" | "committed") => {
        const other = await manager.database("notes");
        return other
          .transaction(
            async (tx) => {
              const found = await tx.prepare("select count(*) from note").pluck().get();
              steps.push(`${reveal} sees ${found}`);
              if (reveal === "committed") throw new Error("changed my mind");
            },
            { reveal, timeoutMs: 60_000 },
          )
          .catch(() => {})
          .then(() => steps.push(`${reveal} ends`));
      };
      const early = count("committed");
      await env.clock.sleep(1000);
      expect(steps).toEqual(["committed sees 1"]);
      const late = count("durable");
      await env.clock.sleep(1000);
      expect(steps).toEqual(["committed sees 1"]);
      await Promise.all([writing, early, late]);
      expect(steps.toSorted()).toEqual([
        "committed ends",
        "committed sees 1",
        "durable ends",
        "durable sees 1",
      ]);
      await manager.close();
    });
  });

  // evidence: G2
  test("keeps what errors and counts of connections show of commits that may yet be lost", async () => {
    const limits = { writeTimeoutMs: 60_000 };
    await within({ io, limits, inlineFlushMs: 0 }, async ({ world, env, manager, notes }) => {
      await notes.exec("create table old (id)");
      const insert = (or = "") => `insert ${or} into note values (7, 'mine')`;
      const committed = { mode: "deferred", reveal: "committed" } as const;
      const calls: Record<string, (own: Connection) => Promise<unknown>> = {
        script: (own) => own.exec(insert()),
        "script that goes on": (own) => own.exec(`${insert("or ignore")}; select 1`),
        statement: (own) => own.prepare(insert()).run(),
        "statement that does nothing": async (own) => {
          const { changes } = await own.prepare(insert("or ignore")).run();
          return changes;
        },
        "transaction of a script": (own) =>
          own.exec(`begin immediate; ${insert("or ignore")}; commit`),
        "transaction that is rolled back": (own) => own.exec(`begin; ${insert("or rollback")}`),
        "transaction of a function": (own) =>
          own.transaction((tx) => tx.exec(insert("or ignore")), committed),
        "transaction that throws": (own) =>
          own.transaction((tx) => tx.prepare(insert()).run(), committed),
        "table that is gone": (own) => own.exec("insert into old values (1)"),
      };
      const connections: Connection[] = [];
      for (const _ of Object.keys(calls)) connections.push(await notes.connect());
      for (const own of connections) await own.exec("select 1"); // From now on it has its own place.
      world.disk.hangNext({ operation: FLUSH[io], pathPattern: WAL, ms: 5000 });
      const writing = notes.exec("insert into note values (7, 'first'); drop table old");
      await env.clock.sleep(100);
      const heard: Record<string, unknown> = {};
      const running = Object.entries(calls).map(([name, call], index) =>
        call(connections[index] as Connection).then(
          (answer) => {
            heard[name] = answer ?? "done";
          },
          (error) => {
            heard[name] = error.sqliteCode ?? error;
          },
        ),
      );
      await env.clock.sleep(1000);
      expect(heard).toEqual({});
      await Promise.all([writing, ...running]);
      const refused = "SQLITE_CONSTRAINT_PRIMARYKEY";
      expect(heard).toEqual({
        script: refused,
        "script that goes on": "done",
        statement: refused,
        "statement that does nothing": 0,
        "transaction of a script": "done",
        "transaction that is rolled back": refused,
        "transaction of a function": "done",
        "transaction that throws": refused,
        "table that is gone": "SQLITE_ERROR",
      });
      await manager.close();
    });
  });

  // evidence: G2
  test("shows nobody what a connection committed that was closed before it was durable", async () => {
    await within({ io, inlineFlushMs: 0 }, async ({ world, env, manager, notes }) => {
      const own = await notes.connect();
      await own.exec("select 1"); // From now on it has its own place.
      world.disk.hangNext({ operation: FLUSH[io], pathPattern: WAL, ms: 5000 });
      const writing = own.exec("insert into note (body) values ('one')");
      await env.clock.sleep(100);
      await own.close();
      const other = await manager.database("notes");
      const select = other.prepare("select body from note").pluck();
      expect(await select.iterate().next()).toEqual({ done: true, value: undefined });
      await writing;
      expect(await select.iterate().next()).toEqual({ done: false, value: "one" });
      await manager.close();
    });
  });

  // evidence: G2
  test("describes a table to a transaction when it is durable that there is one", async () => {
    const limits = { writeTimeoutMs: 60_000 };
    await within({ io, limits, inlineFlushMs: 0 }, async ({ world, env, manager, notes }) => {
      world.disk.hangNext({ operation: FLUSH[io], pathPattern: WAL, ms: 4000 });
      const creating = notes.exec("create table young (id)");
      await env.clock.sleep(100);
      const heard: unknown[] = [];
      const looking = notes.transaction(async (tx) => {
        const hear = (columns: readonly { name: string }[]) =>
          heard.push(columns.map(({ name }) => name));
        const sql = "select * from young";
        const described = tx.describe(sql).then(({ columns }) => hear(columns));
        await Promise.all([described, tx.prepare(sql).columns().then(hear)]);
      });
      await env.clock.sleep(1000);
      expect(heard).toEqual([]);
      await Promise.all([creating, looking]);
      expect(heard).toEqual([["id"], ["id"]]);
      await manager.close();
    });
  });

  test("lets a handle write behind a connection, whatever a transaction of it left unawaited", async () => {
    const limits = { writeTimeoutMs: 60_000 };
    await within({ io, limits, inlineFlushMs: 0 }, async ({ world, env, manager, notes }) => {
      const own = await notes.connect();
      await own.exec("select 1"); // From now on it has its own place.
      const left: Promise<unknown>[] = [];
      const failing = notes.transaction((tx) => {
        left.push(tx.exec("select 1; select 2").catch((error) => error.code));
        left.push(tx.describe("select 1").catch((error) => error.code));
        throw new Error("changed my mind");
      });
      await expect(failing).rejects.toThrow("changed my mind");
      expect(await Promise.all(left)).toEqual(["BOP_CLOSED", "BOP_CLOSED"]);
      world.disk.hangNext({ operation: FLUSH[io], pathPattern: WAL, ms: 5000 });
      const insert = "insert into note (body) values ('one')";
      const first = own.exec(insert);
      await env.clock.sleep(100);
      expect((await notes.prepare(insert).run()).changes).toBe(1);
      await first;
      await manager.close();
    });
  });

  // evidence: G17
  test("keeps callers waiting who are in, and those at the door until their time is up", async () => {
    const limits = { writeTimeoutMs: 200, admissionTimeoutMs: 3000 };
    await within({ io, limits, inlineFlushMs: 0 }, async ({ world, env, manager, notes }) => {
      await notes.exec("insert into note (body) values ('one')");
      world.disk.hangNext({ operation: FLUSH[io], pathPattern: WAL, ms: 20_000 });
      let answered = false;
      const waiting = notes.exec("insert into note (body) values ('two')").then(() => {
        answered = true;
      });
      await env.clock.sleep(1000);
      const { log, lastFault } = manager.diagnostics();
      expect(log.hung).toMatchObject({ operation: "flushing" });
      expect(log.hung?.file).toMatch(WAL);
      expect(lastFault).toMatchObject({ kind: "BOP_IO", where: "log", count: 1 });
      expect(lastFault?.location).toMatch(/operation-watch\.ts:\d+:\d+$/);
      const late = "insert into note (body) values ('three')";
      // Other sessions: one that wrote is shown nothing before what it wrote is durable.
      const [reader, other] = [await manager.database("notes"), await manager.database("notes")];
      expect(await reader.prepare("select count(*) from note").pluck().get()).toBe(1);
      expect(await refusalOf(other.exec(late))).toBe("device");
      expect(answered).toBe(false);
      await waiting;
      expect(manager.diagnostics().log.hung).toBeUndefined();
      await notes.exec(late);
      await manager.close();
    });
  });

  test("lets those in who were patient enough", async () => {
    const limits = { writeTimeoutMs: 200, admissionTimeoutMs: 60_000 };
    await within({ io, limits, inlineFlushMs: 0 }, async ({ world, env, manager, notes }) => {
      world.disk.hangNext({ operation: FLUSH[io], pathPattern: WAL, ms: 20_000 });
      const first = notes.exec("insert into note (body) values ('one')");
      await env.clock.sleep(1000);
      const second = notes.exec("insert into note (body) values ('two')");
      await Promise.all([first, second]);
      expect(await notes.prepare("select body from note").pluck().all()).toEqual(["one", "two"]);
      await manager.close();
    });
  });
});

describe.each(DRIVERS)("the catalogue while the device hangs, %s", (io) => {
  test("is changed by those who are patient, in order, and by nobody who is not", async () => {
    const limits = { writeTimeoutMs: 200, admissionTimeoutMs: 60_000 };
    await within({ io, limits, inlineFlushMs: 0 }, async ({ world, env, manager, notes }) => {
      await manager.database("old");
      world.disk.hangNext({ operation: FLUSH[io], pathPattern: WAL, ms: 20_000 });
      const first = notes.exec("insert into note (body) values ('one')");
      await env.clock.sleep(1000);
      const changes = [
        manager.database("new"),
        manager.rename("new", "newer"),
        manager.drop("old"),
        manager.log("raft"),
        manager.renameLog("raft", "events"),
      ];
      expect((await manager.list()).map(({ name }) => name)).toEqual(["notes", "old"]);
      await Promise.all([first, ...changes]);
      expect((await manager.list()).map(({ name }) => name)).toEqual(["newer", "notes"]);
      expect((await manager.logs()).map(({ name }) => name)).toEqual(["events"]);
      await manager.close();
    });
  });

  test("refuses when the time is up, and nothing was done", async () => {
    const limits = { writeTimeoutMs: 200, admissionTimeoutMs: 3000 };
    await within({ io, limits, inlineFlushMs: 0 }, async ({ world, env, manager, notes }) => {
      await manager.database("old");
      world.disk.hangNext({ operation: FLUSH[io], pathPattern: WAL, ms: 20_000 });
      const first = notes.exec("insert into note (body) values ('one')");
      await env.clock.sleep(1000);
      const refused = [
        manager.database("new"),
        manager.rename("old", "older"),
        manager.drop("old"),
        manager.log("raft"),
      ].map(refusalOf);
      expect(await Promise.all(refused)).toEqual(["device", "device", "device", "device"]);
      await first;
      expect((await manager.list()).map(({ name }) => name)).toEqual(["notes", "old"]);
      expect(await manager.logs()).toEqual([]);
      await manager.close();
    });
  });

  test("a store that closes does not keep those who wait at the door", async () => {
    const limits = { writeTimeoutMs: 200, admissionTimeoutMs: 60_000 };
    await within({ io, limits, inlineFlushMs: 0 }, async ({ world, env, manager, notes }) => {
      world.disk.hangNext({ operation: FLUSH[io], pathPattern: WAL, ms: 20_000 });
      const first = notes.exec("insert into note (body) values ('one')");
      await env.clock.sleep(1000);
      const late = manager.database("new").catch((error: unknown) => error);
      const closed = manager.close();
      expect(await late).toMatchObject({ code: "BOP_CLOSED" });
      await Promise.allSettled([first, closed]);
    });
  });
});

describe.each(DRIVERS)("a store whose log has failed, %s", (io) => {
  // evidence: G5
  test("turns read-only: connections are closed, and what was not durable is not read", async () => {
    await within({ io, inlineFlushMs: 0 }, async ({ world, manager, notes, reopen }) => {
      await notes.exec("insert into note (body) values ('durable')");
      const connection = await notes.connect();
      await connection.exec("begin; select * from note");
      world.disk.failNext({ operation: "write", pathPattern: WAL, times: 1000 });
      world.disk.failNext({ operation: "sync", pathPattern: WAL, times: 1000 });
      const lost = await notes.exec("insert into note (body) values ('lost')").catch((e) => e);
      expect(isStorageError(lost, "BOP_OUTCOME_UNKNOWN")).toBe(true);
      expect(manager.diagnostics().state).toBe("read-only");
      expect(manager.diagnostics().lastFault?.kind).toBe("BOP_READ_ONLY");
      const more = await notes.exec("insert into note (body) values ('more')").catch((e) => e);
      expect(isStorageError(more, "BOP_READ_ONLY")).toBe(true);
      const read = await connection.execute("select * from note").catch((e) => e.code);
      expect(read).toMatch(/^BOP_/); // Its connection is gone, and its transaction with it.
      expect(await notes.prepare("select body from note").pluck().all()).toEqual(["durable"]);
      world.disk.heal();
      await manager.close();
      const again = await reopen();
      const found = await again.database("notes", { create: false });
      const bodies = await found.prepare("select body from note").pluck().all();
      expect(bodies.slice(0, 1)).toEqual(["durable"]);
      await found.exec("insert into note (body) values ('on')");
      await again.close();
    });
  });
});

describe("limits", () => {
  test("of one database hold up that one, while others go on", async () => {
    const limits = { admissionTimeoutMs: 0 };
    await within({ limits, inlineFlushMs: 0 }, async ({ world, manager, notes }) => {
      const other = await manager.database("other");
      await other.exec("create table note (id integer primary key, body text)");
      await manager.database("notes", { maxBacklogBytes: 128 * 1024 });
      world.disk.hangNext({ operation: "sync", pathPattern: WAL, ms: 500 });
      const first = [notes.exec(BIG), notes.exec(BIG)];
      await Promise.resolve();
      const connection = await notes.connect();
      const refused = await refusalOf(connection.execute(BIG));
      expect(refused).toMatch(/^backlog of stream \d+$/);
      expect(await refusalOf(other.exec(BIG))).toBe("done");
      await Promise.all(first);
      expect(await refusalOf(connection.execute(BIG))).toBe("done");
      await manager.close();
    });
  });

  test("that cannot hold what they must are refused by name", async () => {
    const open = (limits: object) => Manager.open({ directory: "/nowhere", limits });
    await expect(open({ maxBacklog: 1 })).rejects.toThrow(/unknown option "maxBacklog"/);
    await expect(open({ maxBacklogBytes: 1 })).rejects.toThrow(RangeError);
    await expect(open({ maxInflightSegments: 4 })).rejects.toThrow(/want 8 or more/);
    await expect(open({ maxConcurrentWrites: 0 })).rejects.toThrow(RangeError);
    const io = "fast" as "auto";
    await expect(Manager.open({ directory: "/nowhere", io })).rejects.toThrow(/want "auto"/);
    await within({}, async ({ manager }) => {
      const wrong = manager.database("x", { maxBacklogBytes: 5 });
      await expect(wrong).rejects.toThrow(RangeError);
      await manager.close();
    });
  });
});
