/** Record logs under crashes: by seed, and at every change of the disk of the smallest histories. */
import { describe, expect, test } from "vitest";
import type { LogChange } from "../src/index.ts";
import { LOG_NAMES, LogModel, type LogName } from "./log-model.ts";
import { seedTests } from "./seed-tests.ts";
import { Simulation } from "./simulation.ts";

// evidence: G16
// evidence: G3
describe("record logs that are cut off again and again", () => {
  seedTests("record-log", {
    fact: "the logs together are as after one of their changes, none of which was acknowledged and lost",
    seeds: 40,
  });
});

type Change = readonly { readonly name: LogName; readonly change: LogChange }[];
const entry = (index: bigint, term = 1n) => {
  return { term, index, payload: new Uint8Array(40).fill(Number(index)) };
};
const on = (name: LogName, change: LogChange): Change => [{ name, change }];

const BEFORE: readonly Change[] = [
  on("one", { entries: [1n, 2n, 3n, 4n, 5n, 6n].map((index) => entry(index)) }),
];

/** What a crash may cut off: one small history each. */
const HISTORIES: Readonly<Record<string, readonly Change[]>> = {
  append: [on("one", { entries: [entry(7n)] }), on("one", { entries: [entry(8n, 2n)] })],
  "truncate the head": [on("one", { compact: { upToIndex: 3n } })],
  "truncate the tail": [
    on("one", { truncateAfter: 3n }),
    on("one", { entries: [entry(4n, 2n)], hardState: { term: 2n } }),
  ],
  "truncate all": [on("one", { truncateAfter: "all" }), on("one", { entries: [entry(9n)] })],
  "hard state": [on("one", { hardState: { term: 7n } }), on("one", { hardState: { term: 8n } })],
  "a change over two logs": [
    LOG_NAMES.map((name) => ({ name, change: { hardState: { term: 5n }, clear: true } })),
  ],
};

/** False if the life was over before the crash came. */
async function crashAt(history: readonly Change[], n: number, how: "kill" | "power") {
  const simulation = new Simulation({ seed: n, smaller: { engine: "sqlite" } });
  const model = new LogModel();
  const survived = await simulation.live(async (life) => {
    const manager = await life.open();
    const logs = new Map<LogName, Awaited<ReturnType<typeof manager.log>>>();
    for (const name of LOG_NAMES) logs.set(name, await manager.log(name));
    const make = async (change: Change): Promise<void> => {
      const members = change.flatMap((each) => {
        const log = logs.get(each.name);
        return log === undefined ? [] : [{ ...each.change, log }];
      });
      const made = manager.commitLogs(members);
      const number = model.made(change);
      await made;
      life.assertAlive();
      model.acknowledge(number);
    };
    for (const change of BEFORE) await make(change);
    await manager.checkpoint();
    life.planCrash(n, how);
    for (const change of history) await make(change);
    await manager.checkpoint();
  });
  if (survived) simulation.end(how);
  await simulation.live(async (life) => {
    const manager = await life.open();
    await model.verify(manager);
    await manager.close();
  });
  return !survived;
}

// evidence: G16
describe("a crash at every change of the disk", () => {
  for (const how of ["kill", "power"] as const) {
    test.each(Object.entries(HISTORIES))(
      `(${how}) of: %s, and of the checkpoint after it, leaves the log before or after a change`,
      { timeout: 120_000 },
      async (_, history) => {
        let n = 1;
        while (await crashAt(history, n, how)) n += 1;
        expect(n).toBeGreaterThan(3);
      },
    );
  }
});
