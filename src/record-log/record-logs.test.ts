/** Record logs of a store that was opened, where what is durable is what a test says. */
import { expect, test } from "vitest";
import { LSN_ZERO, type Lsn, lsn, streamId } from "../base/units.ts";
import type { Log, ReplayedCommit } from "../write/index.ts";
import { encodeBody } from "./body.ts";
import { Writer } from "./bytes.ts";
import type { StoredChunks } from "./carried-chunks.ts";
import { RecordLogCore } from "./core.ts";
import { encodeOperation, NO_BYTES, type Operation, roomFor } from "./operations.ts";
import { RecordLogHandle } from "./record-log.ts";
import { type LogHost, RecordLogs, type WriteWaiter } from "./record-logs.ts";

const RAFT = streamId(7);
/** Of the newest commit that the checkpoint folded, and of those that recovery reads behind it. */
const [FOLDED, FIRST, SECOND] = [lsn(100), lsn(200), lsn(300)];
/** What this machine has. */
const ALL = lsn(1000);

/** Says what is durable at the level of the store. */
class Host implements LogHost {
  durableLsn: Lsn = LSN_ZERO;
  readonly log = { durableLsn: ALL } as unknown as Log;
  readonly #waiting: { readonly lsn: Lsn; readonly waiter: WriteWaiter }[] = [];

  assertWritable(): void {}

  assertOpen(): void {}

  kick(): void {}

  pass(lsn: Lsn, waiter: WriteWaiter): void {
    if (lsn <= this.durableLsn) waiter.release();
    else this.#waiting.push({ lsn, waiter });
  }

  advance(durableLsn: Lsn): void {
    this.durableLsn = durableLsn;
    for (const { lsn, waiter } of this.#waiting) if (lsn <= durableLsn) waiter.release();
  }
}

const unread = (): never => {
  throw new Error("no chunk is read");
};
const NO_CHUNKS: StoredChunks = {
  ...{ storeId: new Uint8Array(16), path: String, open: unread, damaged: unread },
  ...{ isInBucket: unread, rests: unread, spare: unread },
};

/** A log whose checkpoint has a boundary at 5 and a vote. */
function opened() {
  const core = new RecordLogCore();
  const to = { index: 5n, term: 1n, field: NO_BYTES };
  core.apply([{ kind: "compact", to }, vote(3n)], FOLDED);
  const name = "raft";
  const row = { stream: RAFT, name, createdAtMs: 0, lsn: FOLDED, body: encodeBody(core.capture()) };
  const logs = new RecordLogs({
    rows: [{ ...row, state: "live" }],
    chunks: [],
    source: NO_CHUNKS,
    limits: { maxEntryBytes: 1000, cacheBytes: 0 },
    nameOf: () => name,
  });
  const host = new Host();
  const replay = (
    operations: readonly Operation[],
    at: Pick<ReplayedCommit, "lsn" | "groupLsn">,
  ) => {
    const room = operations.reduce((sum, operation) => sum + roomFor(operation), 0);
    const into = new Writer(new Uint8Array(room));
    for (const operation of operations) encodeOperation(into, operation);
    const frames = [{ kind: "records" as const, payload: into.written() }];
    logs.replay({ stream: RAFT, ...at, frames, pageCount: 0, pageBytes: 0 });
  };
  const attach = (durableLsn: Lsn) => {
    host.durableLsn = durableLsn;
    logs.attach(host);
    return new RecordLogHandle(logs, logs.get(RAFT));
  };
  return { host, replay, attach };
}

const vote = (term: bigint): Operation => ({ kind: "hardState", state: { term } });

const append = (firstIndex: bigint, count: number): Operation => {
  const entry = { term: 1n, field: NO_BYTES, payload: Uint8Array.of(1) };
  return { kind: "append", firstIndex, entries: new Array(count).fill(entry) };
};

const isOpen = (promise: Promise<unknown>) =>
  Promise.race([promise.then(() => false), new Promise((tell) => setImmediate(tell, true))]);

test("what a checkpoint holds is shown as durable when the newest commit in it is", async () => {
  const { host, attach } = opened();
  const log = attach(lsn(FOLDED - 1));
  expect([log.lastIndex, log.durableIndex]).toEqual([5n, undefined]);
  const waiting = [
    log.waitDurable(5n),
    log.readHardState(),
    log.readStable("key"),
    log.readSnapshotMeta(),
  ];
  expect(await isOpen(Promise.race(waiting))).toBe(true);
  host.advance(FOLDED);
  expect(log.durableIndex).toBe(5n);
  await Promise.all(waiting);
});

test("what recovery reads is shown as durable commit by commit, a vote too", async () => {
  const { host, replay, attach } = opened();
  replay([append(6n, 3)], { lsn: FIRST });
  replay([{ kind: "truncate", after: 7n }, append(8n, 2), vote(4n)], { lsn: SECOND });
  const log = attach(FOLDED);
  expect([log.lastIndex, log.durableIndex]).toEqual([9n, 5n]);
  const voted = log.readHardState();
  expect(await isOpen(voted)).toBe(true);
  host.advance(FIRST);
  expect(log.durableIndex).toBe(7n);
  expect(await isOpen(voted)).toBe(true);
  expect(await isOpen(log.waitDurable(9n))).toBe(true);
  host.advance(SECOND);
  expect(log.durableIndex).toBe(9n);
  expect((await voted)?.term).toBe(4n);
});

test("of a group that recovery reads nothing is shown as durable before all of it is", () => {
  const { host, replay, attach } = opened();
  replay([append(6n, 1)], { lsn: FIRST, groupLsn: SECOND });
  const log = attach(FIRST);
  expect(log.durableIndex).toBe(5n);
  host.advance(SECOND);
  expect(log.durableIndex).toBe(6n);
});

test("where all is durable that is there, all is shown at once", async () => {
  const { replay, attach } = opened();
  replay([append(6n, 3), vote(4n)], { lsn: FIRST });
  const log = attach(ALL);
  expect(log.durableIndex).toBe(8n);
  await log.waitDurable(8n);
  expect((await log.readHardState())?.term).toBe(4n);
});
