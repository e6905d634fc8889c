/**
 * THE MANIFEST, cut off at every step between submit, journal, apply, commit and acknowledge: small
 * histories, all of them. What many lives do by chance is the scenario of the same name.
 *
 * (1) A process can only be told apart by which of its commits reached the device: it dies before
 *     one, or behind one and before anybody heard of it. Each of the two is tried for each commit.
 * (2) The second process dies in the same ways while it recovers; the third one looks.
 */
import { describe, expect, test } from "vitest";
import { simulatedWorld } from "../src/io/index.ts";
import {
  type KeyValueOperation,
  type KeyValueStore,
  type Manifest,
  memoryStores,
  openManifest,
} from "../src/manifest/index.ts";
import { put } from "../src/manifest/rows/table.ts";
import { watermarks } from "../src/manifest/tables/watermarks.ts";
import { seedTests } from "./seed-tests.ts";

const DIRECTORY = "/store/manifest";
const NEVER = new Promise<never>(() => {});

/** Dies at its n-th commit: before it, or when it is durable and nobody knows. */
interface Death {
  readonly commit: number;
  readonly isApplied: boolean;
}

/** All commits that reached the device, over all lives. */
class Device {
  readonly world = simulatedWorld({ seed: 1 });
  readonly commits: (readonly KeyValueOperation[])[] = [];
  readonly #stores = memoryStores(this.world.random.fork());

  /** True if the life came to its end. */
  async live(body: (manifest: Manifest) => Promise<void>, death?: Death): Promise<boolean> {
    const env = this.world.start();
    let die: (survived: boolean) => void = () => undefined;
    const died = new Promise<boolean>((resolve) => {
      die = resolve;
    });
    let count = 0;
    const openStore = async () => {
      const store = await this.#stores.openerFor(env)(DIRECTORY);
      return watched(store, async (batch) => {
        count += 1;
        const isLast = count === death?.commit;
        if (!isLast || death?.isApplied) {
          await store.commit(batch);
          this.commits.push(batch);
        }
        if (!isLast) return;
        die(false);
        await NEVER;
      });
    };
    const life = async () => {
      const place = { openStore, directory: DIRECTORY, storeIdForNew: new Uint8Array(16) };
      await body(await openManifest({ ...place, clock: env.clock }));
      return true;
    };
    const survived = await this.world.run(Promise.race([life(), died]));
    this.world.kill();
    return survived;
  }
}

function watched(
  store: KeyValueStore,
  commit: (batch: readonly KeyValueOperation[]) => Promise<void>,
): KeyValueStore {
  return {
    get: (key) => store.get(key),
    range: (from, to) => store.range(from, to),
    commit,
    commitIf: (expected, batch) => store.commitIf(expected, batch),
    own: (key, claim) => store.own(key, claim),
    readers: () => store.readers(),
    keepRoom: () => store.keepRoom(),
    close: () => store.close(),
  };
}

type How = "submit" | "enqueue";

/** A step of a history: how a batch is handed over, and whether its answer is awaited at once. */
interface Step {
  readonly how: How;
  readonly waits: boolean;
}

const STEPS: readonly Step[] = (["submit", "enqueue"] as const).flatMap((how) =>
  [true, false].map((waits) => ({ how, waits })),
);

function histories(length: number): readonly (readonly Step[])[] {
  if (length === 0) return [[]];
  return histories(length - 1).flatMap((history) => STEPS.map((step) => [...history, step]));
}

/** Batch n of a kind moves the watermark of the kind to n, and one of its own. */
const operations = (how: How, n: number) => [
  put(watermarks, { component: how, generation: n }),
  put(watermarks, { component: `${how} ${n}`, generation: n }),
];

async function handOver(manifest: Manifest, history: readonly Step[], answered: Set<string>) {
  const answers: Promise<void>[] = [];
  for (const [index, { how, waits }] of history.entries()) {
    const batch = operations(how, index + 1);
    const taken =
      how === "submit" ? manifest.submit({ operations: batch }) : manifest.enqueue(batch);
    const answer = taken.then(() => void answered.add(`${how} ${index + 1}`));
    answers.push(answer);
    if (waits) await answer;
  }
  await Promise.all(answers);
  const { applied, entries } = manifest.stats.journal;
  // What waits in the journal is applied by itself: that has steps to die at, too.
  if (entries > 0) await manifest.waitFor("enqueue", lastOf(history, "enqueue"));
  expect(applied).toBeLessThanOrEqual(history.length);
}

const lastOf = (history: readonly Step[], how: How): number =>
  history.findLastIndex((step) => step.how === how) + 1;

/** What must hold of the third life, whatever ended the first two. */
function check(device: Device, manifest: Manifest, answered: ReadonlySet<string>): void {
  const marks = manifest.stats.watermarks;
  for (const batch of answered) expect(marks[batch], batch).toBeDefined();
  for (const how of ["submit", "enqueue"] as const) {
    const there = Object.keys(marks).filter((name) => name.startsWith(`${how} `));
    const numbers = there.map((name) => Number(name.slice(how.length + 1)));
    expect(marks[how] ?? 0).toBe(Math.max(0, ...numbers)); // In order: the last one counts.
    for (const name of there) {
      const key = Buffer.from(watermarks.encodeKey(name));
      const puts = device.commits.filter((batch) => batch.some((each) => key.equals(each.key)));
      expect(puts, `${name} took place`).toHaveLength(1);
    }
  }
  expect(manifest.stats.journal).toMatchObject({ entries: 0, dead: 0 });
}

/** Deaths at every commit of a life, until there is none left to die at. */
async function* deaths(live: (death: Death) => Promise<boolean>) {
  for (let commit = 1; ; commit++) {
    for (const isApplied of [false, true]) {
      const death = { commit, isApplied };
      if (await live(death)) return;
      yield death;
    }
  }
}

// evidence: G15
describe("the manifest, cut off at every commit of every history of three batches", () => {
  test("loses nothing that was answered, applies nothing twice, and keeps the order", async () => {
    let lives = 0;
    for (const history of histories(3)) {
      const first = (device: Device, answered: Set<string>, death: Death) =>
        device.live((manifest) => handOver(manifest, history, answered), death);
      for await (const death of deaths((each) => first(new Device(), new Set(), each))) {
        const survived = async (again: Death): Promise<boolean> => {
          const [device, answered] = [new Device(), new Set<string>()];
          await first(device, answered, death);
          const isOver = await device.live(async () => undefined, again);
          await device.live(async (manifest) => check(device, manifest, answered));
          lives += 1;
          return isOver;
        };
        for await (const _ of deaths(survived)) expect(lives).toBeGreaterThan(0);
      }
    }
    expect(lives).toBeGreaterThan(1000);
  });
});

describe("the manifest under many hands, crashes and refused commits", () => {
  seedTests("manifest", {
    fact: "what was answered stays, what was refused is not there",
    seeds: 60,
  });
});
