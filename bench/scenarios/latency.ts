/**
 * LATENCY OF COMMITS: durable single-row inserts from 1, 16, 64 and 512 callers, through each driver
 * of the log, with the time of every one of them. Here a side is a driver, and no target is set:
 * these numbers say what to expect, and which driver serves whom.
 *
 * The time of the processor is that of the whole process, other threads and the callers included.
 */
import { join } from "node:path";
import { callers, type Metric, type Round, type Scenario, type Side } from "../harness.ts";
import { latency } from "../metrics.ts";
import { openOurs } from "../ours.ts";
import { openPeer } from "../peer.ts";
import {
  NOTE_INSERT,
  NOTE_ROWS,
  NOTE_TABLE,
  type Note,
  note,
  numbers,
  verifyNotes,
} from "../workload.ts";

const COMMITS = { 1: 4000, 16: 20_000, 64: 60_000, 512: 100_000 } as const;
type Callers = keyof typeof COMMITS;

type Insert = (note: Note) => Promise<unknown> | unknown;

/** Rounds of inserts, each of them timed. */
class Timed {
  readonly #count: number;
  readonly #insert: Insert;
  written = 0;

  constructor(count: number, insert: Insert) {
    this.#count = count;
    this.#insert = insert;
  }

  async round(operations: number): Promise<Round> {
    const notes = Array.from(numbers(this.written, this.written + operations), note);
    this.written += operations;
    const latenciesMs = new Array<number>(operations);
    const before = process.cpuUsage();
    const seconds = await callers({ count: this.#count, operations }, async (index) => {
      const began = performance.now();
      await this.#insert(notes[index] as Note);
      latenciesMs[index] = performance.now() - began;
    });
    const { user, system } = process.cpuUsage(before);
    return { operations, seconds, latenciesMs, counts: { cpuUs: user + system } };
  }
}

interface Size {
  readonly directory: string;
  readonly count: Callers;
  readonly scale: number;
}

const operationsOf = ({ count, scale }: Size): number => Math.ceil(COMMITS[count] * scale);

async function ours(io: "direct" | "standard", size: Size): Promise<Side> {
  const manager = await openOurs(join(size.directory, io), { io });
  const database = await manager.database("notes");
  await database.exec(NOTE_TABLE);
  const statement = database.prepare(NOTE_INSERT);
  const timed = new Timed(size.count, ({ id, owner, body }) => statement.run(id, owner, body));
  return {
    name: `bop ${io}`,
    round: () => timed.round(operationsOf(size)),
    verify: async () => {
      verifyNotes(await database.prepare(NOTE_ROWS).all(), numbers(0, timed.written));
    },
    close: () => manager.close(),
  };
}

/** It flushes within the call, so every caller but one waits for its turn. */
function peer(size: Size): Side {
  const database = openPeer(join(size.directory, "peer.sqlite"));
  database.exec(NOTE_TABLE);
  const statement = database.prepare(NOTE_INSERT);
  const timed = new Timed(size.count, ({ id, owner, body }) => statement.run(id, owner, body));
  const operations = Math.ceil(operationsOf(size) / (size.count === 1 ? 1 : 10));
  return {
    name: "better-sqlite3",
    round: () => timed.round(operations),
    verify: async () => {
      verifyNotes(database.prepare(NOTE_ROWS).iterate(), numbers(0, timed.written));
    },
    close: async () => database.close(),
  };
}

const METRICS: readonly Metric[] = [
  latency(50),
  latency(99),
  latency(99.9),
  {
    name: "processor, a commit",
    unit: "µs",
    better: "less",
    of: ({ operations, counts }) => (counts?.cpuUs ?? Number.NaN) / operations,
    targets: [],
  },
  {
    name: "durable commits",
    unit: "/s",
    better: "more",
    of: ({ operations, seconds }) => operations / seconds,
    targets: [],
  },
];

/** One scenario for each number of callers. The direct driver is left out where it is refused. */
export const commitLatencies: readonly Scenario[] = ([1, 16, 64, 512] as const).map((count) => ({
  name: `latency-${count}`,
  what: `one row inserted, durable; ${count} ${count === 1 ? "caller" : "callers"}, by driver`,
  metrics: METRICS,
  async open({ directory, scale }) {
    const size: Size = { directory, count, scale };
    const direct = await ours("direct", size).catch((error: Error) => {
      console.log(`no direct driver here: ${error.message}`);
      return undefined;
    });
    const sides = [await ours("standard", size), peer(size)];
    return direct === undefined ? sides : [direct, ...sides];
  },
}));
