/**
 * COMMITS TO A THOUSAND DATABASES: 64 callers, each insert into the next of 1,000 databases, so that
 * neighbours in time never share a database. This is what a fleet is, and where a flush can only be
 * shared by sharing the log.
 *
 * Bytes are those of the whole disk, by the kernel's own account of this process
 * (`/proc/self/io`), for all sides alike: log, padding, preallocation, manifest, checkpoints. On our
 * side one explicit checkpoint is taken for every 256 MiB of log, which is what a store does by
 * itself: a round on our side is as many inserts as fill that much, and ends with the checkpoint.
 * The peers checkpoint as they please, which in a short run they hardly ever do: that is in their
 * favour.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { callers, type Metric, type Scenario, type Side } from "../harness.ts";
import { deviceBytesWritten } from "../machine.ts";
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
const LOG_BYTES_PER_CHECKPOINT = 256 * 2 ** 20;

/** The ids that went into a database, of all below `written`. */
function* idsOf(database: number, written: number): Generator<number> {
  for (let id = database; id < written; id += DATABASES) yield id;
}

async function ours({ directory, operations }: Size): Promise<Side> {
  const manager = await openOurs(join(directory, "ours"));
  const databases = await Promise.all(
    Array.from({ length: DATABASES }, (_, index) => manager.database(`tenant-${index}`)),
  );
  await Promise.all(databases.map((database) => database.exec(NOTE_TABLE)));
  const inserts = databases.map((database) => database.prepare(NOTE_INSERT));
  let written = 0;
  return {
    name: "bop-storage",
    async round() {
      const notes = Array.from(numbers(written, written + operations), note);
      written += operations;
      const before = { log: manager.diagnostics().log, disk: deviceBytesWritten() };
      const seconds = await callers({ count: CALLERS, operations }, (index) => {
        const { id, owner, body } = notes[index] as Note;
        return inserts[id % DATABASES]?.run(id, owner, body);
      });
      const { log } = manager.diagnostics();
      const flushes = log.flushes - before.log.flushes;
      const logBytes = log.writtenBytes - before.log.writtenBytes;
      const afterCommits = deviceBytesWritten();
      await manager.checkpoint();
      const checkpointBytes = difference(deviceBytesWritten(), afterCommits);
      const share = logBytes / LOG_BYTES_PER_CHECKPOINT;
      return {
        operations,
        seconds,
        counts: {
          flushes,
          logBytes,
          diskBytes: difference(afterCommits, before.disk) + checkpointBytes * Math.min(1, share),
        },
      };
    },
    async verify() {
      for (const [index, database] of databases.entries()) {
        verifyNotes(await database.prepare(NOTE_ROWS).all(), idsOf(index, written));
        assert.deepEqual(await database.pragma("integrity_check"), [{ integrity_check: "ok" }]);
      }
    },
    close: () => manager.close(),
  };
}

interface Size {
  readonly directory: string;
  readonly operations: number;
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
  let written = 0;
  const insert = ({ id, owner, body }: Note): Promise<void> | undefined => {
    const statement = inserts[id % DATABASES];
    assert(statement);
    if (name === "hand-batched") return batched[id % DATABASES]?.run(statement, [id, owner, body]);
    statement.run(id, owner, body);
    return undefined;
  };
  return {
    name,
    async round() {
      const notes = Array.from(numbers(written, written + operations), note);
      written += operations;
      const before = deviceBytesWritten();
      const seconds = await callers({ count: CALLERS, operations }, (index) =>
        insert(notes[index] as Note),
      );
      const diskBytes = difference(deviceBytesWritten(), before);
      return { operations, seconds, counts: { diskBytes } };
    },
    async verify() {
      for (const [index, database] of databases.entries()) {
        verifyNotes(database.prepare(NOTE_ROWS).iterate(), idsOf(index, written));
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
    {
      name: "durable commits",
      unit: "/s",
      better: "more",
      of: ({ operations, seconds }) => operations / seconds,
      targets: [{ against: "better-sqlite3", atLeast: 10 }],
    },
    perCommit("flushes", "", [{ atMost: 0.05 }]),
    perCommit("logBytes", "B", []),
    perCommit("diskBytes", "B", [{ against: "better-sqlite3", atMost: 1 / 6 }]),
  ],
  async open({ directory, scale }) {
    const size = { directory, operations: Math.ceil(100_000 * scale) };
    const fewer = { directory, operations: Math.ceil(10_000 * scale) };
    return [await ours(size), peerSide(fewer, "better-sqlite3"), peerSide(fewer, "hand-batched")];
  },
};
