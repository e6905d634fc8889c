import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LSN_ZERO, lsn, pageNumber, streamId } from "../base/units.ts";
import { CommitAssembler } from "./assembler.ts";
import { BATCH_HEADER, readBatchHeader, readPayload } from "./batch.ts";
import type { ReplayedCommit } from "./commit.ts";
import { LogCore, type WriteJob } from "./core.ts";
import { pageSum } from "./delta.ts";
import { plainMemory } from "./memory.fixture.ts";

const STORE_ID = new Uint8Array(16).fill(7);
const SEQUENCE = 3;
const BUFFER_BYTES = 128 * 1024;
const STREAM = streamId(5);

const core = () =>
  new LogCore({
    storeId: STORE_ID,
    lsn: LSN_ZERO,
    bufferBytes: BUFFER_BYTES,
    memory: plainMemory(),
    wallMs: 0,
  });

interface Read {
  readonly stream: number;
  readonly lsn: number;
  readonly payloads: readonly string[];
}

/** Decodes batches as recovery would. */
function read(batches: readonly Uint8Array[], from = LSN_ZERO): Read[] {
  const commits: Read[] = [];
  const assembler = new CommitAssembler(from, (commit: ReplayedCommit) => {
    const payloads = commit.frames.map((frame) => {
      return frame.kind === "entry" ? Buffer.from(frame.payload).toString("hex") : frame.kind;
    });
    commits.push({ stream: commit.stream, lsn: commit.lsn, payloads });
  });
  for (const bytes of batches) {
    const header = readBatchHeader(bytes, { storeId: STORE_ID, sequence: SEQUENCE });
    const payload = header && readPayload(bytes, header);
    if (header === undefined || payload === undefined) throw new Error("a batch did not decode");
    const place = { file: "segment", offset: 4096 + header.startLsn + BATCH_HEADER.sizeBytes };
    const copy = payload.slice();
    assembler.take({ startLsn: header.startLsn, payload: copy, place });
    copy.fill(0xee);
  }
  return commits;
}

function writeOne(log: LogCore): { job: WriteJob; bytes: Uint8Array } {
  const job = log.startWrite({ sequence: SEQUENCE, wallMs: 1000 });
  return { job, bytes: job.bytes.slice() };
}

function drain(log: LogCore): Uint8Array[] {
  const batches: Uint8Array[] = [];
  while (log.nextWriteBytes > 0) {
    const { job, bytes } = writeOne(log);
    log.finishWrite(job);
    log.finishSync(job);
    batches.push(bytes);
  }
  return batches;
}

function commit(log: LogCore, payloads: readonly Uint8Array[]): number {
  log.begin(STREAM);
  for (const payload of payloads) log.entry(payload);
  return log.seal({ pageCount: 0, pageBytes: 0 });
}

const small = (n: number) => new Uint8Array([n, n, n]);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("log core", () => {
  test("commits sealed while a batch is with the device share the next one", () => {
    const log = core();
    const first = commit(log, [small(1)]);
    const { job } = writeOne(log);
    const second = commit(log, [small(2)]);
    const third = commit(log, [small(3)]);
    log.finishWrite(job);
    expect(log.finishSync(job)).toBe(4096);
    expect(first).toBeLessThan(4096);
    expect(drain(log)).toHaveLength(1);
    expect(log.durableLsn).toBe(8192);
    expect(second).toBeGreaterThan(4096);
    expect(third).toBeGreaterThan(second);
  });

  test("a commit that is discarded leaves no byte, even if it took several buffers", () => {
    const log = core();
    const kept = commit(log, [small(1)]);
    log.begin(STREAM);
    for (let i = 0; i < 5; i++) log.entry(new Uint8Array(100_000).fill(i));
    log.discard();
    expect(log.newestLsn).toBe(kept);
    const after = commit(log, [small(2)]);
    const batches = drain(log);
    expect(batches).toHaveLength(1);
    expect(read(batches)).toEqual([
      { stream: STREAM, lsn: kept, payloads: [hex(small(1))] },
      { stream: STREAM, lsn: after, payloads: [hex(small(2))] },
    ]);
  });

  test("nothing of a commit that is not sealed is handed to the device", () => {
    const log = core();
    log.begin(STREAM);
    for (let i = 0; i < 5; i++) log.entry(new Uint8Array(100_000));
    expect(log.nextWriteBytes).toBe(0);
    expect(() => log.startWrite({ sequence: 1, wallMs: 0 })).toThrowError(/within a commit/);
  });

  test("a commit over several batches is durable with its last, and is not split by what users see", () => {
    const log = core();
    const before = commit(log, [small(1)]);
    const large = commit(
      log,
      Array.from({ length: 4 }, (_, i) => new Uint8Array(90_000).fill(i)),
    );
    const seen: number[] = [];
    const batches: Uint8Array[] = [];
    while (log.nextWriteBytes > 0) {
      const { job, bytes } = writeOne(log);
      log.finishWrite(job);
      seen.push(log.finishSync(job));
      batches.push(bytes);
    }
    expect(batches.length).toBeGreaterThan(2);
    expect(seen.slice(0, -1).every((lsn) => lsn === before)).toBe(true);
    expect(seen.at(-1)).toBeGreaterThanOrEqual(large);
    expect(read(batches).map(({ lsn }) => lsn)).toEqual([before, large]);
    expect(read(batches.slice(0, -1)).map(({ lsn }) => lsn)).toEqual([before]);
  });

  test("a batch that was refused is handed out again for another segment, with what came later", () => {
    const log = core();
    commit(log, [small(1)]);
    const { job } = writeOne(log);
    commit(log, [small(2)]);
    log.failWrite(job);
    expect(log.durableLsn).toBe(0);
    const batches = drain(log);
    expect(read(batches).map(({ payloads }) => payloads)).toEqual([
      [hex(small(1))],
      [hex(small(2))],
    ]);
  });

  test("an empty batch proves what is durable, and comes only when nothing else is to be written", () => {
    const log = core();
    commit(log, [small(1)]);
    expect(log.stageProof()).toBe(false);
    drain(log);
    expect(log.stageProof()).toBe(true);
    const [proof = new Uint8Array(0)] = drain(log);
    const header = readBatchHeader(proof, { storeId: STORE_ID, sequence: SEQUENCE });
    expect(header).toMatchObject({ payloadBytes: 0, startLsn: 4096, durableLsn: 4096 });
  });

  test("the time in the log never falls, though the clock does", () => {
    const log = core();
    const times = [5000, 3000].map((wallMs) => {
      commit(log, [small(1)]);
      const job = log.startWrite({ sequence: SEQUENCE, wallMs });
      const header = readBatchHeader(job.bytes, { storeId: STORE_ID, sequence: SEQUENCE });
      log.finishWrite(job);
      log.finishSync(job);
      return header?.wallMs;
    });
    expect(times).toEqual([5000, 5000]);
  });

  test("a second write, an acknowledgement out of turn and a nested commit are bugs and stop us", () => {
    const log = core();
    commit(log, [small(1)]);
    const { job } = writeOne(log);
    commit(log, [small(2)]);
    expect(() => log.startWrite({ sequence: 1, wallMs: 0 })).toThrowError(/two log writes/);
    expect(() => log.finishSync(job)).toThrowError(/no move/);
    expect(() => log.finishWrite({ ...job })).toThrowError(/not in flight/);
    log.begin(STREAM);
    expect(() => log.begin(STREAM)).toThrowError(/while another/);
  });

  test("whatever is committed, discarded, written and refused, the batches hold the commits in order", () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant("commit"), sizes: sizes() }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("discard"), sizes: sizes() }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("start", "finish", "fail") }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const log = core();
        const expected: Read[] = [];
        const durable: Uint8Array[] = [];
        let flight: { job: WriteJob; bytes: Uint8Array } | undefined;
        for (const [i, now] of steps.entries()) {
          if ("sizes" in now) {
            log.begin(STREAM);
            const payloads = now.sizes.map((size) => new Uint8Array(size).fill(i));
            for (const payload of payloads) log.entry(payload);
            if (now.do === "discard") log.discard();
            else {
              const at = log.seal({ pageCount: 0, pageBytes: 0 });
              expected.push({ stream: STREAM, lsn: at, payloads: payloads.map(hex) });
            }
          } else if (now.do === "start" && flight === undefined && log.nextWriteBytes > 0) {
            flight = writeOne(log);
          } else if (now.do !== "start" && flight !== undefined) {
            log.finishWrite(flight.job);
            if (now.do === "fail") log.failWrite(flight.job);
            else {
              log.finishSync(flight.job);
              durable.push(flight.bytes);
              const shown = read(durable).filter((it) => it.lsn <= log.durableLsn);
              expect(shown).toEqual(expected.filter((it) => it.lsn <= log.durableLsn));
            }
            flight = undefined;
          }
        }
        if (flight !== undefined) log.failWrite(flight.job);
        durable.push(...drain(log));
        expect(read(durable)).toEqual(expected);
        expect(log.durableLsn).toBeGreaterThanOrEqual(expected.at(-1)?.lsn ?? 0);
        expect(log.backlogBytes).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});

function sizes() {
  const size = fc.oneof(fc.nat(300), fc.integer({ min: 30_000, max: 120_000 }));
  return fc.array(size, { maxLength: 4 });
}

describe("replay", () => {
  test("frames of a commit that was cut off are dropped, and the commits behind them stand", () => {
    const cut = core();
    commit(cut, [small(1)]);
    commit(
      cut,
      Array.from({ length: 3 }, () => new Uint8Array(90_000)),
    );
    const [front = new Uint8Array(0), middle = new Uint8Array(0)] = drain(cut);
    const end = front.length + middle.length;
    const start = { storeId: STORE_ID, lsn: lsn(end), bufferBytes: BUFFER_BYTES, wallMs: 0 };
    const next = new LogCore({ ...start, memory: plainMemory() });
    const after = commit(next, [small(2)]);
    const found = read([front, middle, ...drain(next)]);
    expect(found.map(({ payloads }) => payloads)).toEqual([[hex(small(1))], [hex(small(2))]]);
    expect(found.at(-1)?.lsn).toBe(after);
  });

  test("a commit below the checkpoint is passed over, though its front was let go with its segment", () => {
    const log = core();
    const folded = commit(
      log,
      Array.from({ length: 3 }, () => new Uint8Array(90_000)),
    );
    commit(log, [small(1)]);
    const kept = drain(log).slice(-1);
    expect(read(kept, lsn(folded)).map(({ payloads }) => payloads)).toEqual([[hex(small(1))]]);
    expect(() => read(kept)).toThrow(/does not follow the frames that it names/);
  });

  test("pages, deltas and the fields of the commit come back as they were staged", () => {
    const log = core();
    const base = new Uint8Array(4096).fill(3);
    const image = base.slice();
    image[77] = 1;
    log.begin(STREAM);
    log.page(pageNumber(1), base);
    const first = log.seal({ pageCount: 1, pageBytes: 4096 });
    log.begin(STREAM);
    expect(log.delta(pageNumber(1), { baseLsn: lsn(first), base, image })).toBe(pageSum(image));
    log.seal({ pageCount: 2, pageBytes: 4096 });
    const commits: ReplayedCommit[] = [];
    const assembler = new CommitAssembler(lsn(first), (it) => commits.push(it));
    for (const bytes of drain(log)) {
      const header = readBatchHeader(bytes, { storeId: STORE_ID, sequence: SEQUENCE });
      const payload = header && readPayload(bytes, header);
      if (header === undefined || payload === undefined) throw new Error("no batch");
      assembler.take({ startLsn: header.startLsn, payload, place: { file: "s", offset: 0 } });
    }
    expect(commits).toHaveLength(1);
    const [only] = commits;
    expect(only).toMatchObject({ stream: STREAM, pageCount: 2, pageBytes: 4096 });
    const frame = only?.frames[0];
    expect(frame).toMatchObject({ kind: "delta", pageNumber: 1, baseLsn: first });
    expect(frame?.kind === "delta" && Buffer.from(frame.apply(base)).equals(image)).toBe(true);
  });
});
