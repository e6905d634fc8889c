import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StorageError } from "../../base/errors.ts";
import { lsn, streamId } from "../../base/units.ts";
import type { JobRow } from "../job-state.ts";
import { CHANGE_LOG_KEY } from "../rows/keys.ts";
import { changes } from "../tables/changes.ts";
import { cursors } from "../tables/cursors.ts";
import { jobs } from "../tables/jobs.ts";
import { type PendingJobRow, pendingJobs } from "../tables/pending-jobs.ts";
import { decodeState, encodeState } from "./change-log.ts";
import type { ChangeLogState, CursorRow } from "./change-log-core.ts";
import { type ChangeFact, type ChangeRecord, factsOfDatabases } from "./change-record.ts";

const file = "/store/manifest";
const u32 = fc.nat(2 ** 32 - 1);
const u53 = fc.maxSafeNat();
const text = fc.string({ unit: "grapheme", maxLength: 60 });
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
const stream = u32.map(streamId);
const at = { lsn: u53.map(lsn) };
const named = { ...at, stream, name };
const engine = fc.constantFrom("sqlite" as const, "libsql" as const);

const fact: fc.Arbitrary<ChangeFact> = fc.oneof(
  fc.record({ ...named, engine, kind: fc.constantFrom("created" as const, "imported" as const) }),
  fc.record({
    ...named,
    kind: fc.constantFrom("renamed" as const, "log-renamed" as const),
    previousName: text,
  }),
  fc.record({
    ...named,
    kind: fc.constantFrom("dropped" as const, "log-created" as const, "log-dropped" as const),
  }),
  fc.record({
    ...named,
    engine,
    kind: fc.constant("forked" as const),
    origin: fc.record(named),
  }),
  fc.record({
    ...named,
    kind: fc.constantFrom("snapshot" as const, "snapshot-dropped" as const),
    snapshot: name,
    momentLsn: u53.map(lsn),
  }),
  fc.record({
    ...at,
    kind: fc.constantFrom("checkpoint" as const, "advanced" as const),
    databases: fc.array(fc.record(named), { maxLength: 5 }),
  }),
  fc.record({
    ...at,
    kind: fc.constant("cursor-evicted" as const),
    cursor: name,
    acknowledged: u53,
  }),
);
const record: fc.Arbitrary<ChangeRecord> = fc.record({
  sequence: u53,
  generation: u53,
  atMs: u53,
  fact,
});
const cursor: fc.Arbitrary<CursorRow> = fc.record({
  name,
  state: fc.constantFrom("active" as const, "evicted" as const),
  acknowledged: u53,
  atMs: u53,
});
const job: fc.Arbitrary<JobRow> = fc.record({
  id: u53,
  kind: text,
  stream,
  state: fc.constantFrom("queued", "leased", "waiting", "done", "failed", "cancelled"),
  attempts: u32,
  maxAttempts: u32,
  createdAtMs: u53,
  changedAtMs: u53,
  dueAtMs: u53,
  lease: fc.option(fc.record({ holder: text, untilMs: u53 }), { nil: undefined }),
  progress: fc.record({ done: u53, total: u53 }),
  message: text,
});
const state: fc.Arbitrary<ChangeLogState> = fc.record({
  oldest: u53,
  next: u53,
  bytes: u53,
  atMs: u53,
  advancedLsn: u53.map(lsn),
  removedRecords: u53,
  removedBytes: u53,
  evictions: u53,
});

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("rows of the change log, cursors and jobs", () => {
  test("every row comes back as it was written", () => {
    const pending: fc.Arbitrary<PendingJobRow> = fc.record({ stream, kind: name, id: u53 });
    fc.assert(
      fc.property(record, cursor, job, pending, state, (change, reader, work, twin, far) => {
        expect(changes.decode({ ...changes.encode(change, 3), file })).toEqual(change);
        expect(cursors.decode({ ...cursors.encode(reader, 3), file })).toEqual(reader);
        expect(jobs.decode({ ...jobs.encode(work, 3), file })).toEqual(work);
        expect(pendingJobs.decode({ ...pendingJobs.encode(twin, 3), file })).toEqual(twin);
        expect(decodeState({ ...encodeState(far, 3), file })).toEqual(far);
      }),
    );
  });

  test("the bytes are those that they have always been", () => {
    const created: ChangeRecord = {
      sequence: 258,
      generation: 5,
      atMs: 1000,
      fact: { kind: "created", lsn: lsn(4096), stream: streamId(7), engine: "sqlite", name: "né" },
    };
    const { key, value } = changes.encode(created, 5);
    expect(hex(key)).toBe("070000000000000102");
    // version, kind, lsn, at, generation, stream, engine, name, then generation and checksum
    expect(hex(value.subarray(0, -4))).toBe(
      "01" +
        "01" +
        "0010000000000000" +
        "e803000000000000" +
        "0500000000000000" +
        "07000000" +
        "01" +
        "03006ec3a9" +
        "0500000000000000",
    );
    const bytesOf = (told: ChangeFact) => {
      const { value: row } = changes.encode({ ...created, fact: told }, 5);
      return hex(row.subarray(1, 2)) + hex(row.subarray(26, -12)); // Kind, and what is the kind's.
    };
    const origin = { stream: streamId(3), lsn: lsn(256), name: "o" };
    const born = { lsn: lsn(4096), stream: streamId(7), engine: "libsql" as const, name: "f" };
    expect(bytesOf({ kind: "forked", ...born, origin })).toBe(
      "0b" + "07000000" + "02" + "010066" + "03000000" + "0001000000000000" + "01006f",
    );
    const at = { lsn: lsn(4096), momentLsn: lsn(256), snapshot: "s" };
    expect(bytesOf({ kind: "snapshot", ...at, stream: streamId(7), name: "d" })).toBe(
      "0c" + "07000000" + "0001000000000000" + "010073" + "010064",
    );
    expect(bytesOf({ kind: "snapshot-dropped", ...at, stream: streamId(0), name: "" })).toBe(
      "0d" + "00000000" + "0001000000000000" + "010073" + "0000",
    );
    const reader = cursors.encode({ name: "a", state: "evicted", acknowledged: 9, atMs: 256 }, 5);
    expect(hex(reader.key)).toBe("0861");
    expect(hex(reader.value.subarray(0, -12))).toBe(
      "01" + "02" + "0900000000000000" + "0001000000000000",
    );
    const twin = pendingJobs.encode({ stream: streamId(258), kind: "k", id: 3 }, 5);
    expect(hex(twin.key)).toBe("0a000001026b");
  });

  test("changes lie in the order of their sequences, whatever those are", () => {
    const keyOf = (sequence: number) => Buffer.from(changes.encodeKey(sequence));
    fc.assert(
      fc.property(u53, u53, (a, b) => {
        expect(Math.sign(Buffer.compare(keyOf(a), keyOf(b)))).toBe(Math.sign(a - b));
      }),
    );
  });

  // evidence: G4
  test("a change, a cursor or a job with any bit flipped is refused as corrupt", () => {
    const pairs = fc.oneof(
      record.map((row) => ({ pair: changes.encode(row, 1), decode: changes.decode })),
      cursor.map((row) => ({ pair: cursors.encode(row, 1), decode: cursors.decode })),
      job.map((row) => ({ pair: jobs.encode(row, 1), decode: jobs.decode })),
      state.map((row) => ({ pair: encodeState(row, 1), decode: decodeState })),
    );
    fc.assert(
      fc.property(pairs, fc.nat(), ({ pair, decode }, where) => {
        const value = pair.value.slice();
        const bit = where % (value.length * 8);
        value[bit >> 3] = (value[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(() => decode({ key: pair.key, value, file })).toThrow(StorageError);
      }),
    );
  });

  test("payloads of anything but ours are malformed, and nothing worse", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (payload) => {
        for (const table of [changes, cursors, jobs, pendingJobs]) {
          try {
            table.decodePayload(payload, Uint8Array.of(table.number, 0, 0, 0, 1, 0, 0, 0, 2));
          } catch (error) {
            expect((error as Error).name).toBe("Malformed");
          }
        }
      }),
    );
  });

  test("what concerns more databases than a record holds is several records", () => {
    const databases = Array.from({ length: 600 }, (_, n) => ({
      stream: streamId(n),
      name: `database-${n}`,
      lsn: lsn(n),
    }));
    const facts = factsOfDatabases({ kind: "checkpoint", lsn: lsn(1000) }, databases);
    expect(facts.map((each) => ("databases" in each ? each.databases.length : 0))).toEqual([
      256, 256, 88,
    ]);
    expect(facts.flatMap((each) => ("databases" in each ? each.databases : []))).toEqual(databases);
    expect(factsOfDatabases({ kind: "checkpoint", lsn: lsn(1) }, [])).toHaveLength(1);
  });

  test("the row that says how far the change log is lies under its name", () => {
    expect(Buffer.from(CHANGE_LOG_KEY.subarray(1)).toString()).toBe("change-log");
  });
});
