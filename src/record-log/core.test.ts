/** A record log without the disk, against an array that cannot be wrong. */
import { describe, expect, test } from "vitest";
import { StorageError } from "../base/errors.ts";
import { chunkId, lsn } from "../base/units.ts";
import { type SeededRandom, seeded } from "../io/index.ts";
import type { LogChange, NewLogEntry } from "./api.ts";
import { type Captured, RecordLogCore } from "./core.ts";
import type { StoredRange } from "./entry-places.ts";
import type { Operation, StoredEntry } from "./operations.ts";
import { plan } from "./plan.ts";

const WHAT = { log: "test", maxEntryBytes: 1000 };

interface ModelEntry {
  readonly term: bigint;
  readonly id: number;
}

/** Entries by index, and what was compacted. */
class Model {
  entries = new Map<bigint, ModelEntry>();
  boundary: { index: bigint; term: bigint } | undefined;

  get last(): bigint | undefined {
    return this.entries.size === 0 ? this.boundary?.index : [...this.entries.keys()].at(-1);
  }

  get first(): bigint | undefined {
    return [...this.entries.keys()][0];
  }

  get lastTerm(): bigint {
    const { last } = this;
    const entry = last === undefined ? undefined : this.entries.get(last);
    return entry?.term ?? this.boundary?.term ?? 0n;
  }

  keep(wanted: (index: bigint) => boolean): void {
    this.entries = new Map([...this.entries].filter(([index]) => wanted(index)));
  }
}

/** A checkpoint under way, and the chunks that were ever written. */
class Disk {
  readonly chunks = new Map<number, Map<bigint, StoredEntry>>();
  captured: Captured | undefined;
  #next = 1;

  begin(core: RecordLogCore): void {
    this.captured = core.capture();
  }

  finish(core: RecordLogCore): void {
    const { captured } = this;
    if (captured === undefined) return;
    this.captured = undefined;
    const ranges: StoredRange[] = [...captured.ranges];
    if (captured.unstored.length > 0) {
      const chunk = this.#next++;
      const first = captured.unstoredFirst;
      const all = captured.unstored.map((entry, at): [bigint, StoredEntry] => [
        first + BigInt(at),
        entry,
      ]);
      this.chunks.set(chunk, new Map(all));
      const last = first + BigInt(captured.unstored.length) - 1n;
      ranges.push({ chunk: chunkId(chunk), first, last });
    }
    core.install(ranges);
  }

  read(core: RecordLogCore, index: bigint): StoredEntry | undefined {
    const known = core.inMemory(index);
    return known ?? this.chunks.get(core.rangeOf(index).chunk)?.get(index);
  }
}

function step(random: SeededRandom, model: Model, ids: { next: number }): LogChange {
  const { first, last } = model;
  const kind = random.below(10);
  if (kind === 0 && last !== undefined) {
    const least = model.boundary?.index ?? 0n;
    const after = least + BigInt(random.below(Number(last - least) + 2));
    model.keep((index) => index <= after);
    return { truncateAfter: after };
  }
  if (kind === 1 && first !== undefined && last !== undefined) {
    const upToIndex = first + BigInt(random.below(Number(last - first) + 1));
    model.boundary = { index: upToIndex, term: model.entries.get(upToIndex)?.term ?? 0n };
    model.keep((index) => index > upToIndex);
    return { compact: { upToIndex } };
  }
  if (kind === 2 && random.chance(0.3)) {
    const upToIndex = (last ?? 0n) + BigInt(1 + random.below(4));
    const term = model.lastTerm + 1n;
    model.boundary = { index: upToIndex, term };
    model.keep(() => false);
    return { compact: { upToIndex, term } };
  }
  if (kind === 3 && random.chance(0.3)) {
    model.keep(() => false);
    return { truncateAfter: "all" };
  }
  if (kind === 4 && random.chance(0.1)) {
    model.keep(() => false);
    model.boundary = undefined;
    return { clear: true };
  }
  return appending(random, model, ids);
}

function appending(random: SeededRandom, model: Model, ids: { next: number }): LogChange {
  const { last, first } = model;
  const replaces = first !== undefined && last !== undefined && random.chance(0.2);
  const from = replaces
    ? first + BigInt(random.below(Number(last - first) + 1))
    : last === undefined
      ? BigInt(random.below(20))
      : last + 1n;
  model.keep((index) => index < from);
  const entries: NewLogEntry[] = [];
  let term = model.lastTerm;
  for (let n = random.below(6); n >= 0; n--) {
    if (random.chance(0.2)) term += 1n;
    const id = ids.next++;
    const index = from + BigInt(entries.length);
    entries.push({ term, index, payload: Uint8Array.of(id & 255, id >> 8) });
    model.entries.set(index, { term, id });
  }
  return { entries, ...(replaces && { onConflict: "replace" as const }) };
}

/** Any, whether it fits or not. */
function changeOfParts(random: SeededRandom): LogChange {
  const index = () => BigInt(random.below(10));
  const term = BigInt(1 + random.below(3));
  const from = index();
  const entries = Array.from({ length: random.below(4) }, (_, at): NewLogEntry => {
    const payload = Uint8Array.of(random.below(256));
    return { term, index: from + BigInt(at), field: payload, payload };
  });
  const hasTerm = random.chance(0.5);
  return {
    ...(random.chance(0.1) && { clear: true }),
    ...(random.chance(0.4) && { truncateAfter: random.chance(0.2) ? "all" : index() }),
    ...(random.chance(0.4) && { compact: { upToIndex: index(), ...(hasTerm && { term }) } }),
    ...(entries.length > 0 && { entries }),
    ...(random.chance(0.5) && { onConflict: "replace" }),
  };
}

function replayed(history: readonly Operation[][]): RecordLogCore {
  const core = new RecordLogCore();
  for (const operations of history) core.apply(operations, lsn(1));
  return core;
}

/** What the log is after the changes; or the code of what refused one of them. */
function outcomeOf(
  core: RecordLogCore,
  changes: readonly LogChange[],
  history: Operation[][] = [],
): unknown {
  try {
    for (const change of changes) {
      const operations = plan(core, change, WHAT);
      core.apply(operations, lsn(1));
      history.push(operations);
    }
  } catch (error) {
    if (error instanceof StorageError) return error.code;
    throw error;
  }
  const { boundary, firstIndex, lastIndex, lastTerm } = core;
  const entries: unknown[] = [];
  for (let index = firstIndex; index !== undefined && index <= (lastIndex ?? 0n); index += 1n) {
    entries.push([core.termAt(index), core.inMemory(index)]);
  }
  return { boundary, firstIndex, lastIndex, lastTerm, entries };
}

function check(core: RecordLogCore, model: Model, disk: Disk): void {
  expect(core.firstIndex).toBe(model.first);
  expect(core.lastIndex).toBe(model.last);
  expect(core.boundary?.index).toBe(model.boundary?.index);
  // Compared here and not by the runner, which would take most of the time.
  const wrong = [...model.entries].filter(([index, { term, id }]) => {
    const found = disk.read(core, index);
    const isSame = found?.payload[0] === (id & 255) && found.payload[1] === id >> 8;
    return !isSame || core.termAt(index) !== term || found.term !== term;
  });
  expect(wrong).toEqual([]);
  expect(core.unstoredBytes).toBeGreaterThanOrEqual(0);
  expect(core.cachedBytes).toBeGreaterThanOrEqual(0);
  if (core.isEmpty) expect(core.unstoredBytes + core.cachedBytes).toBe(0);
}

describe("a record log without the disk", () => {
  test("says what the model says after any history, checkpoints and evictions in between", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seeded(seed);
      const [core, model, disk, ids] = [new RecordLogCore(), new Model(), new Disk(), { next: 1 }];
      for (let n = 1; n <= 60; n++) {
        const operations = plan(core, step(random, model, ids), WHAT);
        core.apply(operations, lsn(n));
        if (random.chance(0.2) && disk.captured === undefined) disk.begin(core);
        else if (random.chance(0.4)) disk.finish(core);
        if (random.chance(0.2)) core.evict(random.below(1000));
        check(core, model, disk);
      }
      // What a checkpoint keeps is the log: opened from it, it is the same.
      disk.finish(core);
      disk.begin(core);
      const { captured } = disk;
      disk.finish(core);
      if (captured === undefined) throw new Error("nothing was captured");
      const again = new RecordLogCore({ ...captured, ranges: [...core.ranges] });
      check(again, model, disk);
    }
  });

  test("a change of several parts is what its parts are one after the other, or refused as one of them", () => {
    let refused = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const random = seeded(seed);
      const history: Operation[][] = [];
      for (let n = 0; n < 12; n++) {
        const change = changeOfParts(random);
        const [whole, parts] = [replayed(history), replayed(history)];
        const { clear, truncateAfter, compact, entries = [], onConflict = "refuse" } = change;
        const expected = outcomeOf(parts, [
          ...(clear ? [{ clear }] : []),
          ...(truncateAfter === undefined ? [] : [{ truncateAfter }]),
          ...(compact ? [{ compact }] : []),
          { entries, onConflict },
        ]);
        expect(outcomeOf(whole, [change], history)).toEqual(expected);
        if (typeof expected === "string") refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(300);
    expect(refused).toBeLessThan(3000); // The others were made.
  });

  test("a log that was emptied goes on behind a snapshot of less than it once held", () => {
    const core = new RecordLogCore();
    const at = (index: bigint) => [{ term: 3n, index, payload: Uint8Array.of(1) }];
    core.apply(plan(core, { entries: [...at(5n), ...at(6n)] }, WHAT), lsn(1));
    core.apply(plan(core, { truncateAfter: "all" }, WHAT), lsn(2));
    core.apply(plan(core, { compact: { upToIndex: 2n, term: 3n } }, WHAT), lsn(3));
    expect([core.isEmpty, core.lastIndex, core.nextIndex]).toEqual([true, 2n, 3n]);
    core.apply(plan(core, { entries: at(3n) }, WHAT), lsn(4));
    expect([core.firstIndex, core.lastIndex]).toEqual([3n, 3n]);
    expect(core.capture()).toMatchObject({ first: 3n, next: 4n, unstoredFirst: 3n });
  });

  test("a checkpoint that failed leaves everything to be written again", () => {
    const core = new RecordLogCore();
    const entries = [{ term: 1n, index: 1n, payload: Uint8Array.of(1) }];
    core.apply(plan(core, { entries }, WHAT), lsn(1));
    core.capture();
    core.abandon();
    expect(core.isDirty).toBe(true);
    expect(core.capture().unstored).toHaveLength(1);
  });

  test("holds the log from the oldest commit that no checkpoint has folded, while one runs too", () => {
    const core = new RecordLogCore();
    const change = (at: number) =>
      core.apply([{ kind: "stable", key: "k", value: new Uint8Array(1) }], lsn(at));
    expect(core.holdsFrom).toBeUndefined();
    change(10);
    core.capture();
    expect(core.holdsFrom).toBe(10);
    change(20);
    expect(core.holdsFrom).toBe(10);
    core.install([]);
    expect(core.holdsFrom).toBe(20);
    core.capture();
    change(30);
    core.abandon();
    expect(core.holdsFrom).toBe(20);
    core.capture();
    core.install([]);
    expect(core.holdsFrom).toBeUndefined();
  });

  test("what does not fit is refused with its own code, and changes nothing", () => {
    const core = new RecordLogCore();
    const at = (index: bigint, term = 3n) => [{ term, index, payload: new Uint8Array(1) }];
    core.apply(plan(core, { entries: at(5n) }, WHAT), lsn(1));
    core.apply(plan(core, { compact: { upToIndex: 5n } }, WHAT), lsn(2));
    core.apply(plan(core, { entries: [...at(6n), ...at(7n)] }, WHAT), lsn(3));
    const refusals: [LogChange, string][] = [
      [{ entries: at(9n) }, "BOP_LOG_GAP"],
      [{ entries: [...at(8n), ...at(10n)] }, "BOP_LOG_GAP"],
      [{ entries: at(7n) }, "BOP_LOG_CONFLICT"],
      [{ entries: at(8n, 2n) }, "BOP_LOG_TERM"],
      [{ entries: [...at(8n, 5n), ...at(9n, 4n)] }, "BOP_LOG_TERM"],
      [{ truncateAfter: 4n }, "BOP_LOG_COMPACTED"],
      [{ compact: { upToIndex: 8n } }, "BOP_LOG_UNAVAILABLE"],
      [{ compact: { upToIndex: 8n, term: 2n } }, "BOP_LOG_TERM"],
      [{ compact: { upToIndex: 6n, term: 4n } }, "BOP_LOG_TERM"],
    ];
    for (const [change, code] of refusals) {
      expect(() => plan(core, change, WHAT), code).toThrow(expect.objectContaining({ code }));
    }
    expect([core.firstIndex, core.lastIndex]).toEqual([6n, 7n]);
    for (const change of [
      { entries: at(-1n) },
      { entries: at(2n ** 64n) },
      { entries: [{ term: 3n, index: 8n, payload: new Uint8Array(1001) }] },
      { stable: { "": new Uint8Array(1) } },
      { snapshotMeta: new Uint8Array(70_000) },
    ]) {
      expect(() => plan(core, change, WHAT)).toThrow(RangeError);
    }
  });
});
