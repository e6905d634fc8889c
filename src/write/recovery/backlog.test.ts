import { describe, expect, test } from "vitest";
import type { Env } from "../../base/env.ts";
import { isStorageError } from "../../base/errors.ts";
import {
  LSN_ZERO,
  type Lsn,
  type SegmentSequence,
  type StreamId,
  streamId,
} from "../../base/units.ts";
import { type SeededRandom, type SimulatedWorld, seeded } from "../../io/index.ts";
import {
  BLOCK_BYTES,
  decodeSegmentHeader,
  decodeSegmentIndex,
  type ReplayedCommit,
} from "../../wal/index.ts";
import { type Log, type RecoveredLog, type RecoverOptions, recoverLog } from "../index.ts";
import { STORE_ID, WAL, worldOf } from "../log.fixture.ts";

const KIB = 1024;
const STREAMS = 7;

interface Found {
  readonly stream: number;
  readonly lsn: number;
  readonly pageCount: number;
  readonly first: number;
}

/** A store of nothing but a log of many streams; its commits are known by number. */
class Streams {
  readonly registered = new Set<SegmentSequence>();
  readonly sealed: Found[] = [];
  found: Found[] = [];
  checkpointLsn = LSN_ZERO;
  acknowledgedLsn = 0;

  recover(env: Env, more: Partial<RecoverOptions> = {}): Promise<RecoveredLog> {
    this.found = [];
    return env.storage.driver({ directory: WAL, io: "auto" }).then((driver) =>
      recoverLog(
        {
          env,
          driver,
          directory: WAL,
          storeId: STORE_ID,
          registered: [...this.registered],
          register: async (sequence) => void this.registered.add(sequence),
          unregister: async (gone) => gone.forEach((it) => void this.registered.delete(it)),
          checkpointLsn: this.checkpointLsn,
          durableFloorLsn: this.checkpointLsn,
          limits: { segmentBytes: 256 * KIB, bufferBytes: 128 * KIB },
          mayWait: (stream) => stream !== 0,
          ...more,
        },
        (commit) => this.found.push(foundOf(commit)),
      ),
    );
  }

  commit(log: Log, random: SeededRandom): Lsn {
    const stream = random.below(STREAMS);
    const staged = log.stage(streamId(stream));
    const first = this.sealed.length;
    for (let frames = 1 + random.below(3); frames > 0; frames--) {
      const bytes = random.chance(0.03) ? 90_000 : 4 + random.below(3000);
      const entry = new Uint8Array(bytes).fill(first);
      new DataView(entry.buffer).setUint32(0, first);
      staged.entry(entry);
    }
    const pageCount = random.below(1000);
    const lsn = staged.seal({ pageCount, pageBytes: 4096 });
    this.sealed.push({ stream, lsn, pageCount, first });
    return lsn;
  }

  of(stream: number): Found[] {
    return this.sealed.filter((it) => it.stream === stream && it.lsn > this.checkpointLsn);
  }

  foundOf(stream: number): Found[] {
    return this.found.filter((it) => it.stream === stream);
  }
}

function foundOf({ stream, lsn, pageCount, frames }: ReplayedCommit): Found {
  const [frame] = frames;
  if (frame?.kind !== "entry") throw new Error("only entries were staged");
  const first = new DataView(frame.payload.buffer, frame.payload.byteOffset).getUint32(0);
  const rest = frame.payload.subarray(4);
  const expected = new Uint8Array(rest.length).fill(first);
  if (Buffer.compare(rest, expected) !== 0) throw new Error("wrong bytes");
  return { stream, lsn, pageCount, first };
}

/** Several lives, ended by kills: sealed segments with indexes, tails without, copied batches. */
async function livedOn(seed: number): Promise<{ world: SimulatedWorld; store: Streams }> {
  const world = await worldOf(seed);
  const store = new Streams();
  const random = seeded(seed);
  for (let life = 0; life < 3; life++) {
    const env = world.start();
    await world.run(async () => {
      const recovered = await store.recover(env);
      await recovered.backlog.finish();
      const log = await recovered.start();
      for (let n = 0; n < 130; n++) {
        store.commit(log, random);
        if (random.chance(0.3)) await log.durable(log.newestLsn);
        if (random.chance(0.01)) store.checkpointLsn = log.durableLsn;
      }
      await log.durable(log.newestLsn);
      await env.clock.sleep(random.below(100));
    });
    world.kill();
  }
  return { world, store };
}

describe("the backlog of recovery", () => {
  // evidence: G1
  test("hands out every commit of a stream once and in order, whoever comes first and whenever the pass runs", async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const { world, store } = await livedOn(seed);
      const random = seeded(seed * 7);
      const env = world.start();
      await world.run(async () => {
        const recovered = await store.recover(env);
        expect(store.found).toEqual(store.of(0));
        const { waiting } = recovered.backlog;
        for (const { stream, lsn, pageCount, commits } of waiting.values()) {
          const expected = store.of(stream);
          expect(commits).toBe(expected.length);
          const { lsn: newest, pageCount: pages } = expected.at(-1) as Found;
          expect([lsn, pageCount]).toEqual([newest, pages]);
        }
        const log = await recovered.start();
        const asked: Promise<void>[] = [];
        for (let n = 0; n < 6; n++) {
          if (random.chance(0.3)) asked.push(recovered.backlog.finish());
          const stream = streamId(random.below(STREAMS));
          asked.push(
            recovered.backlog.replay(stream).then(() => {
              expect(store.foundOf(stream)).toEqual(store.of(stream));
            }),
          );
          if (random.chance(0.5)) await env.clock.sleep(random.below(3));
        }
        await Promise.all(asked);
        await recovered.backlog.finish();
        expect(waiting.size).toBe(0);
        for (let stream = 0; stream < STREAMS; stream++) {
          expect(store.foundOf(stream)).toEqual(store.of(stream));
        }
        await recovered.backlog.close();
        await log.close();
      });
      world.kill();
    }
  }, 60_000);

  // evidence: G4
  test("a read that fails is tried again by the next who asks, and no commit comes twice or out of order", async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const { world, store } = await livedOn(seed);
      const env = world.start();
      await world.run(async () => {
        const recovered = await store.recover(env);
        let refused = 0;
        for (let skip = 0; skip < 4; skip++) {
          world.disk.failNext({ operation: "read", skip });
          const asked = [recovered.backlog.finish(), recovered.backlog.replay(streamId(1 + skip))];
          for (const { status } of await Promise.allSettled(asked)) {
            if (status === "rejected") refused += 1;
          }
        }
        world.disk.heal();
        expect(refused).toBeGreaterThan(0);
        await recovered.backlog.finish();
        for (let stream = 1; stream < STREAMS; stream++) {
          expect(store.foundOf(stream)).toEqual(store.of(stream));
        }
      });
      world.kill();
    }
  });

  // evidence: G4
  test("bytes that changed since the store was opened are refused, and the other streams served", async () => {
    const { world, store } = await livedOn(3);
    const env = world.start();
    await world.run(async () => {
      const { backlog } = await store.recover(env);
      const victim = [...backlog.waiting.keys()][0] as StreamId;
      const expected = store.of(victim);
      const damaged = [...store.registered].map((sequence) => `${WAL}/${hex(sequence)}.wal`);
      for (const path of damaged) {
        const bytes = world.disk.contents(path)?.slice();
        if (bytes === undefined) continue;
        world.disk.replace(
          path,
          bytes.map((byte, at) => (at < BLOCK_BYTES ? byte : byte ^ 1)),
        );
      }
      const error = await backlog.replay(victim).catch((it) => it);
      expect(isStorageError(error, "BOP_CORRUPT")).toBe(true);
      expect(store.foundOf(victim).length).toBeLessThan(expected.length);
      expect(backlog.waiting.has(victim)).toBe(true);
    });
  });

  // evidence: G4
  test("a pass that is still on its way to a segment is waited for, though nothing waits any more, so that segments let go after that are missed by nobody", async () => {
    for (const how of ["replayed", "dropped", "dropped at once"] as const) {
      const { world, store } = await livedOn(6);
      const env = world.start();
      await world.run(async () => {
        const { backlog } = await store.recover(env);
        const streams = [...backlog.waiting.keys()];
        world.disk.hangNext({ operation: "open", ms: 500 });
        const pass = how === "dropped" ? backlog.replay(streams[0] as StreamId) : backlog.finish();
        const ended = pass.then(() => "read all that it was to read");
        for (const stream of streams) {
          if (how === "replayed") await backlog.replay(stream);
          else backlog.drop(stream);
        }
        expect(backlog.waiting.size).toBe(0);
        await backlog.finish();
        for (const sequence of store.registered) {
          await env.storage.unlink(`${WAL}/${hex(sequence)}.wal`).catch(() => undefined);
        }
        expect(await ended).toBe("read all that it was to read");
      });
      world.kill();
    }
  });

  test("closing it ends what runs, and nothing is handed out after that", async () => {
    const { world, store } = await livedOn(4);
    const env = world.start();
    await world.run(async () => {
      const { backlog } = await store.recover(env);
      const finishing = backlog.finish().catch((error) => error);
      await backlog.close();
      const before = store.found.length;
      expect(isStorageError(await finishing, "BOP_CLOSED")).toBe(true);
      await env.clock.sleep(50);
      expect(store.found.length).toBe(before);
    });
  });
});

describe("sealed segments", () => {
  test("have an index, and without it, or with a damaged one, the same is found in their batches", async () => {
    const { world, store } = await livedOn(5);
    const everything = async () => {
      const env = world.start();
      await world.run(() => store.recover(env, { mayWait: () => false }));
      world.kill();
      return store.found;
    };
    const whole = await everything();
    expect(whole.length).toBe(store.sealed.filter(({ lsn }) => lsn > store.checkpointLsn).length);
    let indexes = 0;
    for (const place of indexesIn(world, store)) {
      indexes += 1;
      const bytes = world.disk.contents(place.path)?.slice() ?? new Uint8Array(0);
      for (const offset of [0, 60]) {
        const changed = bytes.slice();
        changed[place.offset + offset] = (changed[place.offset + offset] ?? 0) ^ 1;
        world.disk.replace(place.path, changed);
        expect(await everything()).toEqual(whole);
      }
      world.disk.replace(place.path, bytes.slice(0, place.offset));
      expect(await everything()).toEqual(whole);
      world.disk.replace(place.path, bytes);
    }
    expect(indexes).toBeGreaterThan(2);
  });

  // evidence: G1
  test("a crash at any change while one is sealed, indexed and recycled reopens to one tail", async () => {
    const seed = 6;
    const life = async (env: Env, store: Streams) => {
      const random = seeded(seed);
      const log = await (await store.recover(env)).start();
      for (let n = 0; n < 70; n++) {
        const lsn = store.commit(log, random);
        await log.durable(lsn);
        store.acknowledgedLsn = lsn;
        if (n % 30 !== 29) continue;
        store.checkpointLsn = log.durableLsn;
        await log.release(log.durableLsn);
      }
    };
    const undisturbed = await worldOf(seed);
    const first = undisturbed.disk.changeCount;
    await undisturbed.run(() => life(undisturbed.start(), new Streams()));
    const changes = undisturbed.disk.changeCount - first;
    expect(changes).toBeGreaterThan(60);
    for (let n = 1; n <= changes; n++) {
      const world = await worldOf(seed);
      const store = new Streams();
      world.disk.crashAt(n, n % 2 === 0 ? "kill" : "power");
      await world
        .run(() => life(world.start(), store))
        .catch((error) => {
          if (world.alive) throw error;
        });
      if (world.alive) world.powerCut();
      for (let again = 0; again < 2; again++) {
        const env = world.start();
        await world.run(async () => {
          const recovered = await store.recover(env, { mayWait: () => false });
          store.found.sort((a, b) => a.lsn - b.lsn);
          const above = store.sealed.filter(({ lsn }) => lsn > store.checkpointLsn);
          expect(store.found).toEqual(above.slice(0, store.found.length));
          const newest = store.found.at(-1)?.lsn ?? store.checkpointLsn;
          expect(newest).toBeGreaterThanOrEqual(store.acknowledgedLsn);
          store.sealed.splice(0, Number.POSITIVE_INFINITY, ...store.found);
          await recovered.start();
        });
        world.powerCut();
      }
    }
  }, 120_000);
});

const hex = (sequence: number) => sequence.toString(16).padStart(16, "0");

function* indexesIn(world: SimulatedWorld, store: Streams) {
  const sequences = [...store.registered].sort((a, b) => a - b);
  const headers = sequences.flatMap((sequence) => {
    const path = `${WAL}/${hex(sequence)}.wal`;
    const bytes = world.disk.contents(path);
    const decoded = bytes && decodeSegmentHeader(bytes.subarray(0, BLOCK_BYTES));
    return decoded?.type === "header" && decoded.header.sequence === sequence
      ? [{ path, bytes, header: decoded.header }]
      : [];
  });
  for (const [i, { path, bytes, header }] of headers.entries()) {
    const endLsn = headers[i + 1]?.header.firstLsn;
    if (endLsn === undefined || bytes === undefined) continue;
    const offset = BLOCK_BYTES + endLsn - header.firstLsn;
    const { sequence } = header;
    const index = decodeSegmentIndex(bytes.subarray(offset), {
      storeId: STORE_ID,
      sequence,
      endLsn,
    });
    if (index !== undefined) yield { path, offset };
  }
}
