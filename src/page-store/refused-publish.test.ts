import { describe, expect, test } from "vitest";
import type { Lsn, StreamId } from "../base/units.ts";
import { pageNumber } from "../base/units.ts";
import { chunkOfName } from "./chunks/chunk-files.ts";
import { Rig } from "./rig.fixture.ts";

const PAGE_BYTES = 512;

function commit(rig: Rig, stream: StreamId, fill: number): Lsn {
  const space = rig.store.space(stream);
  const base = space.pin(space.newestLsn);
  const pages = new Map([[1, new Uint8Array(PAGE_BYTES).fill(fill)]]);
  const lsn = space.stage({ base, pageCount: 1, pageBytes: PAGE_BYTES, pages }).seal();
  space.unpin(base);
  return lsn;
}

describe("a state of a database whose removal the manifest has refused", () => {
  // evidence: G21, G22
  test("is not forked from, since it may be gone when the store is opened again", async () => {
    const rig = await Rig.open({ seed: 1 });
    const stream = rig.catalogue.create();
    const first = commit(rig, stream, 1);
    await rig.checkpoint();
    expect(rig.store.versions(stream).map(({ lsn }) => lsn)).toEqual([first]);
    const second = commit(rig, stream, 2);
    rig.stores.failNextCommit({ applied: true, error: "EIO" });
    await expect(rig.checkpoint()).rejects.toThrow("EIO");
    expect(rig.store.versions(stream)).toEqual([]);
    expect(() => rig.store.holdVersion(stream, first)).toThrow("not kept");
    // What is forked now begins with what is there whether or not the checkpoint has happened.
    const fork = rig.catalogue.fork(stream);
    rig.log.makeDurable();
    await rig.restart("kill");
    expect(rig.store.versions(stream).map(({ lsn }) => lsn)).toEqual([second]);
    const space = rig.store.space(fork);
    const snapshot = space.pin(space.newestLsn);
    expect(space.read(snapshot, pageNumber(1))[0]).toBe(2);
    space.unpin(snapshot);
  });

  test("may be forked from again when a later checkpoint shows that it has stayed", async () => {
    const rig = await Rig.open({ seed: 2 });
    const stream = rig.catalogue.create();
    let horizonLsn = 0 as Lsn;
    rig.historyLsn = () => horizonLsn;
    const first = commit(rig, stream, 1);
    await rig.checkpoint();
    commit(rig, stream, 2);
    await rig.checkpoint();
    horizonLsn = rig.store.checkpointLsn;
    commit(rig, stream, 3);
    rig.stores.failNextCommit({ applied: false, error: "ENOSPC" });
    await expect(rig.checkpoint()).rejects.toThrow("ENOSPC");
    expect(rig.store.versions(stream).map(({ lsn }) => lsn)).not.toContain(first);
    horizonLsn = 0 as Lsn;
    await rig.checkpoint();
    expect(rig.store.versions(stream).map(({ lsn }) => lsn)).toContain(first);
    rig.store.holdVersion(stream, first).release();
  });
});

/** A store whose manifest has taken the rows of a catalogue, and refused the checkpoint behind them. */
async function refused(seed: number, error: "EIO" | "ENOSPC") {
  const rig = await Rig.open({ seed });
  const stream = rig.catalogue.create();
  commit(rig, stream, 1);
  rig.stores.failNextCommit({ applied: true, error, after: 1 });
  await expect(rig.checkpoint()).rejects.toThrow(error);
  return { rig, stream };
}

function firstByte(rig: Rig, stream: StreamId): number | undefined {
  const space = rig.store.space(stream);
  const snapshot = space.pin(space.newestLsn);
  const byte = space.read(snapshot, pageNumber(1))[0];
  space.unpin(snapshot);
  return byte;
}

async function chunksThere(rig: Rig): Promise<number[]> {
  const names = (await rig.chunkFiles()).map((path) => path.slice(path.lastIndexOf("/") + 1));
  return names.flatMap((name) => chunkOfName(name) ?? []).sort((a, b) => a - b);
}

const collect = (rig: Rig) => rig.world.run(rig.store.collect({ dryRun: false }));
const named = (rig: Rig) => rig.manifest.opened.chunks.map(({ chunk }) => chunk as number);

describe("a chunk that was written for a commit of the manifest that was refused, yet made", () => {
  // evidence: G21
  test.each(["EIO", "ENOSPC"] as const)(
    "(%s) outlives a collection while more is refused, and whoever opens the store reads it",
    async (error) => {
      const { rig, stream } = await refused(3, error);
      rig.stores.failNextCommit({ applied: false, error });
      await expect(collect(rig)).rejects.toThrow(error);
      expect(await chunksThere(rig)).toEqual([1]);
      await rig.restart("kill");
      expect(named(rig)).toEqual([1]);
      expect(firstByte(rig, stream)).toBe(1);
    },
  );

  test("goes with a collection that the manifest answers, and the log has what was in it", async () => {
    const { rig, stream } = await refused(5, "EIO");
    await collect(rig);
    expect(await chunksThere(rig)).toEqual([]);
    await rig.restart("kill");
    expect(named(rig)).toEqual([]);
    expect(firstByte(rig, stream)).toBe(1);
  });

  test("goes with the next checkpoint that is published, which takes the refused commit back", async () => {
    const { rig, stream } = await refused(4, "ENOSPC");
    await rig.checkpoint();
    expect(await chunksThere(rig)).toEqual([2]);
    await rig.restart("kill");
    expect(named(rig)).toEqual([2]);
    expect(firstByte(rig, stream)).toBe(1);
  });
});

describe("a manifest that refuses commits for long", () => {
  // What is asked first is refused too, or only the commit behind the pages.
  test.each([0, 1])(
    "has what was written for one of them on the disk, and no more (%i)",
    async (behind) => {
      const rig = await Rig.open({ seed: 6 });
      const stream = rig.catalogue.create();
      commit(rig, stream, 1);
      await rig.checkpoint();
      const kept = await chunksThere(rig);
      for (let n = 0; n < 10; n++) {
        commit(rig, stream, 2 + n);
        const after = n === 0 ? 0 : behind;
        rig.stores.failNextCommit({ applied: false, error: "EIO", after });
        await expect(rig.checkpoint()).rejects.toThrow("EIO");
        const written = (await chunksThere(rig)).filter((chunk) => !kept.includes(chunk));
        expect(written).toHaveLength(1);
      }
      await rig.checkpoint();
      expect(await chunksThere(rig)).toHaveLength(1);
      await rig.restart("kill");
      expect(named(rig)).toEqual(await chunksThere(rig));
      expect(firstByte(rig, stream)).toBe(11);
    },
  );
});
