import { expect, test } from "vitest";
import { nextTurn } from "../../base/next-turn.ts";
import { type Lsn, pageNumber, type StreamId } from "../../base/units.ts";
import { Rig } from "../rig.fixture.ts";

const PAGE_BYTES = 512;
/** Continuations of promises in one turn of the event loop that are looked behind. */
const STEPS = 40;
/** Of the event loop, behind each commit: more than what is installed is cut into. */
const TURNS = 5;

function write(rig: Rig, stream: StreamId, fill: number): Lsn {
  const space = rig.store.space(stream);
  const base = space.pin(space.newestLsn);
  const pages = new Map([[1, new Uint8Array(PAGE_BYTES).fill(fill)]]);
  const lsn = space.stage({ base, pageCount: 1, pageBytes: PAGE_BYTES, pages }).seal();
  space.unpin(base);
  return lsn;
}

function seen(rig: Rig, stream: StreamId, lsn: Lsn): number | undefined {
  const space = rig.store.view(stream, lsn);
  const snapshot = space.pin(space.newestLsn);
  const byte = space.read(snapshot, pageNumber(1))[0];
  space.unpin(snapshot);
  space.close();
  return byte;
}

interface Pinned {
  readonly stream: StreamId;
  readonly lsn: Lsn;
  readonly byte: number;
}

/** Looks at every step behind each commit of the manifest while `work` goes on. */
async function looking(rig: Rig, look: () => void, work: () => Promise<unknown>): Promise<void> {
  const { manifest } = rig;
  const { clock } = rig.world.start();
  const failures: unknown[] = [];
  let looks = 0;
  async function lookOn(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) {
      for (let step = 0; step < STEPS; step++) {
        look();
        looks += 1;
        await Promise.resolve();
      }
      await nextTurn(clock);
    }
  }
  const publish = manifest.publish.bind(manifest);
  manifest.publish = async (change) => {
    const generation = await publish(change);
    void lookOn().catch((error: unknown) => failures.push(error));
    return generation;
  };
  await work();
  manifest.publish = publish;
  if (failures.length > 0) throw failures[0];
  expect(looks).toBeGreaterThan(STEPS);
}

function lookingAt(
  rig: Rig,
  moments: readonly Pinned[],
  work: () => Promise<unknown>,
): Promise<void> {
  const look = () => {
    for (const { stream, lsn, byte } of moments) expect(seen(rig, stream, lsn)).toBe(byte);
  };
  return looking(rig, look, work);
}

// evidence: G21
test("a pinned moment can be read at every step in which a checkpoint becomes what there is", async () => {
  const rig = await Rig.open({ seed: 3 });
  const moments: Pinned[] = [];
  for (let n = 1; n <= 8; n++) {
    const stream = rig.catalogue.create();
    for (const byte of [n, n + 100]) {
      write(rig, stream, byte);
      const lsn = rig.catalogue.snapshot(stream, `at-${byte}`);
      moments.push({ stream, lsn, byte });
    }
    write(rig, stream, n + 200);
  }
  await lookingAt(rig, moments, () => rig.checkpoint());
});

// evidence: G21
test("so can the moment of a dropped database whose newest state a collection lets go", async () => {
  const rig = await Rig.open({ seed: 4 });
  const streams = [rig.catalogue.create(), rig.catalogue.create()];
  for (const stream of streams) write(rig, stream, 1);
  const lsn = rig.catalogue.snapshot(0, "older");
  await rig.checkpoint();
  for (const stream of streams) write(rig, stream, 2);
  const newestLsn = rig.catalogue.snapshot(0, "newer");
  for (const stream of streams) rig.catalogue.drop(stream);
  await rig.checkpoint();
  const views = streams.map((stream) => rig.store.view(stream, newestLsn));
  rig.catalogue.dropSnapshot(0, "newer");
  await rig.checkpoint();
  for (const view of views) view.close();
  const moments = streams.map((stream) => ({ stream, lsn, byte: 1 }));
  await lookingAt(rig, moments, () => rig.world.run(rig.store.collect({ dryRun: false })));
});

/** Commits that a state of the past is said to reach beyond while the horizon moves. */
async function reachedBeyond(seed: number): Promise<string[]> {
  const rig = await Rig.open({ seed });
  let horizonLsn = 0 as Lsn;
  rig.historyLsn = () => horizonLsn;
  const streams = Array.from({ length: 4 }, () => rig.catalogue.create());
  const commits = new Map<StreamId, Lsn[]>(streams.map((stream) => [stream, []]));
  const round = async (byte: number) => {
    for (const stream of streams) commits.get(stream)?.push(write(rig, stream, byte));
    if (byte === 1) rig.catalogue.snapshot(0, "oldest");
    await rig.checkpoint();
    return rig.store.checkpointLsn;
  };
  const found = new Set<string>();
  const lookIn = (work: string) => () => {
    for (const [stream, of] of commits) {
      for (const { lsn, upToLsn } of rig.store.versions(stream)) {
        const beyond = of.some((commit) => commit > lsn && commit <= upToLsn);
        if (beyond) found.add(`${work}: ${stream} from ${lsn} to ${upToLsn}`);
      }
    }
  };
  const checkpoints: Lsn[] = [];
  for (const byte of [1, 2, 3, 4]) checkpoints.push(await round(byte));
  horizonLsn = checkpoints[2] ?? horizonLsn;
  await looking(rig, lookIn("checkpoint"), () => round(5));
  horizonLsn = checkpoints[3] ?? horizonLsn;
  const collect = () => rig.world.run(rig.store.collect({ dryRun: false }));
  await looking(rig, lookIn("collection"), collect);
  for (const [stream, [first, , , ...last]] of commits) {
    const kept = [first, ...last]; // The snapshot keeps the first of them.
    expect(rig.store.versions(stream).map(({ lsn }) => lsn)).toEqual(kept);
  }
  return [...found];
}

// evidence: G23
test("a state of the past reaches no further than its next commit at every step in which the horizon moves", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    expect(await reachedBeyond(seed), `seed ${seed}`).toEqual([]);
  }
});
