import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { linesOf } from "./lines.ts";

test.each([
  ["nothing", [], []],
  ["one line, ended or not", ["a\n"], ["a"]],
  ["a last line without an end", ["a\nb"], ["a", "b"]],
  ["empty lines", ["\n\na"], ["", "", "a"]],
  ["carriage returns, which end no line", ["a\rb\r\nc\r"], ["a\rb\r", "c\r"]],
  ["lines over several pieces", ["a", "b\nc", "", "\n", "d"], ["ab", "c", "d"]],
])("%s", async (_what, pieces, lines) => {
  expect(await linesIn(pieces)).toEqual(lines);
});

test("a character that two pieces share is one", async () => {
  const bytes = Buffer.from("é\n€");
  const pieces = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
  expect(await linesIn(pieces)).toEqual(["é", "€"]);
});

async function linesIn(pieces: readonly (string | Uint8Array)[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(Readable.from(pieces))) lines.push(line);
  return lines;
}
