/** The oracle of record logs against one store, by what it was told of how that store came about. */
import { describe, expect, test } from "vitest";
import type { LogChange } from "../src/index.ts";
import { BrokenPromise } from "./failure.ts";
import { LogModel, type LogName } from "./log-model.ts";
import { Simulation } from "./simulation.ts";

const entry = (index: bigint) => ({ term: 1n, index, payload: new Uint8Array(9).fill(7) });
const on = (name: LogName, change: LogChange) => ({ name, change });

const ADDED = [on("two", { entries: [entry(1n), entry(2n)] })];
const COMPACTED = [on("two", { compact: { upToIndex: 1n } })];
const PASSED = [on("one", { entries: [entry(1n)] })];
const NOTHING = [on("one", { truncateAfter: "all" })];
const NOTHING_OF_TWO = [on("two", { truncateAfter: 2n })];
const noted = (name: LogName) => on(name, { stable: { k: Uint8Array.of(1) } });

interface Told {
  readonly fact: string;
  readonly isPossible: boolean;
  readonly tell: (model: LogModel) => void;
}

/** Of a store whose log "two" has `ADDED` and nothing else, and whose log "one" has `PASSED`. */
const CASES: readonly Told[] = [
  {
    fact: "a change of another log passes a compaction that waits",
    isPossible: true,
    tell: (model) => {
      model.acknowledge(model.made(ADDED));
      model.made(COMPACTED, true);
      model.acknowledge(model.made(PASSED));
    },
  },
  {
    fact: "a change of another log passes what waits behind that compaction",
    isPossible: true,
    tell: (model) => {
      model.made(ADDED);
      model.made(COMPACTED, true);
      model.made([noted("two")]);
      model.acknowledge(model.made(PASSED));
    },
  },
  {
    fact: "nothing passes a change that was made within its call",
    isPossible: false,
    tell: (model) => {
      model.made(ADDED);
      model.made(COMPACTED);
      model.made(PASSED);
    },
  },
  {
    fact: "nothing passes what was called after a compaction had been acknowledged",
    isPossible: false,
    tell: (model) => {
      model.acknowledge(model.made([on("two", { compact: { upToIndex: 9n, term: 1n } })], true));
      model.made([on("two", { clear: true })]);
      model.made(ADDED);
      model.made([noted("two")]);
      model.made(PASSED);
    },
  },
  {
    fact: "a compaction that waited is there when it was acknowledged",
    isPossible: false,
    tell: (model) => {
      model.made(ADDED);
      model.acknowledge(model.made(COMPACTED, true));
      model.made(PASSED);
    },
  },
  {
    fact: "a change over both is never in one of them only",
    isPossible: false,
    tell: (model) => {
      model.made(ADDED);
      model.made([...COMPACTED, ...PASSED], true);
    },
  },
  {
    fact: "what changes nothing says nothing of the other log",
    isPossible: true,
    tell: (model) => {
      model.made(PASSED);
      model.made(ADDED);
      model.made([noted("two")]);
      model.acknowledge(model.made([on("one", { truncateAfter: 1n })]));
    },
  },
  {
    fact: "what changes nothing says that what was called on its log before is there",
    isPossible: false,
    tell: (model) => {
      model.made(PASSED);
      model.made(ADDED);
      model.made(NOTHING);
      model.acknowledge(model.made(NOTHING));
    },
  },
  {
    fact: "what changes nothing says nothing of a change over both that left its log as it was",
    isPossible: true,
    tell: (model) => {
      model.made(ADDED);
      model.made(PASSED);
      model.made([noted("one"), ...NOTHING_OF_TWO]);
      model.acknowledge(model.made(NOTHING_OF_TWO));
    },
  },
  {
    fact: "what changes nothing says that a change over both that changed its log is there",
    isPossible: false,
    tell: (model) => {
      model.made(ADDED);
      model.made(PASSED);
      model.made([noted("one"), noted("two")]);
      model.acknowledge(model.made(NOTHING_OF_TWO));
    },
  },
  {
    fact: "a change over both is there when it was acknowledged, though it left one as it was",
    isPossible: false,
    tell: (model) => {
      model.made(ADDED);
      model.made(PASSED);
      model.acknowledge(model.made([noted("one"), ...NOTHING_OF_TWO]));
    },
  },
  {
    fact: "what comes behind a change over both is never there without it",
    isPossible: false,
    tell: (model) => {
      model.made(PASSED);
      model.made([noted("one"), on("two", { truncateAfter: "all" })]);
      model.made(ADDED);
    },
  },
];

describe("what is believed of record logs", () => {
  test.each(CASES.map((each) => [each.fact, each] as const))("%s", async (_, told) => {
    const { isPossible, tell } = told;
    const simulation = new Simulation({ seed: 1 });
    await simulation.live(async (life) => {
      const manager = await life.open();
      for (const { name, change } of [...ADDED, ...PASSED]) {
        await (await manager.log(name)).commit(change);
      }
      const model = new LogModel();
      tell(model);
      const verified = model.verify(manager);
      if (isPossible) await verified;
      else await expect(verified).rejects.toThrow(BrokenPromise);
      await manager.close();
    });
  });
});
