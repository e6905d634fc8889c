import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { present } from "../../base/assert.ts";
import { chunkId, streamId } from "../../base/units.ts";
import { inspectRecordChunk, type RecordBlockEntry } from "../../chunk/index.ts";
import { systemEnv } from "../../io/index.ts";
import { auditManifest, type ManifestAudit, openLmdbStore } from "../../manifest/index.ts";
import { Manager } from "../manager.ts";
import { type Finding, Findings } from "./findings.ts";
import { verifyStore } from "./verify.ts";
import { RangeTally } from "./verify-records.ts";

let directory = "";
let chunkFile = "";
let audit: ManifestAudit;
let blocks: readonly RecordBlockEntry[] = [];

const entriesOf = (first: number, count: number) =>
  Array.from({ length: count }, (_, at) => {
    return { term: 1n, index: BigInt(first + at), payload: new Uint8Array(900).fill(at) };
  });

/** Two logs whose entries share a chunk, several blocks each; what one has lost is not counted. */
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "bop-verify-records-"));
  const manager = await Manager.open({ directory });
  const [raft, events] = [await manager.log("raft"), await manager.log("events")];
  await raft.append(entriesOf(1, 100));
  await events.append(entriesOf(50, 80));
  await manager.checkpoint();
  await events.truncateSuffix(119n);
  await manager.checkpoint();
  await manager.close();
  const names = readdirSync(join(directory, "chunks"), { recursive: true, encoding: "utf8" });
  const [name = ""] = names.filter((it) => it.endsWith(".chunk"));
  chunkFile = `chunks/${name}`;
  blocks = present(inspectRecordChunk(readFileSync(join(directory, chunkFile))).blocks, "blocks");
  const store = await openLmdbStore(join(directory, "manifest"));
  audit = auditManifest(store, { file: "manifest", onMapRow: () => undefined });
  await store.close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const verified = () => {
  const env = systemEnv({ scratchDirectory: `${directory}/tmp` });
  return verifyStore({ env, directory, openKeyValueStore: openLmdbStore });
};

const damages = (findings: readonly Finding[]) =>
  findings.filter(({ level }) => level === "damage");

/** What is found of these rows against the blocks that are there. */
function found({ recordLogs, chunks }: Pick<ManifestAudit, "recordLogs" | "chunks">): string[] {
  const findings = new Findings();
  const tally = new RangeTally(recordLogs, findings);
  tally.checkChunks(chunks, findings);
  for (const row of chunks) tally.check(row, blocks, { file: chunkFile, findings });
  return findings.all.map(({ what }) => what);
}

describe("record logs in a chunk that they share", () => {
  test("are sound when each entry that a row names lies where it says", async () => {
    expect(blocks.length).toBeGreaterThan(3);
    expect(damages((await verified()).findings)).toEqual([]);
    expect(found(audit)).toEqual([]);
  });

  test("with counts that are wrong are told with both numbers", () => {
    const [row] = audit.chunks;
    const wrong = { ...present(row, "a chunk"), livePages: 7, pageCount: 300 };
    expect(found({ ...audit, chunks: [wrong] })).toEqual([
      "record logs name 170 entries of it; its row counts 7",
      "has 180 entries; the manifest says 300",
    ]);
  });

  test("that name entries which another log has there are told with the first that is absent", () => {
    const events = present(
      audit.recordLogs.find(({ name }) => name === "events"),
      "a row",
    );
    const swapped = audit.recordLogs.map((row) => {
      return row.name === "raft" ? { ...row, stream: events.stream } : row;
    });
    expect(found({ ...audit, recordLogs: swapped })).toEqual([
      'entry 1 of record log "raft" does not lie here',
    ]);
    const nobody = audit.recordLogs.map((row) => ({ ...row, stream: streamId(99) }));
    expect(found({ ...audit, recordLogs: nobody })).toHaveLength(2);
  });

  test("that name a chunk which no row names, or one of pages, are told with their entries", () => {
    const [row] = audit.chunks;
    const chunk = present(row, "a chunk");
    const others = [{ ...chunk, chunk: chunkId(chunk.chunk + 1), livePages: 0 }];
    expect(found({ ...audit, chunks: others })).toEqual([
      expect.stringMatching(/"raft" has entries 1 to 100 in chunk \d+, which no row names/),
      expect.stringMatching(/"events" has entries 50 to 119 in chunk \d+, which no row names/),
    ]);
    const findings = new Findings();
    const tally = new RangeTally(audit.recordLogs, findings);
    tally.checkChunks([{ ...chunk, kind: "pages" }], findings);
    expect(findings.all[0]?.what).toMatch(/which is one of pages/);
  });

  test("whose body is damaged are told, and the others are verified all the same", () => {
    const damaged = audit.recordLogs.map((row) => {
      return row.name === "raft" ? { ...row, body: row.body.subarray(0, 5) } : row;
    });
    expect(found({ ...audit, recordLogs: damaged })).toEqual([
      expect.stringMatching(/record log "raft".* is damaged/),
      "record logs name 70 entries of it; its row counts 170",
    ]);
  });

  test("whose chunk is gone are told one by one with how many entries are lost", async () => {
    rmSync(join(directory, chunkFile));
    const { findings } = await verified();
    expect(damages(findings)).toEqual([
      expect.objectContaining({
        level: "damage",
        file: chunkFile,
        what: 'the file is missing, and with it 100 entries of record log "raft"',
      }),
      expect.objectContaining({ what: expect.stringMatching(/70 entries of record log "events"/) }),
    ]);
  });
});
