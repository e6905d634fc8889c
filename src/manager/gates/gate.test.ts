import { describe, expect, test } from "vitest";
import { StorageError } from "../../base/errors.ts";
import { lsn } from "../../base/units.ts";
import { OutputGate } from "./gate.ts";

function waiter(log: string[], name: string) {
  return {
    release: () => void log.push(name),
    refuse: (error: StorageError) => void log.push(`${name}: ${error.code}`),
  };
}

const unknown = new StorageError("BOP_OUTCOME_UNKNOWN", "the log failed", {
  details: { lsn: lsn(30), durableLsn: lsn(20) },
});

describe("the output gate", () => {
  test("an answer that saw only durable commits leaves at once", () => {
    const log: string[] = [];
    const gate = new OutputGate(lsn(10));
    gate.pass(lsn(10), waiter(log, "a"));
    expect(log).toEqual(["a"]);
    expect(gate.waitingCount).toBe(0);
  });

  // evidence: G2
  test("answers leave when their commit is durable, in order of LSN and of arrival", () => {
    const log: string[] = [];
    const gate = new OutputGate(lsn(10));
    gate.pass(lsn(30), waiter(log, "c"));
    gate.pass(lsn(20), waiter(log, "a"));
    gate.pass(lsn(20), waiter(log, "b"));
    gate.advance(lsn(19));
    expect(log).toEqual([]);
    gate.advance(lsn(20));
    expect(log).toEqual(["a", "b"]);
    gate.advance(lsn(40));
    expect(log).toEqual(["a", "b", "c"]);
  });

  test("a released caller that comes back at once waits for its new commit", () => {
    const log: string[] = [];
    const gate = new OutputGate(lsn(10));
    gate.pass(lsn(20), {
      release: () => gate.pass(lsn(30), waiter(log, "again")),
      refuse: () => {},
    });
    gate.advance(lsn(20));
    expect(log).toEqual([]);
    expect(gate.waitingCount).toBe(1);
    gate.advance(lsn(30));
    expect(log).toEqual(["again"]);
  });

  // evidence: G2
  test("after the log failed nothing above the durable LSN leaves, and what is below still does", () => {
    const log: string[] = [];
    const gate = new OutputGate(lsn(20));
    gate.pass(lsn(30), waiter(log, "waiting"));
    gate.fail(unknown);
    gate.pass(lsn(31), waiter(log, "late"));
    gate.pass(lsn(20), waiter(log, "durable"));
    expect(log).toEqual(["waiting: BOP_OUTCOME_UNKNOWN", "late: BOP_OUTCOME_UNKNOWN", "durable"]);
  });

  test("as a promise it resolves and rejects in the same way", async () => {
    const gate = new OutputGate(lsn(10));
    await gate.passed(lsn(10));
    const waiting = gate.passed(lsn(20));
    gate.fail(unknown);
    await expect(waiting).rejects.toBe(unknown);
  });
});
