/** A log with history for tests, and a witness of all that was ever durable in it. */
import type { Env } from "../../base/env.ts";
import { LSN_ZERO, type Lsn } from "../../base/units.ts";
import type { SimulatedWorld } from "../../io/index.ts";
import type { StoredLog } from "../index.ts";
import { LogStore, STREAM, WAL, worldOf } from "../log.fixture.ts";

/** What the history has of the fixture's stream: the ids of its commits, by LSN. */
export async function found(log: StoredLog, range: { afterLsn: Lsn; upToLsn: Lsn }) {
  const hold = log.history.hold(range.afterLsn);
  const commits: { lsn: number; id: number }[] = [];
  try {
    for await (const { lsn, frames } of log.history.commits(STREAM, range)) {
      const [frame] = frames;
      if (frame?.kind !== "entry") throw new Error("an entry is what was staged");
      const { payload } = frame;
      commits.push({ lsn, id: new DataView(payload.buffer, payload.byteOffset).getFloat64(0) });
    }
  } finally {
    hold?.release();
  }
  return commits;
}

/** All that was ever sealed and durable, which outlives checkpoints here. */
export class Witness {
  readonly all: { lsn: number; id: number; durableAtMs: number }[] = [];

  async commit(store: LogStore, { log, env }: Running, bytes: number): Promise<void> {
    await store.commitDurably(log, bytes);
    const { lsn, id } = store.sealed.at(-1) ?? { lsn: 0, id: 0 };
    this.all.push({ lsn, id, durableAtMs: env.clock.wallMs() });
  }

  within(afterLsn: number, upToLsn: number) {
    return this.all
      .filter(({ lsn }) => lsn > afterLsn && lsn <= upToLsn)
      .map(({ lsn, id }) => ({ lsn, id }));
  }
}

export async function copies({ storage }: Env): Promise<string[]> {
  return (await storage.list(WAL)).filter((name) => name.endsWith(".history"));
}

export async function usedBytes({ storage }: Env): Promise<number> {
  const files = (await storage.list(WAL)).map((name) => storage.stat(`${WAL}/${name}`));
  return (await Promise.all(files)).reduce((sum, found) => sum + (found?.bytes ?? 0), 0);
}

interface Running {
  readonly log: StoredLog;
  readonly env: Env;
}

export async function inWorld(
  seed: number,
  run: (on: { world: SimulatedWorld; store: LogStore; witness: Witness }) => Promise<void>,
): Promise<void> {
  const world = await worldOf(seed);
  const store = new LogStore();
  store.horizonLsn = LSN_ZERO;
  await run({ world, store, witness: new Witness() });
}
