/** Commits that are one: over several streams, over several batches, cut off by a crash. */
import { describe, expect, test } from "vitest";
import { LSN_ZERO, type Lsn, lsn, streamId } from "../base/units.ts";
import { CommitAssembler } from "./assembler.ts";
import { BATCH_HEADER, readBatchHeader, readPayload } from "./batch.ts";
import type { LogCore } from "./core.ts";
import { memoryCore } from "./group.fixture.ts";

const SEQUENCE = 3;
const STORE_ID = new Uint8Array(16).fill(7);
const NO_PAGES = { pageCount: 0, pageBytes: 0 };
const bytesOf = (fill: number, count = 20) => new Uint8Array(count).fill(fill);

/** Writes everything; returns the batches. */
function drain(core: LogCore): Uint8Array[] {
  const batches: Uint8Array[] = [];
  while (core.nextWriteBytes > 0) {
    const job = core.startWrite({ sequence: SEQUENCE, wallMs: 0 });
    batches.push(job.bytes.slice());
    core.finishWrite(job);
    core.finishSync(job);
  }
  return batches;
}

interface Wanted {
  readonly stream: number;
  readonly bytes: Uint8Array;
  readonly group?: number;
}

function commit(core: LogCore, { stream, bytes, group }: Wanted): Lsn {
  core.begin(streamId(stream));
  core.records(bytes);
  return core.seal(NO_PAGES, group);
}

/** Streams and bytes of the commits that are handed out; the batch is overwritten after each. */
function read(batches: readonly Uint8Array[], fromLsn = LSN_ZERO): [number, string][] {
  const found: { stream: number; parts: Uint8Array[] }[] = [];
  const out: [number, string][] = [];
  const assembler = new CommitAssembler(fromLsn, ({ stream, frames }) => {
    const parts = frames.map((frame) => (frame.kind === "records" ? frame.payload : bytesOf(0)));
    found.push({ stream, parts });
    out.push([stream, Buffer.concat(parts).toString("hex")]);
  });
  for (const batch of batches) takeFrom(batch, assembler);
  return out;
}

function takeFrom(batch: Uint8Array, assembler: CommitAssembler): void {
  const bytes = batch.slice();
  const header = readBatchHeader(bytes, { storeId: STORE_ID, sequence: SEQUENCE });
  if (header === undefined) throw new Error("no batch");
  const payload = readPayload(bytes, header);
  if (payload === undefined) throw new Error("a torn batch");
  const place = { file: "test", offset: BATCH_HEADER.sizeBytes };
  assembler.take({ startLsn: header.startLsn, payload, place });
  bytes.fill(0xee);
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("a group of commits", () => {
  test("is handed out when all of it was read, in order, between commits that are alone", () => {
    const core = memoryCore();
    commit(core, { stream: 1, bytes: bytesOf(1) });
    commit(core, { stream: 2, bytes: bytesOf(2), group: 2 });
    commit(core, { stream: 3, bytes: bytesOf(3), group: 2 });
    commit(core, { stream: 1, bytes: bytesOf(4) });
    const expected = [1, 2, 3, 4].map((n) => hex(bytesOf(n)));
    expect(read(drain(core)).map(([, bytes]) => bytes)).toEqual(expected);
  });

  test("says of each commit where the group ends, and nothing of one that is alone", () => {
    const core = memoryCore();
    commit(core, { stream: 1, bytes: bytesOf(1) });
    const first = commit(core, { stream: 2, bytes: bytesOf(2), group: 2 });
    const last = commit(core, { stream: 3, bytes: bytesOf(3), group: 2 });
    const groups: (Lsn | undefined)[] = [];
    const assembler = new CommitAssembler(LSN_ZERO, ({ groupLsn }) => groups.push(groupLsn));
    for (const batch of drain(core)) takeFrom(batch, assembler);
    expect(groups).toEqual([undefined, last, last]);
    expect(last).toBeGreaterThan(first);
  });

  test("over several batches keeps its bytes, though the first batch is overwritten meanwhile", () => {
    const core = memoryCore();
    const large = bytesOf(9, 300_000);
    commit(core, { stream: 2, bytes: large, group: 3 });
    commit(core, { stream: 3, bytes: bytesOf(3), group: 3 });
    commit(core, { stream: 4, bytes: large, group: 3 });
    const batches = drain(core);
    expect(batches.length).toBeGreaterThan(3);
    expect(read(batches)).toEqual([
      [2, hex(large)],
      [3, hex(bytesOf(3))],
      [4, hex(large)],
    ]);
  });

  test("that a crash cut off is nothing, whatever follows it", () => {
    const core = memoryCore();
    commit(core, { stream: 1, bytes: bytesOf(1) });
    commit(core, { stream: 2, bytes: bytesOf(9, 200_000), group: 2 });
    commit(core, { stream: 3, bytes: bytesOf(9, 200_000), group: 2 });
    const batches = drain(core);
    for (let kept = 1; kept < batches.length; kept++) {
      const front = batches.slice(0, kept);
      const endLsn = front.reduce((sum, batch) => sum + batch.length, 0);
      const next = memoryCore(lsn(endLsn));
      commit(next, { stream: 5, bytes: bytesOf(5) });
      commit(next, { stream: 6, bytes: bytesOf(6), group: 2 });
      commit(next, { stream: 7, bytes: bytesOf(7), group: 2 });
      const streams = read([...front, ...drain(next)]).map(([stream]) => stream);
      expect(streams.slice(-3), `${kept} batches`).toEqual([5, 6, 7]);
      expect(streams.includes(2)).toBe(false);
    }
  });

  test("is visible only as a whole: no durable LSN lies within it", () => {
    const core = memoryCore();
    const before = commit(core, { stream: 1, bytes: bytesOf(1) });
    const first = commit(core, { stream: 2, bytes: bytesOf(9, 200_000), group: 2 });
    const last = commit(core, { stream: 3, bytes: bytesOf(9, 200_000), group: 2 });
    const seen: Lsn[] = [];
    while (core.nextWriteBytes > 0) {
      const job = core.startWrite({ sequence: SEQUENCE, wallMs: 0 });
      core.finishWrite(job);
      seen.push(core.finishSync(job));
    }
    expect(seen.filter((at) => at >= first && at < last)).toEqual([]);
    expect(seen[0]).toBe(before);
    expect(seen.at(-1)).toBeGreaterThanOrEqual(last);
  });

  test("cannot be written before its last commit is sealed, nor given up after its first", () => {
    const core = memoryCore();
    commit(core, { stream: 2, bytes: bytesOf(2), group: 2 });
    expect(core.inGroup).toBe(true);
    expect(() => core.startWrite({ sequence: SEQUENCE, wallMs: 0 })).toThrow("within a commit");
    core.begin(streamId(3));
    expect(() => core.discard()).toThrow("group");
  });
});
