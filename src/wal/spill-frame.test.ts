import { describe, expect, test } from "vitest";
import { chunkId, LSN_ZERO, lsn, streamId } from "../base/units.ts";
import { seeded } from "../io/index.ts";
import { CommitAssembler } from "./assembler.ts";
import { BATCH_HEADER, readBatchHeader } from "./batch.ts";
import type { ReplayedCommit } from "./commit.ts";
import { LogCore } from "./core.ts";
import type { SpillFields } from "./frame.ts";
import { plainMemory } from "./memory.fixture.ts";

const STORE_ID = new Uint8Array(16).fill(7);
const PLACE = { file: "wal", offset: 0 };
const FIELDS: SpillFields = {
  chunk: chunkId(0x1234567),
  fileBytes: 67_108_000,
  pageCount: 16_163,
  directoryCrc: 0xfedcba98,
};

/** The frames of one commit that was spilled to these chunks. */
function payloadOf(spills: readonly SpillFields[]): Uint8Array {
  const start = { storeId: STORE_ID, lsn: LSN_ZERO, bufferBytes: 131_072, wallMs: 0 };
  const log = new LogCore({ ...start, memory: plainMemory() });
  log.begin(streamId(3));
  for (const spill of spills) log.spill(spill);
  log.seal({ pageCount: 40_000, pageBytes: 4096 });
  const { bytes } = log.startWrite({ sequence: 1, wallMs: 0 });
  const payloadBytes =
    readBatchHeader(bytes, { storeId: STORE_ID, sequence: 1 })?.payloadBytes ?? 0;
  return bytes.slice(BATCH_HEADER.sizeBytes, BATCH_HEADER.sizeBytes + payloadBytes);
}

function read(payload: Uint8Array): ReplayedCommit[] {
  const commits: ReplayedCommit[] = [];
  const assembler = new CommitAssembler(lsn(0), (commit) => commits.push(commit));
  assembler.take({ startLsn: 0, payload, place: PLACE });
  return commits;
}

describe("a spill frame", () => {
  test("comes back as it was written, however many a commit has", () => {
    for (const count of [1, 2, 300]) {
      const spills = Array.from({ length: count }, (_, n) => ({
        ...FIELDS,
        chunk: chunkId(FIELDS.chunk + n),
      }));
      const [commit] = read(payloadOf(spills));
      expect(commit).toMatchObject({ stream: 3, pageCount: 40_000, pageBytes: 4096 });
      expect(commit?.frames).toEqual(spills.map((fields) => expect.objectContaining(fields)));
    }
  });

  test("has these bytes, since files of this version must stay readable", () => {
    expect(Buffer.from(payloadOf([FIELDS])).toString("hex")).toMatchInlineSnapshot(
      `"06e78a8d09a0f9ff1fa37e98badcfe0503010fc0b80280200001"`,
    );
  });

  test("that was changed or cut is refused or another, and never crashes the reader", () => {
    const payload = payloadOf([FIELDS, FIELDS]);
    const random = seeded(11);
    for (let round = 0; round < 2000; round += 1) {
      const bad = payload.slice(0, 1 + random.below(payload.length));
      const at = random.below(bad.length);
      bad[at] = (bad[at] ?? 0) ^ (1 + random.below(255));
      try {
        read(bad);
      } catch (error) {
        expect(error).toMatchObject({ code: "BOP_CORRUPT" });
      }
    }
  });
});
