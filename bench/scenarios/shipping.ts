/**
 * SHIPPING: what it costs that commits leave the machine. 64 callers over 100 databases, durable
 * here or in the sink; the sink is a folder, or one that answers as late as a bucket across a region.
 *
 * Prices are those of Amazon S3 Standard in us-east-1 for requests: storage and traffic come on top,
 * and depend on the data, not on how often it is shipped.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Manager } from "../../src/index.ts";
import { callers, type Metric, type Round, type Scenario, type Side } from "../harness.ts";
import { late } from "../late-store.ts";
import { latency, perSecond } from "../metrics.ts";
import { openFolderStore, openOurs } from "../ours.ts";
import { NOTE_INSERT, NOTE_ROWS, NOTE_TABLE, note, numbers, verifyNotes } from "../workload.ts";

const DATABASES = 100;
const CALLERS = 64;
const COMMITS = 40_000;
/** Where each flush waits for the bucket, a round of so many commits takes as long. */
const REMOTE_SHARE = 0.1;
const BUCKET_MS = 30;
const PUT_DOLLARS = 0.005 / 1000;
const GET_DOLLARS = 0.0004 / 1000;

interface Kind {
  readonly name: string;
  /** Undefined: nothing is shipped. */
  readonly delayMs?: number;
  readonly durability: "local" | "remote";
}

const KINDS: readonly Kind[] = [
  { name: "no sink", durability: "local" },
  { name: "folder, local", delayMs: 0, durability: "local" },
  { name: "folder, remote", delayMs: 0, durability: "remote" },
  { name: `${BUCKET_MS} ms away, local`, delayMs: BUCKET_MS, durability: "local" },
  { name: `${BUCKET_MS} ms away, remote`, delayMs: BUCKET_MS, durability: "remote" },
];

async function side(kind: Kind, { directory, scale }: { directory: string; scale: number }) {
  const { name, delayMs, durability } = kind;
  const folder = join(directory, name.replaceAll(/\W+/g, "-"));
  mkdirSync(folder, { recursive: true });
  const sink =
    delayMs === undefined ? undefined : late(await openFolderStore(join(folder, "sink")), delayMs);
  const manager = await openOurs(join(folder, "store"), { ...(sink && { sink, durability }) });
  const load = await Load.open(manager);
  const share = durability === "remote" ? REMOTE_SHARE : 1;
  const made: Side = {
    name,
    round: () => load.round(Math.ceil(COMMITS * scale * share)),
    verify: () => load.verify(),
    close: () => manager.close(),
  };
  return made;
}

class Load {
  readonly #inserts: readonly ((id: number) => Promise<unknown>)[];
  readonly #rows: readonly (() => Promise<unknown[]>)[];
  readonly #manager: Manager;
  #written = 0;

  private constructor(parts: {
    inserts: readonly ((id: number) => Promise<unknown>)[];
    rows: readonly (() => Promise<unknown[]>)[];
    manager: Manager;
  }) {
    this.#inserts = parts.inserts;
    this.#rows = parts.rows;
    this.#manager = parts.manager;
  }

  static async open(manager: Manager): Promise<Load> {
    const databases = await Promise.all(
      Array.from({ length: DATABASES }, async (_, at) => {
        const database = await manager.database(`tenant-${at}`);
        await database.exec(NOTE_TABLE);
        return database;
      }),
    );
    const inserts = databases.map((database) => {
      const statement = database.prepare(NOTE_INSERT);
      return (index: number) => {
        const { id, owner, body } = note(index);
        return statement.run(id, owner, body);
      };
    });
    const rows = databases.map((database) => () => database.prepare(NOTE_ROWS).all());
    return new Load({ inserts, rows, manager });
  }

  async round(operations: number): Promise<Round> {
    const from = this.#written;
    this.#written += operations;
    const latenciesMs = new Array<number>(operations);
    const before = this.#requests();
    const seconds = await callers({ count: CALLERS, operations }, async (index) => {
      const began = performance.now();
      await this.#inserts[(from + index) % DATABASES]?.(from + index);
      latenciesMs[index] = performance.now() - began;
    });
    const after = this.#requests();
    const counts = { puts: after.puts - before.puts, gets: after.gets - before.gets };
    return { operations, seconds, latenciesMs, counts };
  }

  /** By what they are charged as. */
  #requests(): { readonly puts: number; readonly gets: number } {
    const { writes: puts = 0, reads: gets = 0 } = this.#manager.diagnostics().sink?.requests ?? {};
    return { puts, gets };
  }

  async verify(): Promise<void> {
    for (const [at, rows] of this.#rows.entries()) {
      const ids = [...numbers(0, this.#written)].filter((id) => id % DATABASES === at);
      verifyNotes(await rows(), ids);
    }
  }
}

const count = (round: Round, name: string): number => round.counts?.[name] ?? Number.NaN;

const METRICS: readonly Metric[] = [
  perSecond("commits"),
  latency(50, { unit: "ms" }),
  latency(99, { unit: "ms" }),
  {
    name: "puts, 1,000 commits",
    unit: "",
    better: "less",
    of: (round) => (count(round, "puts") * 1000) / round.operations,
    targets: [],
  },
  {
    name: "puts, a second",
    unit: "/s",
    better: "less",
    of: (round) => count(round, "puts") / round.seconds,
    targets: [],
  },
  {
    name: "requests, a month of this load",
    unit: "US$",
    better: "less",
    of: (round) => {
      const dollars = count(round, "puts") * PUT_DOLLARS + count(round, "gets") * GET_DOLLARS;
      return (dollars * 30 * 86_400) / round.seconds;
    },
    targets: [],
  },
];

export const shipping: Scenario = {
  name: "shipping-64",
  what: `one row inserted; ${CALLERS} callers, ${DATABASES} databases, by where it is durable`,
  metrics: METRICS,
  open: (context) => Promise.all(KINDS.map((kind) => side(kind, context))),
};
