import { expect, test } from "vitest";
import type { StorageError } from "../../base/errors.ts";
import { type Lsn, lsn } from "../../base/units.ts";
import { type SimulatedWorld, simulatedEnv } from "../../io/index.ts";
import { Readers } from "./readers.ts";

const NOTES = { options: { name: () => "notes" } };
const TASKS = { options: { name: () => "tasks" } };

class Reading {
  at: Lsn | undefined;
  ended: StorageError | undefined;
  readonly owner: typeof NOTES;
  readonly lsn = () => this.at;
  readonly end = (error: StorageError): void => {
    this.ended = error;
  };

  constructor(at: number | undefined, owner = NOTES) {
    this.at = at === undefined ? undefined : lsn(at);
    this.owner = owner;
  }
}

function rig(maxReaderAgeMs?: number): { world: SimulatedWorld; readers: Readers } {
  const { world, env } = simulatedEnv({ seed: 1 });
  return { world, readers: new Readers({ clock: env.clock, maxReaderAgeMs }) };
}

test("the oldest that has a moment is shown, with its age and how far behind it is", async () => {
  const { world, readers } = rig();
  expect(readers.oldest(lsn(900))).toBeUndefined();
  const [idle, first] = [new Reading(undefined), new Reading(300, TASKS)];
  readers.begin(idle);
  const known = readers.begin(first);
  await world.pass(50);
  readers.begin(new Reading(500));
  await world.pass(50);
  expect(readers.oldest(lsn(900))).toEqual({
    database: "tasks",
    lsn: 300,
    ageMs: 100,
    behindBytes: 600,
  });
  known.dispose();
  expect(readers.oldest(lsn(900))).toMatchObject({ database: "notes", ageMs: 50 });
  readers.forget(NOTES);
  expect(readers.oldest(lsn(900))).toBeUndefined();
});

test("without a limit nobody is ended, and no timer waits", async () => {
  const { world, readers } = rig();
  const reading = new Reading(1);
  readers.begin(reading);
  await world.pass(1e9);
  expect(reading.ended).toBeUndefined();
});

test("each is ended when it reaches the age, and hears how old it was", async () => {
  const { world, readers } = rig(1000);
  const [first, second] = [new Reading(1), new Reading(2)];
  readers.begin(first);
  await world.pass(400);
  readers.begin(second);
  await world.pass(599);
  expect(first.ended).toBeUndefined();
  await world.pass(1);
  expect(first.ended).toMatchObject({
    code: "BOP_SNAPSHOT_TOO_OLD",
    details: { database: "notes", ageMs: 1000, maxReaderAgeMs: 1000 },
  });
  expect(second.ended).toBeUndefined();
  await world.pass(400);
  expect(second.ended).toMatchObject({ details: { ageMs: 1000 } });
  expect(readers.endedCount).toBe(2);
  expect(readers.oldest(lsn(9))).toBeUndefined();
});

test("one that writes, or reads nothing just now, is let be and looked at again", async () => {
  const { world, readers } = rig(1000);
  const [writer, reader] = [new Reading(undefined), new Reading(2)];
  readers.begin(writer);
  readers.begin(reader);
  await world.pass(1000);
  expect([writer.ended, reader.ended?.code]).toEqual([undefined, "BOP_SNAPSHOT_TOO_OLD"]);
  writer.at = lsn(5);
  await world.pass(1000);
  expect(writer.ended).toMatchObject({ details: { ageMs: 2000 } });
});

test("a reader that was done in time is not ended", async () => {
  const { world, readers } = rig(1000);
  const reading = new Reading(1);
  readers.begin(reading).dispose();
  await world.pass(5000);
  expect(reading.ended).toBeUndefined();
});
