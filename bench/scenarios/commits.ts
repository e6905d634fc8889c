/**
 * COMMITS TO ONE DATABASE: durable single-row inserts, each acknowledged to its own caller.
 *
 * better-sqlite3 is synchronous: 64 callers or one make no difference to it, and it is given both.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { callers, type Metric, type Scenario, type Side } from "../harness.ts";
import { latency, perSecond } from "../metrics.ts";
import { openOurs } from "../ours.ts";
import { HandBatched, openPeer, type PeerDatabase } from "../peer.ts";
import {
  NOTE_INDEX,
  NOTE_INSERT,
  NOTE_ROWS,
  NOTE_TABLE,
  type Note,
  note,
  numbers,
  verifyNotes,
} from "../workload.ts";

interface Shape {
  readonly callers: number;
  readonly withIndex: boolean;
  readonly operations: number;
}

type Insert = (note: Note) => Promise<unknown> | unknown;

/** Rounds of inserts with growing ids; `written` is the first id that was not yet written. */
function inserting(shape: Shape, insert: Insert) {
  let written = 0;
  return {
    written: () => written,
    async round() {
      const notes = Array.from(numbers(written, written + shape.operations), note);
      written += shape.operations;
      const latenciesMs: number[] = [];
      const single = shape.callers === 1;
      const seconds = await callers(
        { count: shape.callers, operations: shape.operations },
        async (index) => {
          const began = single ? performance.now() : 0;
          await insert(notes[index] as Note);
          if (single) latenciesMs.push(performance.now() - began);
        },
      );
      return { operations: shape.operations, seconds, latenciesMs };
    },
  };
}

function createTables(shape: Shape): string {
  return shape.withIndex ? `${NOTE_TABLE};${NOTE_INDEX}` : NOTE_TABLE;
}

async function ours(shape: Shape, directory: string): Promise<Side> {
  const manager = await openOurs(join(directory, "ours"));
  const database = await manager.database("notes");
  await database.exec(createTables(shape));
  const statement = database.prepare(NOTE_INSERT);
  const { round, written } = inserting(shape, ({ id, owner, body }) =>
    statement.run(id, owner, body),
  );
  return {
    name: "bop-storage",
    round,
    async verify() {
      verifyNotes(await database.prepare(NOTE_ROWS).all(), numbers(0, written()));
      assert.deepEqual(await database.pragma("integrity_check"), [{ integrity_check: "ok" }]);
    },
    close: () => manager.close(),
  };
}

function peer(shape: Shape, directory: string): Side {
  const database = openPeer(join(directory, "peer.sqlite"));
  database.exec(createTables(shape));
  const statement = database.prepare(NOTE_INSERT);
  const { round, written } = inserting(shape, ({ id, owner, body }) => {
    statement.run(id, owner, body);
  });
  return {
    name: "better-sqlite3",
    round,
    verify: async () => verifyPeer(database, written()),
    close: async () => database.close(),
  };
}

function handBatched(shape: Shape, directory: string): Side {
  const database = openPeer(join(directory, "hand-batched.sqlite"));
  database.exec(createTables(shape));
  const statement = database.prepare(NOTE_INSERT);
  const batched = new HandBatched(database);
  const { round, written } = inserting(shape, ({ id, owner, body }) =>
    batched.run(statement, [id, owner, body]),
  );
  return {
    name: "hand-batched",
    round,
    verify: async () => verifyPeer(database, written()),
    close: async () => batched.close(),
  };
}

function verifyPeer(database: PeerDatabase, written: number): void {
  verifyNotes(database.prepare(NOTE_ROWS).iterate(), numbers(0, written));
  assert.deepEqual(database.pragma("integrity_check"), [{ integrity_check: "ok" }]);
}

const rate = (targets: Metric["targets"]) => perSecond("durable commits", targets);

const medianLatency: Metric = {
  ...latency(50, { name: "latency p50" }),
  targets: [{ against: "better-sqlite3", atMost: 1 }],
};

export const commitOne: Scenario = {
  name: "commit-1",
  what: "one row inserted, durable; one caller",
  metrics: [medianLatency, rate([])],
  async open({ directory, scale }) {
    const shape = { callers: 1, withIndex: false, operations: Math.ceil(4000 * scale) };
    return [await ours(shape, directory), peer(shape, directory)];
  },
};

export const commitMany: Scenario = {
  name: "commit-64",
  what: "one row inserted, durable; 64 callers, one database",
  metrics: [
    rate([
      { against: "better-sqlite3", atLeast: 20 },
      { against: "hand-batched", atLeast: 0.8 },
    ]),
  ],
  open: (context) => against64({ ...context, withIndex: false }),
};

export const commitManyIndexed: Scenario = {
  name: "commit-64-text-index",
  what: "the same, with an index on random text",
  metrics: [rate([{ against: "better-sqlite3", atLeast: 12 }])],
  open: (context) => against64({ ...context, withIndex: true }),
};

/** The peer that does not batch gets a tenth of the operations, lest it take all of the time. */
async function against64(options: {
  readonly directory: string;
  readonly scale: number;
  readonly withIndex: boolean;
}): Promise<Side[]> {
  const { directory, scale, withIndex } = options;
  const shape = { callers: 64, withIndex, operations: Math.ceil(64_000 * scale) };
  const fewer = { ...shape, operations: Math.ceil(shape.operations / 10) };
  return [await ours(shape, directory), peer(fewer, directory), handBatched(shape, directory)];
}
