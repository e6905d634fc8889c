import { expect, test } from "vitest";
import { LSN_ZERO } from "../../base/units.ts";
import { LogStore, WAL, worldOf } from "../log.fixture.ts";

/** A segment that holds little is let go as history, while a bit of it is read wrong, once or never. */
async function kept({ isHurt }: { readonly isHurt: boolean }) {
  const world = await worldOf(8);
  const store = new LogStore();
  store.horizonLsn = LSN_ZERO;
  const first = world.start();
  await world.run(async () => {
    const log = await store.open(first);
    await store.commitDurably(log, 500);
    await log.close();
  });
  world.kill();
  const env = world.start();
  return await world.run(async () => {
    const log = await store.open(env);
    const offset = 4096 + 300;
    if (isHurt) world.disk.decay({ path: store.path(1), kind: "bit", offset, once: true });
    await store.checkpoint(env, log);
    expect(world.disk.injected.get("damage met: bit")).toBe(isHurt ? 1 : undefined);
    const files = (await env.storage.list(WAL)).filter((name) => name.endsWith(".history"));
    await log.close();
    return {
      copies: files.length,
      inRows: [...store.history.values()].map(({ isCopy }) => isCopy),
    };
  });
}

// evidence: G45
test("what was read wrong once is no copy for the history: the segment stays as it is", async () => {
  expect(await kept({ isHurt: false })).toEqual({ copies: 1, inRows: [true] });
  expect(await kept({ isHurt: true })).toEqual({ copies: 0, inRows: [false] });
});
