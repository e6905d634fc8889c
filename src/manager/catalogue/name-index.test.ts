import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NameIndex } from "./name-index.ts";

const names = fc.string({
  unit: fc.constantFrom("a", "b", "é", "🦊", "\uffee", "-"),
  maxLength: 4,
});

describe("names in order", () => {
  test("hold and order what was put, whatever was put and removed before", () => {
    const step = fc.record({ name: names, put: fc.boolean(), from: fc.option(names) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const index = new NameIndex<number>();
        const model = new Map<string, number>();
        for (const [at, { name, put, from }] of steps.entries()) {
          if (put) index.set(name, at);
          else index.delete(name);
          if (put) model.set(name, at);
          else model.delete(name);
          expect(index.get(name)).toBe(model.get(name));
          if (from === null) continue; // The order is made at the first question, early or late.
          const wanted = [...model].filter(([each]) => each >= from);
          expect([...index.from(from)]).toEqual(wanted.sort(([a], [b]) => (a < b ? -1 : 1)));
        }
        expect(index.size).toBe(model.size);
      }),
    );
  });

  test("stay in order over many blocks that fill, split and empty", () => {
    const index = new NameIndex<number>();
    const nameOf = (at: number) => `tenant-${String((at * 7919) % 10_007).padStart(5, "0")}`;
    index.set(nameOf(0), 0);
    expect([...index.from("")]).toHaveLength(1);
    for (let at = 1; at < 5000; at++) index.set(nameOf(at), at);
    for (let at = 0; at < 5000; at += 3) index.delete(nameOf(at));
    const expected: string[] = [];
    for (let at = 0; at < 5000; at++) if (at % 3 !== 0) expected.push(nameOf(at));
    expected.sort();
    expect([...index.from("")].map(([name]) => name)).toEqual(expected);
    const [middle = ""] = expected.slice(1500, 1501);
    expect(index.from(middle).next().value?.[0]).toBe(middle);
    for (const name of expected) index.delete(name);
    expect([...index.from("")]).toEqual([]);
    index.set("again", 1);
    expect([...index.from("")]).toEqual([["again", 1]]);
  });
});
