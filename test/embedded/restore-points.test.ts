/** Which moments a bucket gives back whose log has holes: given up, or not kept any more. */
import { describe, expect, test } from "vitest";
import { row, TestBucket } from "../../src/flush/read/bucket.fixture.ts";
import {
  findNewest,
  findPoint,
  type RestoreMoment,
  restorePoints,
} from "../../src/restore/points.ts";
import { bucketKey } from "../../src/sink/index.ts";

const REFUSED = { code: "BOP_NO_RESTORE_POINT" };

const pointAt = async (bucket: TestBucket, at?: RestoreMoment) =>
  findPoint(await bucket.reader(), at);

/** Nothing that follows has this time or an earlier one. */
const nowOf = (bucket: TestBucket): Date => new Date(bucket.wallMs + 5);

async function shipOne(bucket: TestBucket, text: string, gap = false) {
  bucket.commit(1, text);
  await bucket.ship({ gap });
  return { lsn: bucket.endLsn, at: new Date(bucket.wallMs) };
}

async function state(bucket: TestBucket): Promise<void> {
  await bucket.base([[row("a", "1")]]);
  await bucket.batch([], true);
}

/** A state, log behind it, and then a window that was given up: a new epoch follows. */
async function givenUp() {
  const bucket = await TestBucket.make();
  await shipOne(bucket, "first");
  await state(bucket);
  const kept = await shipOne(bucket, "kept");
  bucket.commit(1, "lost");
  bucket.lose();
  const lost = { lsn: bucket.endLsn, at: new Date(bucket.wallMs) };
  await bucket.fence("wal");
  await bucket.fence("manifest");
  await bucket.claim();
  return { bucket, kept, lost, inWindow: nowOf(bucket) };
}

describe("a time", () => {
  test("in an idle stretch of an unbroken log gives the last moment before it", async () => {
    const bucket = await TestBucket.make();
    await state(bucket);
    const one = await shipOne(bucket, "one");
    const idle = nowOf(bucket);
    await shipOne(bucket, "two");
    expect(await pointAt(bucket, idle)).toMatchObject({ upToLsn: one.lsn, isNewest: false });
    const two = { lsn: bucket.endLsn, idle: nowOf(bucket) };
    await bucket.fence("wal");
    await bucket.claim();
    const three = await shipOne(bucket, "three");
    expect(await pointAt(bucket, two.idle)).toMatchObject({ upToLsn: two.lsn });
    expect(await pointAt(bucket, nowOf(bucket))).toMatchObject({ upToLsn: three.lsn });
  });

  // evidence: G36, G42
  test("in a window that was given up is refused, and so is one behind it while no state follows", async () => {
    const { bucket, kept, lost, inWindow } = await givenUp();
    const behind = await shipOne(bucket, "behind", true);
    for (const at of [lost.at, inWindow, behind.at, nowOf(bucket)]) {
      await expect(pointAt(bucket, at)).rejects.toMatchObject(REFUSED);
    }
    await state(bucket);
    const newest = await shipOne(bucket, "newest");
    for (const at of [lost.at, inWindow]) {
      await expect(pointAt(bucket, at)).rejects.toMatchObject(REFUSED);
    }
    expect(await pointAt(bucket, behind.at)).toMatchObject({ upToLsn: behind.lsn });
    expect(await pointAt(bucket, newest.at)).toMatchObject({ upToLsn: newest.lsn, isNewest: true });
    // What is listed can be asked for.
    const { ranges } = await restorePoints(await bucket.reader());
    expect(ranges.map(({ to }) => [to.lsn, to.at])).toEqual([
      [kept.lsn, kept.at],
      [newest.lsn, newest.at],
    ]);
    expect(await pointAt(bucket, kept.at)).toMatchObject({ upToLsn: kept.lsn });
  });

  // evidence: G36
  test("between a state that is alone and the log behind it gives that state", async () => {
    const { bucket, lost, inWindow } = await givenUp();
    await state(bucket);
    const idle = nowOf(bucket);
    await expect(pointAt(bucket, inWindow)).rejects.toMatchObject(REFUSED);
    expect(await pointAt(bucket, idle)).toMatchObject({ upToLsn: lost.lsn, isNewest: true });
    const behind = await shipOne(bucket, "behind", true);
    await expect(pointAt(bucket, inWindow)).rejects.toMatchObject(REFUSED);
    const alone = { fromLsn: lost.lsn, upToLsn: lost.lsn, isNewest: false };
    expect(await pointAt(bucket, idle)).toMatchObject(alone);
    expect(await pointAt(bucket, behind.at)).toMatchObject({ upToLsn: behind.lsn });
  });

  // evidence: G36
  test("between two stretches of log that are kept is refused", async () => {
    const bucket = await TestBucket.make();
    await state(bucket);
    const first = await shipOne(bucket, "first");
    const gone = await shipOne(bucket, "gone");
    await shipOne(bucket, "gone too");
    const early = nowOf(bucket);
    await state(bucket);
    const late = nowOf(bucket);
    const stateLsn = bucket.endLsn;
    const last = await shipOne(bucket, "last");
    for (const number of [1, 2]) {
      await bucket.store.delete(bucketKey({ kind: "wal", epoch: 1, number }));
    }
    for (const at of [gone.at, early]) {
      await expect(pointAt(bucket, at)).rejects.toMatchObject(REFUSED);
    }
    expect(await pointAt(bucket, first.at)).toMatchObject({ upToLsn: first.lsn });
    expect(await pointAt(bucket, late)).toMatchObject({ upToLsn: stateLsn });
    expect(await pointAt(bucket, last.at)).toMatchObject({ upToLsn: last.lsn, isNewest: true });
  });
});

describe("the newest moment behind a window that was given up", () => {
  // evidence: G34, G36
  test("is the end of what a state leads to, until one is there behind the window", async () => {
    const { bucket, kept } = await givenUp();
    const behind = await shipOne(bucket, "behind", true);
    const newest = { upToLsn: kept.lsn, isNewest: true, goesOn: { lsn: behind.lsn } };
    expect(await pointAt(bucket)).toMatchObject(newest);
    expect(await findNewest(await bucket.reader())).toMatchObject(newest);
    expect(await pointAt(bucket, { lsn: kept.lsn })).toMatchObject(newest);
    for (const at of [{ lsn: kept.lsn + 1 }, { lsn: behind.lsn }]) {
      await expect(pointAt(bucket, at)).rejects.toMatchObject(REFUSED);
    }
    await state(bucket);
    const after = { lsn: bucket.endLsn };
    expect(await pointAt(bucket)).toMatchObject({ upToLsn: after.lsn, goesOn: after });
  });

  test("is a state that is alone between two of them", async () => {
    const { bucket, lost } = await givenUp();
    await state(bucket);
    bucket.commit(1, "lost as well");
    bucket.lose();
    await bucket.fence("wal");
    await bucket.fence("manifest");
    await bucket.claim();
    const behind = await shipOne(bucket, "behind", true);
    const newest = { upToLsn: lost.lsn, isNewest: true, goesOn: { lsn: behind.lsn } };
    expect(await pointAt(bucket)).toMatchObject(newest);
  });

  // evidence: G36
  test("is refused where log is missing that was not given up", async () => {
    const { bucket } = await givenUp();
    await shipOne(bucket, "behind", true);
    await bucket.store.delete(bucketKey({ kind: "wal", epoch: 1, number: 1 }));
    await expect(pointAt(bucket)).rejects.toMatchObject(REFUSED);
  });
});
