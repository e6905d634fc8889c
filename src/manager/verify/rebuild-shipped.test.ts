/** A store that ships, and loses its manifest. */
import { expect, test } from "vitest";
import { prepareEngines } from "../../sqlite/index.ts";
import { Manager } from "../manager.ts";
import { Machines } from "../shipping/machines.fixture.ts";
import { rebuildManifest } from "./rebuild.ts";

// evidence: G12
test("a store that was rebuilt goes on in its bucket, though its mirror lacks the newest states", async () => {
  await prepareEngines("sqlite", 1);
  const machines = new Machines(61);
  const { world } = machines;
  const open = () => {
    const disk = machines.disk("first");
    const options = { sink: machines.bucket(disk.env), flushIntervalMs: 100 };
    return Manager.open({ ...disk, ...options, segmentBytes: 256 * 1024 });
  };
  await world.run(async () => {
    const manager = await open();
    const notes = await manager.database("notes");
    await notes.exec("create table note (body text); insert into note values ('one')");
    await manager.checkpoint();
    for (const name of ["a", "b"]) {
      await notes.snapshot(name); // A state of its own, behind the last entry of the mirror.
      await world.start().clock.sleep(1000);
    }
    await notes.exec("insert into note values ('two')");
  });
  world.kill();
  await world.run(() => rebuildManifest({ ...machines.disk("first"), replace: true }));
  world.kill();
  await world.run(async () => {
    const manager = await open();
    const notes = await manager.database("notes");
    expect(await notes.prepare("select body from note").pluck().all()).toEqual(["one", "two"]);
    expect(manager.diagnostics().sink).toMatchObject({ state: "shipping", epoch: 2 });
    await manager.durable(manager.diagnostics().log.durableLsn, { level: "remote" });
    await manager.close();
  });
});
