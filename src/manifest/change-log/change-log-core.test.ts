import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LSN_ZERO, lsn, streamId } from "../../base/units.ts";
import {
  type ChangeLogLimits,
  type ChangeLogRequest,
  type ChangeLogState,
  type CursorRow,
  planChangeLog,
} from "./change-log-core.ts";
import type { ChangeFact, ChangeRecord } from "./change-record.ts";

const LIMITS: ChangeLogLimits = {
  keepLast: 3,
  maxAgeMs: 1000,
  maxLag: 6,
  maxBytes: 1000,
  maxCursors: 4,
};
const RECORD_BYTES = 10;
const dropped = (n: number): ChangeFact => ({
  kind: "dropped",
  lsn: lsn(n),
  stream: streamId(n),
  name: `database-${n}`,
});
const facts = (count: number) => Array.from({ length: count }, (_, n) => dropped(n + 1));

/** The log as a plain list, and the cursors, through any number of commits. */
class Rig {
  readonly limits: ChangeLogLimits;
  readonly records = new Map<number, ChangeRecord>();
  readonly cursors = new Map<string, CursorRow>();
  wallMs = 10_000;
  generation = 0;
  state: ChangeLogState = {
    oldest: 1,
    next: 1,
    bytes: 0,
    atMs: 0,
    advancedLsn: LSN_ZERO,
    removedRecords: 0,
    removedBytes: 0,
    evictions: 0,
  };

  constructor(limits: Partial<ChangeLogLimits> = {}) {
    this.limits = { ...LIMITS, ...limits };
  }

  commit(request: ChangeLogRequest): void {
    this.generation += 1;
    const plan = planChangeLog(
      {
        state: this.state,
        cursors: this.cursors,
        limits: this.limits,
        wallMs: this.wallMs,
        generation: this.generation,
        lsn: lsn(1_000_000),
        weigh: (sequence) => {
          const record = this.records.get(sequence);
          if (record === undefined) throw new Error(`record ${sequence} is not there`);
          return { atMs: record.atMs, bytes: RECORD_BYTES };
        },
        size: () => RECORD_BYTES,
      },
      [request],
    );
    for (let n = this.state.oldest; n < plan.removeBelow; n++) this.records.delete(n);
    for (const record of plan.records) this.records.set(record.sequence, record);
    for (const [name, row] of plan.cursors) {
      if (row === undefined) this.cursors.delete(name);
      else this.cursors.set(name, row);
    }
    this.state = plan.state;
  }

  append(count: number): void {
    this.commit({ append: facts(count) });
  }

  begin(name: string, at: "oldest" | "now" = "oldest"): void {
    this.commit({ beginCursors: [{ name, at }] });
  }

  acknowledge(name: string, sequence: number): void {
    this.commit({ acknowledge: new Map([[name, sequence]]) });
  }

  get sequences(): number[] {
    return [...this.records.keys()];
  }
}

describe("the change log", () => {
  test("records are numbered without gaps, carry their generation, and their times never fall", () => {
    const rig = new Rig();
    rig.append(2);
    rig.wallMs -= 5000; // Somebody has set the clock.
    rig.append(1);
    const found = [...rig.records.values()];
    expect(found.map(({ sequence, generation }) => [sequence, generation])).toEqual([
      [1, 1],
      [2, 1],
      [3, 2],
    ]);
    expect(found.map(({ atMs }) => atMs)).toEqual([10_000, 10_000, 10_000]);
  });

  test("without a cursor the newest records stay until they are too old", () => {
    const rig = new Rig();
    rig.append(5);
    rig.append(1);
    expect(rig.sequences).toEqual([4, 5, 6]);
    rig.wallMs += 1001;
    rig.append(1);
    expect(rig.sequences).toEqual([7]);
    expect(rig.state).toMatchObject({ removedRecords: 6, removedBytes: 60, bytes: 10 });
  });

  test("what a cursor has not acknowledged stays, however old it is", () => {
    const rig = new Rig();
    rig.append(2);
    rig.begin("slow");
    rig.wallMs += 100_000;
    rig.append(3);
    expect(rig.sequences).toEqual([1, 2, 3, 4, 5]);
    rig.acknowledge("slow", 2);
    expect(rig.sequences).toEqual([3, 4, 5]);
  });

  test("the slowest of several cursors decides, and dropping it frees what it held", () => {
    const rig = new Rig({ keepLast: 0 });
    rig.begin("a");
    rig.begin("b");
    rig.append(4);
    rig.acknowledge("a", 4);
    rig.acknowledge("b", 1);
    expect(rig.sequences).toEqual([2, 3, 4]);
    rig.commit({ dropCursors: ["b"] });
    expect(rig.sequences).toEqual([]);
    expect(rig.cursors.has("b")).toBe(false);
  });

  test("a cursor that lags too far is evicted, its row says so, and the others hear of it", () => {
    const rig = new Rig();
    rig.begin("gone");
    rig.begin("here");
    rig.append(6);
    rig.acknowledge("here", 6);
    rig.append(1);
    expect(rig.cursors.get("gone")).toMatchObject({ state: "evicted", acknowledged: 0 });
    expect(rig.cursors.get("here")).toMatchObject({ state: "active", acknowledged: 6 });
    expect(rig.records.get(8)?.fact).toMatchObject({ kind: "cursor-evicted", cursor: "gone" });
    expect(rig.state.evictions).toBe(1);
    expect(rig.sequences).toEqual([6, 7, 8]);
  });

  test("an acknowledgement of an evicted cursor does not bring it back", () => {
    const rig = new Rig();
    rig.begin("gone");
    rig.append(7);
    rig.append(1);
    rig.acknowledge("gone", 7);
    expect(rig.cursors.get("gone")?.state).toBe("evicted");
    rig.begin("gone");
    expect(rig.cursors.get("gone")).toMatchObject({
      state: "active",
      acknowledged: rig.state.oldest - 1,
    });
  });

  test("an acknowledgement that is older than another changes nothing", () => {
    const rig = new Rig();
    rig.begin("a");
    rig.append(3);
    rig.acknowledge("a", 3);
    rig.acknowledge("a", 2);
    expect(rig.cursors.get("a")?.acknowledged).toBe(3);
  });

  test("a cursor that begins now sees nothing of what was before", () => {
    const rig = new Rig();
    rig.append(2);
    rig.begin("late", "now");
    expect(rig.cursors.get("late")?.acknowledged).toBe(2);
  });

  test("bytes are bounded as records are, and evict as they do", () => {
    const rig = new Rig({ maxLag: 1000, maxBytes: 50 });
    rig.begin("gone");
    for (let n = 0; n < 20; n++) rig.append(1);
    expect(rig.state.bytes).toBeLessThanOrEqual(50 + RECORD_BYTES);
    expect(rig.cursors.get("gone")?.state).toBe("evicted");
  });

  test("a commit removes a bounded number of records, and the next ones the rest", () => {
    const rig = new Rig({ keepLast: 0, maxLag: 10_000, maxBytes: 1e9 });
    rig.append(3000);
    rig.append(1);
    const left = rig.records.size;
    expect(left).toBeGreaterThan(1);
    for (let n = 0; n < 10; n++) rig.append(1);
    expect(rig.records.size).toBe(1);
  });
});

describe("the change log and any history", () => {
  const name = fc.constantFrom("a", "b", "c");
  const step = fc.oneof(
    fc.record({ type: fc.constant("append" as const), count: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ type: fc.constant("acknowledge" as const), name, part: fc.nat(100) }),
    fc.record({
      type: fc.constant("begin" as const),
      name,
      at: fc.constantFrom("oldest" as const, "now" as const),
    }),
    fc.record({ type: fc.constant("drop" as const), name }),
    fc.record({ type: fc.constant("wait" as const), ms: fc.nat(800) }),
  );

  test("no cursor that is not evicted misses a record, and the log stays bounded", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const rig = new Rig({ maxBytes: 120 });
        for (const each of steps) {
          take(rig, each);
          check(rig);
        }
      }),
      { numRuns: 300 },
    );
  });

  type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

  function take(rig: Rig, each: Step): void {
    if (each.type === "append") rig.append(each.count);
    if (each.type === "begin") rig.begin(each.name, each.at);
    if (each.type === "drop") rig.commit({ dropCursors: [each.name] });
    if (each.type === "wait") rig.wallMs += each.ms;
    if (each.type === "acknowledge") {
      rig.acknowledge(each.name, Math.floor(((rig.state.next - 1) * each.part) / 100));
    }
  }

  function check(rig: Rig): void {
    const { oldest, next, bytes } = rig.state;
    expect(rig.sequences).toEqual(Array.from({ length: next - oldest }, (_, n) => oldest + n));
    expect(bytes).toBe(rig.records.size * RECORD_BYTES);
    for (const { state, acknowledged } of rig.cursors.values()) {
      expect(acknowledged).toBeLessThan(next);
      if (state === "active") expect(acknowledged + 1).toBeGreaterThanOrEqual(oldest);
    }
    // What one commit appends is not removed by it, evictions included.
    expect(rig.records.size).toBeLessThanOrEqual(LIMITS.maxLag + 5 + 3);
  }
});
