import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chunkId, LSN_ZERO } from "../base/units.ts";
import { seeded } from "../io/index.ts";
import { decodeBody, encodeBody } from "./body.ts";
import { Malformed, Reader, Writer } from "./bytes.ts";
import type { LogMoment } from "./core.ts";
import {
  decodeOperations,
  encodeAppend,
  encodeOneEntry,
  encodeOperation,
  type Operation,
  roomFor,
  type StoredEntry,
} from "./operations.ts";

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const bytes = (max: number) => fc.uint8Array({ maxLength: max });
const entry: fc.Arbitrary<StoredEntry> = fc.record({
  term: u64,
  field: bytes(256),
  payload: bytes(300),
});
const boundary = fc.record({ index: u64, term: u64, field: bytes(256) });
const hardState = fc.oneof(
  fc.record({ term: u64, vote: bytes(256) }),
  fc.record({ term: u64, vote: bytes(256), commit: u64 }),
);
const key = fc.string({ unit: "grapheme", maxLength: 40 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    kind: fc.constant("append" as const),
    firstIndex: u64,
    entries: fc.array(entry, { maxLength: 8 }),
  }),
  fc.record({
    kind: fc.constant("truncate" as const),
    after: fc.oneof(u64, fc.constant("all" as const)),
  }),
  fc.record({ kind: fc.constant("compact" as const), to: boundary }),
  fc.record({ kind: fc.constant("hardState" as const), state: hardState }),
  fc.record({
    kind: fc.constant("stable" as const),
    key,
    value: fc.option(bytes(100), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("snapshot" as const), meta: bytes(100) }),
  fc.constant({ kind: "clear" as const }),
);

function encoded(operations: readonly Operation[]): Uint8Array {
  const into = new Writer(new Uint8Array(0));
  for (const each of operations) encodeOperation(into, each);
  return into.written();
}

const plain = (value: unknown) =>
  JSON.stringify(value, (_, each) => {
    if (typeof each === "bigint") return `${each}n`;
    return each instanceof Uint8Array ? Buffer.from(each).toString("hex") : each;
  });

describe("operations of a record log", () => {
  test("come back as they were written, whatever they are and however many", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 6 }), (operations) => {
        const back = decodeOperations(new Reader(encoded(operations)));
        expect(plain(back)).toBe(plain(operations));
      }),
    );
  });

  test("take no more than the room that was asked for them, so that memory is made once", () => {
    fc.assert(
      fc.property(operation, (each) => {
        expect(encoded([each]).length).toBeLessThanOrEqual(roomFor(each));
      }),
    );
  });

  test("an appended entry is kept as a view of the bytes that are logged", () => {
    const into = new Writer(new Uint8Array(200));
    const given = [
      { term: 1n, field: Uint8Array.of(9), payload: Uint8Array.of(1, 2) },
      { term: 1n, field: new Uint8Array(0), payload: new Uint8Array(0) },
    ];
    const kept = encodeAppend(into, { kind: "append", firstIndex: 5n, entries: given });
    expect(plain(kept)).toBe(plain(given));
    expect(kept[0]?.payload.buffer).toBe(into.bytes.buffer);
    const [back] = decodeOperations(new Reader(into.written()));
    expect(plain(back)).toBe(plain({ kind: "append", firstIndex: 5n, entries: given }));
  });

  test("a small entry costs two or three bytes besides its payload", () => {
    const payload = new Uint8Array(256);
    const entries = Array.from({ length: 100 }, () => ({
      term: 7n,
      field: new Uint8Array(0),
      payload,
    }));
    const length = encoded([{ kind: "append", firstIndex: 2n ** 40n, entries }]).length;
    expect(length).toBeLessThanOrEqual(100 * (256 + 2) + 12);
  });

  test("lie in the log as they always did", () => {
    const all: Operation[] = [
      {
        kind: "append",
        firstIndex: 300n,
        entries: [
          { term: 2n, field: Uint8Array.of(0xaa), payload: Uint8Array.of(1, 2, 3) },
          { term: 2n, field: new Uint8Array(0), payload: Uint8Array.of(4) },
        ],
      },
      { kind: "truncate", after: 2n ** 64n - 1n },
      { kind: "truncate", after: "all" },
      { kind: "compact", to: { index: 1n, term: 1n, field: Uint8Array.of(0xbb) } },
      { kind: "hardState", state: { term: 3n, vote: Uint8Array.of(5), commit: 9n } },
      { kind: "stable", key: "k", value: Uint8Array.of(6) },
      { kind: "stable", key: "k", value: undefined },
      { kind: "snapshot", meta: Uint8Array.of(7, 8) },
      { kind: "clear" },
    ];
    expect(Buffer.from(encoded(all)).toString("hex")).toMatchInlineSnapshot(
      `"01ac02020f0201aa010203040402ffffffffffffffffff010304010101bb05030101050906016b010607016b0802070809"`,
    );
  });

  test("that are anything at all are refused without a crash, and never read past their end", () => {
    const random = seeded(3);
    const sample = encoded(fc.sample(operation, { numRuns: 30, seed: 4 }));
    for (let round = 0; round < 3000; round++) {
      const damaged =
        round % 2 === 0 ? sample.slice(0, random.below(sample.length)) : sample.slice();
      for (let n = random.below(4); n >= 0 && damaged.length > 0; n--) {
        damaged[random.below(damaged.length)] = random.below(256);
      }
      try {
        decodeOperations(new Reader(damaged));
      } catch (error) {
        expect(error).toBeInstanceOf(Malformed);
      }
    }
  });
});

describe("what the manifest keeps of a record log", () => {
  const moment: LogMoment = {
    boundary: { index: 9n, term: 2n, field: Uint8Array.of(1) },
    first: 10n,
    next: 2n ** 63n,
    runs: [
      { from: 10n, term: 2n },
      { from: 20n, term: 5n },
    ],
    ranges: [
      { chunk: chunkId(3), first: 10n, last: 99n },
      { chunk: chunkId(8), first: 100n, last: 2n ** 63n - 1n },
    ],
    hardState: { term: 7n, vote: Uint8Array.of(4), commit: 11n },
    stable: new Map([["a", Uint8Array.of(1, 2)]]),
    snapshotMeta: Uint8Array.of(9),
    lsn: LSN_ZERO,
  };
  const empty: LogMoment = {
    boundary: undefined,
    first: 0n,
    next: 0n,
    runs: [],
    ranges: [],
    hardState: undefined,
    stable: new Map(),
    snapshotMeta: undefined,
    lsn: LSN_ZERO,
  };
  const END = 2n ** 64n;
  const ended: LogMoment = {
    ...empty,
    boundary: { index: END - 1n, term: 1n, field: new Uint8Array(0) },
    first: END,
    next: END,
  };
  const about = { log: "group", lsn: LSN_ZERO };

  test.each([
    ["a full one", moment],
    ["an empty one", empty],
    ["one that is compacted to the last index there can be", ended],
  ])("%s comes back as it was", (_, each) => {
    const back = decodeBody(encodeBody(each), about);
    expect(plain(back)).toBe(plain(each));
    expect([...back.stable]).toEqual([...each.stable]);
  });

  test("lies in the manifest as it always did", () => {
    expect(Buffer.from(encodeBody(moment)).toString("hex")).toMatchInlineSnapshot(
      `"0103090201010af6ffffffffffffff7f020a02140502030a5a08649cffffffffffffff7f070101040b0101610201020109"`,
    );
  });

  test("with a gap between chunks, terms out of order or a later version is refused", () => {
    const [first, second] = moment.ranges;
    if (first === undefined || second === undefined) throw new Error("no ranges");
    const ranges = [first, { ...second, first: 101n }];
    expect(() => decodeBody(encodeBody({ ...moment, ranges }), about)).toThrow("a gap");
    const runs = [...moment.runs, { from: 30n, term: 5n }];
    expect(() => decodeBody(encodeBody({ ...moment, runs }), about)).toThrow("out of order");
    const beyond = { ...ended, next: END + 1n };
    expect(() => decodeBody(encodeBody(beyond), about)).toThrow("beyond 64 bits");
    const farther = { ...ended, first: END + 1n, next: END + 1n };
    expect(() => decodeBody(encodeBody(farther), about)).toThrow("longer than 64 bits");
    const later = encodeBody(moment);
    later[0] = 2;
    expect(() => decodeBody(later, about)).toThrow(expect.objectContaining({ code: "BOP_FORMAT" }));
  });

  test("that is anything at all is BOP_CORRUPT or BOP_FORMAT, never a crash", () => {
    const random = seeded(8);
    const sample = encodeBody(moment);
    for (let round = 0; round < 3000; round++) {
      const damaged = sample.slice(0, 1 + random.below(sample.length));
      for (let n = random.below(4); n >= 0; n--) {
        damaged[random.below(damaged.length)] = random.below(256);
      }
      try {
        decodeBody(damaged, about);
      } catch (error) {
        expect(["BOP_CORRUPT", "BOP_FORMAT"]).toContain((error as { code?: string }).code);
      }
    }
  });
});

test("a lone entry whose payload follows later is the same bytes as an append of one", () => {
  const scratch = new Writer();
  fc.assert(
    fc.property(u64, u64, bytes(4000), (index, term, payload) => {
      const append = { kind: "append" as const, firstIndex: index };
      const whole = new Writer();
      encodeAppend(whole, { ...append, entries: [{ term, field: new Uint8Array(0), payload }] });
      encodeOneEntry(scratch, { index, term, payloadBytes: payload.length });
      expect(Buffer.concat([scratch.written(), payload])).toEqual(Buffer.from(whole.written()));
    }),
  );
});
