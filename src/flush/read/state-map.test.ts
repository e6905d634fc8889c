import { expect, test } from "vitest";
import { row, TestBucket } from "./bucket.fixture.ts";

// evidence: G36
test("states above a moment are passed over, though a base behind them tells of an older checkpoint", async () => {
  const bucket = await TestBucket.make();
  await bucket.base([[row("a", "1")]]);
  const before = await bucket.batch([], true);
  const checkpointLsn = bucket.endLsn;
  bucket.commit(1, "x");
  await bucket.ship();
  const above = await bucket.batch([row("a", "2")]);
  await bucket.claim();
  await bucket.base([[row("a", "2")], [row("b", "2")]], checkpointLsn); // Where the search ends.
  const newest = await bucket.batch([row("a", "3")], true);
  const reader = await bucket.reader();
  expect(await reader.stateAt(checkpointLsn)).toMatchObject(before);
  expect(await reader.stateAt(bucket.endLsn - 1)).toMatchObject(before);
  expect(await reader.stateAt(bucket.endLsn)).toMatchObject(newest);
  const states: { epoch: number; number: number }[] = [];
  for await (const { epoch, number } of reader.states()) states.push({ epoch, number });
  expect(states).toEqual([newest, above, before]);
});

// evidence: G36
test("states behind a base that was never finished are found, though it tells of log that was lost", async () => {
  const bucket = await TestBucket.make();
  await bucket.base([[row("a", "1")]]);
  await bucket.batch([], true);
  bucket.commit(1, "x");
  await bucket.ship();
  const lostLsn = bucket.endLsn + 4096;
  await bucket.claim();
  await bucket.base([[row("a", "2")], [row("b", "2")]], lostLsn);
  await bucket.claim();
  await bucket.base([[row("a", "3")]]);
  const newest = await bucket.batch([], true);
  await bucket.claim();
  await bucket.base([[row("a", "4")]], lostLsn);
  const reader = await bucket.reader();
  expect(await reader.stateAt(bucket.endLsn)).toMatchObject(newest);
});
