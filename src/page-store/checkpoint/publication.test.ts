import { expect, test } from "vitest";
import { type Lsn, pageNumber, type StreamId } from "../../base/units.ts";
import { Rig } from "../rig.fixture.ts";

const PAGE_BYTES = 512;
/** Continuations of promises that may run between two of the checkpoint's own. */
const STEPS = 40;

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

/** Reads them at every step behind each commit of the manifest while `work` goes on. */
async function lookingAt(
  rig: Rig,
  moments: readonly Pinned[],
  work: () => Promise<unknown>,
): Promise<void> {
  const looks: Promise<void>[] = [];
  const { manifest } = rig;
  const publish = manifest.publish.bind(manifest);
  manifest.publish = async (change) => {
    const generation = await publish(change);
    looks.push(look());
    return generation;
  };
  async function look(): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      for (const { stream, lsn, byte } of moments) expect(seen(rig, stream, lsn)).toBe(byte);
      await Promise.resolve();
    }
  }
  await work();
  expect(looks.length).toBeGreaterThan(0);
  await Promise.all(looks);
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
