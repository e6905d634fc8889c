import { expect, test } from "vitest";
import { Rig } from "./rig.fixture.ts";

const PAGE_BYTES = 512;

// evidence: G22
test("a collection between the drop of a fork and the next checkpoint leaves that checkpoint what it needs", async () => {
  const rig = await Rig.open({ seed: 1 });
  const origin = rig.catalogue.create();
  const commit = (fill: number) => {
    const space = rig.store.space(origin);
    const base = space.pin(space.newestLsn);
    const pages = new Map([[1, new Uint8Array(PAGE_BYTES).fill(fill)]]);
    space.stage({ base, pageCount: 1, pageBytes: PAGE_BYTES, pages }).seal();
    space.unpin(base);
  };
  commit(1);
  const fork = rig.catalogue.fork(origin);
  commit(2);
  await rig.checkpoint();
  rig.catalogue.drop(fork);
  rig.log.makeDurable();
  await rig.world.run(rig.catalogue.publish(rig.log.durableLsn));
  await rig.restart("power");
  await rig.world.run(rig.store.collect({ dryRun: false }));
  await rig.checkpoint();
  await rig.checkpoint();
  expect(rig.store.isHeld(fork)).toBe(false);
  await rig.restart("close");
  expect(rig.manifest.opened.databases.map(({ stream }) => stream)).toEqual([origin]);
});
