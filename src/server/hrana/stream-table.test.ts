/** What ends streams: over a device that hangs, so that what their transactions do has to wait. */
import { beforeEach, expect, test } from "vitest";
import { type SimulatedWorld, seeded, simulatedWorld } from "../../io/index.ts";
import { type Database, Manager } from "../../manager/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import { resolveLimits } from "../limits.ts";
import { HranaError } from "./error.ts";
import type { StreamRequest } from "./protocol.ts";
import type { Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

const INSERT = "insert into t values (1)";
const HANG_MS = 60_000;
const TRANSACTION_MS = 300;

interface Place {
  readonly streams: StreamTable;
  readonly database: Database;
  /** A commit that is not durable before the device comes back. */
  hang(): Promise<unknown>;
  /** "open" if it has not settled a second from now, else what came of it. */
  outcome(promise: Promise<unknown>): Promise<string>;
}

function within(body: (place: Place) => Promise<void>): Promise<void> {
  const world: SimulatedWorld = simulatedWorld({ seed: 5 });
  const env = world.start();
  const { clock } = env;
  return world.run(async () => {
    const manager = await Manager.open({
      directory: "/store",
      env,
      openKeyValueStore: memoryStores(seeded(6)).openerFor(env),
      inlineFlushMs: 0,
      limits: { writeTimeoutMs: 2 * HANG_MS },
    });
    const database = await manager.database("it");
    await database.exec("create table t (a)");
    const streams = new StreamTable({
      clock,
      limits: resolveLimits({ transactionMs: TRANSACTION_MS }),
      openDatabase: (name) => manager.database(name),
      onError: () => {},
    });
    const hang = () => {
      world.disk.hangNext({ operation: "sync", pathPattern: /wal/, ms: HANG_MS });
      world.disk.hangNext({ operation: "write", pathPattern: /wal/, ms: HANG_MS });
      return database.exec("insert into t values (0)");
    };
    const outcome = (promise: Promise<unknown>): Promise<string> => {
      const settled = promise.then(
        () => "done",
        (error: { code?: string; message: string }) => error.code ?? error.message,
      );
      return Promise.race([settled, clock.sleep(1000).then(() => "open")]);
    };
    await body({ streams, database, hang, outcome });
    await streams.close();
    await manager.close();
  });
}

function asked(stream: Stream, sql: string, type: "execute" | "sequence" = "execute") {
  const statement = { sql, positional: [], named: [], wantRows: true };
  const request: StreamRequest = type === "execute" ? { type, statement } : { type, sql };
  return stream.run(request, { leftBytes: 1024 });
}

/** The writer is free. */
async function beginsAtOnce({ database, outcome }: Place): Promise<void> {
  const own = await database.connect();
  expect(await outcome(own.exec("begin immediate"))).toBe("done");
  await own.close();
}

beforeEach(() => prepareEngines("sqlite", 2));

test("a transaction whose time is up is rolled back under a request that waits, which is told why", () =>
  within(async (place) => {
    const { streams, hang, outcome } = place;
    const before = hang();
    const { stream } = await streams.open("it");
    expect(await outcome(asked(stream, "begin immediate"))).toBe("done");
    expect(await outcome(asked(stream, INSERT))).toBe("TRANSACTION_TIMEOUT");
    await beginsAtOnce(place);
    expect(await outcome(asked(stream, "commit"))).toBe("TRANSACTION_TIMEOUT");
    await before;
  }));

test("a transaction that a script began has its time too, though the script was not answered yet", () =>
  within(async (place) => {
    const { streams, hang, outcome } = place;
    const before = hang();
    const { stream } = await streams.open("it");
    const script = asked(stream, `begin immediate; ${INSERT}`, "sequence");
    expect(await outcome(script)).toBe("TRANSACTION_TIMEOUT");
    await beginsAtOnce(place);
    await before;
  }));

test("a transaction that has committed and waits to say so is not out of time", () =>
  within(async ({ streams, database, hang, outcome }) => {
    const { stream } = await streams.open("it");
    expect(await outcome(asked(stream, "begin immediate"))).toBe("done");
    expect(await outcome(asked(stream, INSERT))).toBe("done");
    const before = hang();
    const committing = asked(stream, "commit");
    expect(await outcome(committing)).toBe("open");
    await Promise.all([before, committing]);
    expect(stream.ended).toBeUndefined();
    expect(await database.prepare("select count(*) from t").pluck().get()).toBe(2);
  }));

test("a client that hangs up while his transaction waits keeps nobody from writing", () =>
  within(async (place) => {
    const { streams, hang, outcome } = place;
    const before = hang();
    const { stream } = await streams.open("it");
    await asked(stream, "begin immediate");
    const inserting = asked(stream, INSERT);
    stream.end(new HranaError("CLIENT_GONE", "the client hung up"));
    expect(await outcome(inserting)).toBe("CLIENT_GONE");
    await beginsAtOnce(place);
    await before;
  }));

test("what a client that hung up has sent without a transaction is done", () =>
  within(async ({ streams, database, hang, outcome }) => {
    const before = hang();
    const { stream } = await streams.open("it");
    const inserting = asked(stream, INSERT);
    stream.end(new HranaError("CLIENT_GONE", "the client hung up"));
    expect(await outcome(inserting)).toBe("open");
    await Promise.all([before, inserting]);
    expect(await database.prepare("select count(*) from t").pluck().get()).toBe(2);
  }));
