/**
 * COMMITS TO A THOUSAND DATABASES: 64 callers, each insert into the next of 1,000 databases, so that
 * neighbours in time never share a database. This is what a fleet is, and where a flush can only be
 * shared by sharing the log.
 *
 * Bytes have a scenario of their own, since they are only honest over a whole cycle: our side
 * commits from the end of one checkpoint until the store has taken the next by itself, after 256 MiB
 * of log, and everything that the device took meanwhile counts: log, padding, preallocation,
 * manifest, chunks, the file system's journal. The peers commit a fixed number; they checkpoint as
 * they please, which in so short a run they hardly ever do: that is in their favour.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { callers, type Metric, type Round, type Scenario, type Side } from "../harness.ts";
import { deviceBytesWritten } from "../machine.ts";
import { perSecond } from "../metrics.ts";
import { openOurs } from "../ours.ts";
import { HandBatched, openPeer, type PeerDatabase } from "../peer.ts";
import {
  NOTE_INSERT,
  NOTE_ROWS,
  NOTE_TABLE,
  type Note,
  note,
  numbers,
  verifyNotes,
} from "../workload.ts";

const DATABASES = 1000;
const CALLERS = 64;
const CHECKPOINT_LOG_BYTES = 256 * 2 ** 20;
/** Commits between two looks at whether the store has taken its checkpoint. */
const COMMITS_PER_LOOK = 20_000;

type Insert = (note: Note) => Promise<unknown> | unknown;

interface Size {
  readonly directory: string;
  readonly operations: number;
}

/** The ids that went into a database, of all below `written`. */
function* idsOf(database: number, written: number): Generator<number> {
  for (let id = database; id < written; id += DATABASES) yield id;
}

/** Inserts notes with growing ids; their making is not timed. */
class Writer {
  readonly #insert: Insert;
  written = 0;

  constructor(insert: Insert) {
    this.#insert = insert;
  }

  async write(operations: number): Promise<Round> {
    const notes = Array.from(numbers(this.written, this.written + operations), note);
    this.written += operations;
    const seconds = await callers({ count: CALLERS, operations }, (index) =>
      this.#insert(notes[index] as Note),
    );
    return { operations, seconds };
  }
}

async function openFleet(directory: string, checkpointLogBytes: number) {
  const manager = await openOurs(join(directory, "ours"), { checkpointLogBytes });
  const databases = await Promise.all(
    Array.from({ length: DATABASES }, (_, index) => manager.database(`tenant-${index}`)),
  );
  await Promise.all(databases.map((database) => database.exec(NOTE_TABLE)));
  const inserts = databases.map((database) => database.prepare(NOTE_INSERT));
  const writer = new Writer(({ id, owner, body }) => inserts[id % DATABASES]?.run(id, owner, body));
  return {
    manager,
    writer,
    async verify() {
      for (const [index, database] of databases.entries()) {
        verifyNotes(await database.prepare(NOTE_ROWS).all(), idsOf(index, writer.written));
        assert.deepEqual(await database.pragma("integrity_check"), [{ integrity_check: "ok" }]);
      }
    },
  };
}

async function ours({ directory, operations }: Size): Promise<Side> {
  const { manager, writer, verify } = await openFleet(directory, CHECKPOINT_LOG_BYTES);
  return {
    name: "bop-storage",
    async round() {
      const before = manager.diagnostics().log;
      const round = await writer.write(operations);
      const after = manager.diagnostics().log;
      const flushes = after.flushes - before.flushes;
      return { ...round, counts: { flushes, logBytes: after.writtenBytes - before.writtenBytes } };
    },
    verify,
    close: () => manager.close(),
  };
}

/** The first round warms up and ends with a checkpoint, so that the next one is a whole cycle. */
async function oursByCycle(directory: string, checkpointLogBytes: number): Promise<Side> {
  const { manager, writer, verify } = await openFleet(directory, checkpointLogBytes);
  return {
    name: "bop-storage",
    async round(index) {
      if (index === 0) {
        const round = await writer.write(COMMITS_PER_LOOK);
        await manager.checkpoint();
        return round;
      }
      const before = deviceBytesWritten(directory);
      const { checkpoints } = manager.diagnostics().pages;
      let [operations, seconds] = [0, 0];
      while (manager.diagnostics().pages.checkpoints === checkpoints) {
        const round = await writer.write(COMMITS_PER_LOOK);
        operations += round.operations;
        seconds += round.seconds;
      }
      const diskBytes = difference(deviceBytesWritten(directory), before);
      return { operations, seconds, counts: { diskBytes } };
    },
    verify,
    close: () => manager.close(),
  };
}

function peerSide({ directory, operations }: Size, name: "better-sqlite3" | "hand-batched"): Side {
  const databases: PeerDatabase[] = [];
  for (let index = 0; index < DATABASES; index++) {
    const database = openPeer(join(directory, `${name}-${index}.sqlite`));
    database.exec(NOTE_TABLE);
    databases.push(database);
  }
  const inserts = databases.map((database) => database.prepare(NOTE_INSERT));
  const batched = databases.map((database) => new HandBatched(database));
  const writer = new Writer(({ id, owner, body }) => {
    const statement = inserts[id % DATABASES];
    assert(statement);
    if (name === "hand-batched") return batched[id % DATABASES]?.run(statement, [id, owner, body]);
    return statement.run(id, owner, body);
  });
  return {
    name,
    async round() {
      const before = deviceBytesWritten(directory);
      const round = await writer.write(operations);
      const diskBytes = difference(deviceBytesWritten(directory), before);
      return { ...round, counts: { diskBytes } };
    },
    async verify() {
      for (const [index, database] of databases.entries()) {
        verifyNotes(database.prepare(NOTE_ROWS).iterate(), idsOf(index, writer.written));
        assert.deepEqual(database.pragma("integrity_check"), [{ integrity_check: "ok" }]);
      }
    },
    async close() {
      for (const database of databases) database.close();
    },
  };
}

function difference(after: number | undefined, before: number | undefined): number {
  return after === undefined || before === undefined ? Number.NaN : after - before;
}

const perCommit = (name: string, unit: string, targets: Metric["targets"]): Metric => ({
  name: `${name} per commit`,
  unit,
  better: "less",
  of: ({ counts, operations }) => {
    const count = counts?.[name];
    return count === undefined || Number.isNaN(count) ? undefined : count / operations;
  },
  targets,
});

export const commitTenants: Scenario = {
  name: "commit-64-1000db",
  what: "one row inserted, durable; 64 callers over 1,000 databases",
  metrics: [
    perSecond("durable commits", [{ against: "better-sqlite3", atLeast: 10 }]),
    perCommit("flushes", "", [{ atMost: 0.05 }]),
    perCommit("logBytes", "B", []),
  ],
  async open({ directory, scale }) {
    const size = { directory, operations: Math.ceil(100_000 * scale) };
    const fewer = { directory, operations: Math.ceil(10_000 * scale) };
    return [await ours(size), peerSide(fewer, "better-sqlite3"), peerSide(fewer, "hand-batched")];
  },
};

export const diskTenants: Scenario = {
  name: "disk-64-1000db",
  what: "the same; bytes that the whole disk takes, over a cycle of 256 MiB of log",
  metrics: [perCommit("diskBytes", "B", [{ against: "better-sqlite3", atMost: 1 / 6 }])],
  rounds: 1,
  async open({ directory, scale }) {
    const fewer = { directory, operations: Math.ceil(10_000 * scale) };
    return [
      await oursByCycle(directory, Math.ceil(CHECKPOINT_LOG_BYTES * Math.min(1, scale))),
      peerSide(fewer, "better-sqlite3"),
      peerSide(fewer, "hand-batched"),
    ];
  },
};
