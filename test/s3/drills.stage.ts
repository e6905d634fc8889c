/**
 * DRILLS AGAINST A REAL SERVICE: it is away, slow, out of order, lies, while a store goes on. Then
 * everything is there, and what is restored is what was.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Database, Manager, type ManagerOptions } from "../../src/index.ts";
import { type FaultProxy, type ProxyFault, startFaultProxy } from "./fault-proxy.ts";

const BUCKET = "bop-drills";
const DATABASES = 6;
const MIB = 1024 * 1024;
const TABLE = "create table if not exists note (id integer primary key, body text not null)";

let proxy: FaultProxy;

beforeAll(async () => {
  const endpoint = process.env.BOP_S3_ENDPOINT ?? "";
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
  proxy = await startFaultProxy(endpoint);
});

beforeEach(() => {
  proxy.decide = () => undefined;
});

afterAll(() => proxy.close());

interface Drill {
  readonly folder: string;
  readonly sink: string;
  open(options?: Partial<ManagerOptions>): Promise<Manager>;
}

async function drill(): Promise<Drill> {
  const folder = await mkdtemp(join(tmpdir(), "bop-drill-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const prefix = randomBytes(6).toString("hex");
  const parameters = `region=us-east-1&endpoint=${proxy.endpoint}&timeoutMs=2000`;
  const sink = `s3://${BUCKET}/${prefix}?${parameters}`;
  return {
    folder,
    sink,
    open: (options) =>
      Manager.open({
        directory: join(folder, "store"),
        sink,
        flushIntervalMs: 100,
        segmentBytes: MIB,
        checkpointLogBytes: 2 * MIB,
        ...options,
      }),
  };
}

/** Callers that write until they are told to stop. Nobody may be refused. */
class Load {
  readonly #done: Promise<unknown>;
  #stopped = false;
  commits = 0;

  private constructor(databases: readonly Database[]) {
    this.#done = Promise.all(databases.map((database) => this.#write(database)));
  }

  static async start(manager: Manager): Promise<Load> {
    const names = Array.from({ length: DATABASES }, (_, at) => `tenant-${at}`);
    const databases = await Promise.all(names.map((name) => manager.database(name)));
    for (const database of databases) await database.exec(TABLE);
    return new Load(databases);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #write(database: Database): Promise<void> {
    const insert = database.prepare("insert into note (body) values (?)");
    for (let n = 0; !this.#stopped; n++) {
      await insert.run(`${n} ${"x".repeat((n * 97) % 3000)}`);
      this.commits += 1;
      await sleep(1);
    }
  }
}

async function shipped(manager: Manager): Promise<void> {
  const { durableLsn } = manager.diagnostics().log.marks;
  await manager.durable(durableLsn, { level: "remote" });
}

/** What every database holds, as the hash of its file. */
async function contents(manager: Manager, folder: string): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for (const { name } of await manager.list()) {
    const path = join(folder, `${name}.${randomBytes(4).toString("hex")}.sqlite`);
    const database = await manager.database(name, { create: false });
    await database.export(path);
    hashes.set(
      name,
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex"),
    );
  }
  return hashes;
}

/** All that the store holds is in the bucket; what is restored from there is bit for bit the same. */
async function comparesAfterRestore(manager: Manager, { folder, sink }: Drill): Promise<void> {
  await shipped(manager);
  const before = await contents(manager, folder);
  expect(before.size).toBe(DATABASES);
  await manager.close();
  const directory = join(folder, "restored");
  await Manager.restore({ from: sink, directory });
  const restored = await Manager.open({ directory });
  expect(await contents(restored, folder)).toEqual(before);
  await restored.close();
}

describe("a bucket", () => {
  test("that is away for a while costs nobody a commit, and has everything afterwards", async () => {
    const place = await drill();
    const manager = await place.open();
    const load = await Load.start(manager);
    await sleep(500);
    proxy.decide = () => ({ type: "refuse" });
    const before = load.commits;
    await sleep(6000);
    expect(load.commits).toBeGreaterThan(before);
    const sink = () => manager.diagnostics().sink;
    expect(sink()?.unshippedBytes).toBeGreaterThan(0);
    await expect.poll(() => sink()?.lastError, { timeout: 60_000 }).toMatch(/BOP_SINK_UN/);
    proxy.decide = () => undefined;
    await load.stop();
    await comparesAfterRestore(manager, place);
  }, 120_000);

  test("that answers 500 and 503, breaks off and lies has no half of anything", async () => {
    const place = await drill();
    const manager = await place.open();
    const load = await Load.start(manager);
    const faults: readonly ProxyFault[] = [
      { type: "answer", status: 500 },
      { type: "answer", status: 503, code: "SlowDown" },
      { type: "answer-after", status: 500 },
      { type: "refuse" },
      { type: "cut" },
      { type: "damage" },
      { type: "wait", ms: 2500 },
      { type: "answer", status: 409, code: "ConditionalRequestConflict" },
    ];
    let n = 0;
    proxy.decide = () => {
      n += 1;
      return n % 3 === 0 ? faults[(n / 3) % faults.length] : undefined;
    };
    await sleep(8000);
    proxy.decide = () => undefined;
    await load.stop();
    for (const { type } of faults) expect(proxy.counts.get(type)).toBeGreaterThan(0);
    await comparesAfterRestore(manager, place);
  }, 120_000);
});

describe("a slow bucket, and one that is read under faults", () => {
  test("delays who asked for it, and nobody else", async () => {
    const place = await drill();
    const manager = await place.open();
    const remote = await manager.database("remote", { durability: "remote" });
    await remote.exec(TABLE);
    proxy.decide = () => ({ type: "wait", ms: 1000 });
    const order: string[] = [];
    const here = await manager.database("local");
    const waits = remote.exec("insert into note values (1, 'x')").then(() => order.push("remote"));
    await here.exec(TABLE);
    await here.exec("insert into note values (1, 'x')");
    order.push("local");
    await waits;
    expect(order).toEqual(["local", "remote"]);
    proxy.decide = () => undefined;
    await manager.close();
  }, 60_000);

  test("gives back the same", async () => {
    const place = await drill();
    const manager = await place.open();
    const load = await Load.start(manager);
    await sleep(1500);
    await load.stop();
    await shipped(manager);
    const before = await contents(manager, place.folder);
    await manager.close();
    let n = 0;
    proxy.decide = () => {
      n += 1;
      if (n % 4 === 0) return { type: "cut" };
      if (n % 7 === 0) return { type: "damage" };
      return n % 9 === 0 ? { type: "answer", status: 503 } : undefined;
    };
    const directory = join(place.folder, "restored");
    await Manager.restore({ from: place.sink, directory });
    proxy.decide = () => undefined;
    const restored = await Manager.open({ directory });
    expect(await contents(restored, place.folder)).toEqual(before);
    await restored.close();
  }, 120_000);
});

/** Rows of a kilobyte each, which nothing makes smaller. */
const FILL =
  "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?) " +
  "insert into note select i, hex(randomblob(500)) from n";
const SUM = "select count(*) || ' ' || total(length(body)) || ' ' || max(body) from note";

async function filled(manager: Manager, name: string, rows: number): Promise<unknown> {
  const database = await manager.database(name);
  await database.exec(TABLE);
  await database.prepare(FILL).run(rows);
  return database.prepare(SUM).pluck().get();
}

const sumOf = async (manager: Manager, name: string) =>
  (await manager.database(name, { create: false })).prepare(SUM).pluck().get();

const isChunk = ({ method, path }: { readonly method: string; readonly path: string }) =>
  method === "GET" && path.includes("/chunks/");

const NAMES = ["one", "two", "three", "four"];

async function coldStore(place: Drill) {
  const first = await place.open();
  const sums = new Map<string, unknown>();
  for (const name of NAMES) sums.set(name, await filled(first, name, 4000));
  await first.checkpoint();
  await shipped(first);
  await first.close();
  const directory = join(place.folder, "cold");
  const open = () => place.open({ directory, startFromSink: true, cacheBytes: MIB });
  return { sums, open };
}

describe("a store that starts in an empty directory", () => {
  test("reads what it needs while the bucket fails now and then, and reads it right", async () => {
    const place = await drill();
    const { sums, open } = await coldStore(place);
    const cold = await open();
    const faults: readonly ProxyFault[] = [
      { type: "answer", status: 500 },
      { type: "refuse" },
      { type: "cut" },
      { type: "answer", status: 503, code: "SlowDown" },
    ];
    let n = 0;
    let happened = 0;
    proxy.decide = (request) => {
      if (!isChunk(request)) return undefined;
      n += 1;
      if (n % 2 === 1) return undefined;
      happened += 1;
      // Wrong bytes twice at the same place are damage, and no accident of the way.
      return n % 26 === 4 ? { type: "damage" } : faults[(n / 2) % faults.length];
    };
    for (const name of NAMES) expect(await sumOf(cold, name)).toBe(sums.get(name));
    expect(happened).toBeGreaterThan(4);
    proxy.decide = () => undefined;
    await cold.close();
  }, 240_000);

  test("tells who reads what the bucket does not give, serves the rest, and gets over it", async () => {
    const place = await drill();
    const { sums, open } = await coldStore(place);
    const cold = await open();
    expect(await sumOf(cold, "one")).toBe(sums.get("one"));
    const failures: readonly [ProxyFault, string, RegExp][] = [
      [{ type: "answer", status: 500 }, "two", /^BOP_SINK_UNAVAILABLE$/],
      [{ type: "refuse" }, "two", /^BOP_SINK_UNAVAILABLE$/],
      [{ type: "damage" }, "three", /^BOP_(SINK_)?CORRUPT$/],
    ];
    for (const [fault, name, code] of failures) {
      proxy.decide = (request) => (isChunk(request) ? fault : undefined);
      const error = await sumOf(cold, name).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: expect.stringMatching(code) });
      const { lsn } = await (await cold.database("one"))
        .prepare("insert into note (body) values ('meanwhile')")
        .run();
      expect(lsn).toBeGreaterThan(0);
    }
    proxy.decide = () => undefined;
    expect(await sumOf(cold, "two")).toBe(sums.get("two"));
    await cold.close();
    const again = await open();
    for (const name of ["three", "four"]) expect(await sumOf(again, name)).toBe(sums.get(name));
    await again.close();
  }, 240_000);
});

describe("a store with less disk than data", () => {
  test("keeps no more than its budget on disk, and has all of it all the same", async () => {
    const place = await drill();
    const budget = 64 * MIB;
    const limits = { diskBytes: budget };
    const manager = await place.open({ limits, checkpointLogBytes: 16 * MIB, historyMs: 0 });
    const names = Array.from({ length: 6 }, (_, at) => `part-${at}`);
    const sums = new Map<string, unknown>();
    for (const name of names) {
      sums.set(name, await filled(manager, name, 20_000));
      await manager.checkpoint();
    }
    await shipped(manager);
    const onDisk = () => {
      const {
        localBytes = 0,
        bothBytes = 0,
        partBytes = 0,
      } = manager.diagnostics().residency ?? {};
      return localBytes + bothBytes + partBytes;
    };
    await expect.poll(onDisk, { timeout: 60_000 }).toBeLessThanOrEqual(budget);
    expect(manager.diagnostics().residency?.evictedChunks).toBeGreaterThan(0);
    for (const name of names) expect(await sumOf(manager, name)).toBe(sums.get(name));
    expect(manager.diagnostics().residency?.fetchedBytes).toBeGreaterThan(16 * MIB);
    await expect.poll(onDisk, { timeout: 60_000 }).toBeLessThanOrEqual(budget);
    await manager.close();
  }, 240_000);
});
