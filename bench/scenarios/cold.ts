/**
 * COLD: a machine that has nothing but a bucket. 1,000 databases of 1 MiB each, beside 10 of them; the
 * bucket is a folder, or one that answers as late as a bucket across a region.
 *
 *   cold-start    from an empty directory to the answer of the first query of one database
 *   cold-restore  one database brought back under a new name, into a store that is open
 *
 * What is read must be the rows of the manifest, and nothing of the pages of the others: objects and bytes
 * are told beside the time.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Manager } from "../../src/index.ts";
import { callers, type Round, type Scenario, type Side } from "../harness.ts";
import { late } from "../late-store.ts";
import { counted, opened, took } from "../metrics.ts";
import { openFolderStore, openOurs } from "../ours.ts";

const MANY = 1000;
const FEW = 10;
const FILLERS = 8;
const ROWS = 1000;
const AWAY_MS = 30;
const ROUNDS = 3;
/** What is left to ship may be much, and the machine busy. */
const CLOSE_MS = 600_000;
const FILL =
  "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?) " +
  "insert into note select i, hex(randomblob(500)) from n";

interface Place {
  readonly directory: string;
  readonly databases: number;
}

const nameOf = (at: number): string => `tenant-${at}`;
const bucketOf = ({ directory, databases }: Place): string => join(directory, `${databases}-sink`);

async function sinkOf(place: Place, delayMs: number) {
  mkdirSync(bucketOf(place), { recursive: true });
  return late(await openFolderStore(bucketOf(place)), delayMs);
}

/** A store of so many databases, shipped and closed. */
async function fill(place: Place): Promise<void> {
  const sink = await sinkOf(place, 0);
  const patience = { writeTimeoutMs: 600_000, admissionTimeoutMs: 600_000 };
  const filled = join(place.directory, `${place.databases}-filled`);
  const manager = await openOurs(filled, { sink, limits: patience, closeTimeoutMs: CLOSE_MS });
  await callers({ count: FILLERS, operations: place.databases }, async (at) => {
    const database = await manager.database(nameOf(at));
    await database.exec("create table note (id integer primary key, body text)");
    await database.prepare(FILL).run(ROWS);
    await database.close();
  });
  await manager.checkpoint();
  const { durableLsn } = manager.diagnostics().log;
  await manager.durable(durableLsn, { level: "remote" });
  await closed(manager);
}

/** With everything in its sink. */
async function closed(manager: Manager): Promise<void> {
  await manager.close();
  const left = manager.diagnostics().sink?.unshippedBytes ?? 0;
  if (left > 0) throw new Error(`${left} bytes were not shipped before the time was over`);
}

async function asked(manager: Manager, name: string): Promise<void> {
  const database = await manager.database(name, { create: false });
  const body = await database
    .prepare("select body from note where id = ?")
    .pluck()
    .get(ROWS / 2);
  if (typeof body !== "string" || body.length !== 1000) throw new Error("it is not the row");
  await database.close();
}

/** A side whose rounds have each a store of their own, which is removed afterwards. */
function side(
  name: string,
  { place, delayMs }: { readonly place: Place; readonly delayMs: number },
  round: (sink: Awaited<ReturnType<typeof sinkOf>>, at: number) => Promise<Round>,
): Side {
  return {
    name,
    round: async (at) => round(await sinkOf(place, delayMs), at),
    async verify() {},
    async close() {},
  };
}

function starts(name: string, place: Place, delayMs: number): Side {
  return side(name, { place, delayMs }, async (sink, at) => {
    const directory = join(place.directory, `started-${place.databases}-${delayMs}-${at}`);
    const began = performance.now();
    const manager = await openOurs(directory, {
      sink,
      startFromSink: true,
      closeTimeoutMs: CLOSE_MS,
    });
    const openMs = performance.now() - began;
    await asked(manager, nameOf((at * 7) % place.databases));
    const seconds = (performance.now() - began) / 1000;
    const { residency } = manager.diagnostics();
    const { objects = 0, bytes = 0 } = residency?.startedFrom ?? {};
    const { fetches = 0, fetchedBytes = 0 } = residency ?? {};
    await closed(manager);
    rmSync(directory, { recursive: true });
    const counts = { openMs, objects: objects + fetches, bytes: bytes + fetchedBytes };
    return { operations: 1, seconds, counts };
  });
}

function restores(name: string, place: Place, delayMs: number): Side {
  return side(name, { place, delayMs }, async (from, at) => {
    const directory = join(place.directory, `restored-${place.databases}-${delayMs}-${at}`);
    const manager = await openOurs(directory);
    const database = nameOf((at * 7) % place.databases);
    const began = performance.now();
    const { reads } = await manager.restore({ database, as: "back", from });
    const seconds = (performance.now() - began) / 1000;
    await asked(manager, "back");
    await manager.close();
    rmSync(directory, { recursive: true });
    const { requests: objects, bytes } = reads;
    return { operations: 1, seconds, counts: { objects, bytes } };
  });
}

const taken = took("time");
const requests = counted("objects", { count: "objects", unit: "requests" });
const bytes = counted("bytes", { count: "bytes", unit: "MiB", perUnit: 2 ** 20 });

const shipped = new Set<string>();

function scenario(
  named: Pick<Scenario, "name" | "what" | "metrics">,
  of: (name: string, place: Place, delayMs: number) => Side,
): Scenario {
  return {
    ...named,
    rounds: ROUNDS,
    async open({ directory, scale }) {
      const sides: Side[] = [];
      for (const databases of [Math.max(FEW + 1, Math.ceil(MANY * scale)), FEW]) {
        const place = { directory, databases };
        if (!shipped.has(bucketOf(place))) await fill(place);
        shipped.add(bucketOf(place));
        sides.push(of(`of ${databases}, folder`, place, 0));
        sides.push(of(`of ${databases}, ${AWAY_MS} ms away`, place, AWAY_MS));
      }
      return sides;
    },
  };
}

export const coldStart = scenario(
  {
    name: "cold-start",
    what: "an empty directory and a bucket of 1,000 databases of 1 MiB: one of them asked",
    metrics: [taken, opened, requests, bytes],
  },
  starts,
);

export const coldRestore = scenario(
  {
    name: "cold-restore",
    what: "one database of 1 MiB out of a bucket of 1,000, or of 10, under a new name",
    metrics: [taken, requests, bytes],
  },
  restores,
);
