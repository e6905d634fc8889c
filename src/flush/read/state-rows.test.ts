import { expect, test } from "vitest";
import { row, TestBucket } from "./bucket.fixture.ts";

const text = (name: string) => new Uint8Array(Buffer.from(name));
const rowsFrom = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) =>
    row(`key ${String(from + at).padStart(5, "0")}`, "v".repeat(200)),
  );

test("ends of objects are read once for all ranges of keys, until another state is asked for", async () => {
  const bucket = await TestBucket.make();
  await bucket.base([rowsFrom(0, 5000), rowsFrom(5000, 10_000)]);
  const state = await bucket.batch([row("key 07000", "new")], true);
  const next = await bucket.batch([row("key 07000", "newer")]);
  const reader = await bucket.reader();
  const valuesIn = async (of: typeof state, from: string, to: string) => {
    const values: string[] = [];
    const bounds = { from: text(from), to: text(to) };
    for await (const { value } of reader.rows(of, bounds)) values.push(`${Buffer.from(value)}`);
    return values;
  };
  expect(await valuesIn(state, "key 07000", "key 07001")).toEqual(["new"]);
  const before = reader.reads;
  expect(await valuesIn(state, "key 01000", "key 01003")).toHaveLength(3);
  expect(await valuesIn(state, "x", "z")).toEqual([]);
  expect(reader.reads.gets - before.gets).toBe(1); // A block.
  expect(reader.reads.bytes - before.bytes).toBeLessThan(50_000);
  expect(await valuesIn(next, "key 07000", "key 07001")).toEqual(["newer"]);
  reader.refresh();
  expect(await valuesIn(state, "key 07000", "key 07001")).toEqual(["new"]);
});
