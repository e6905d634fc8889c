/**
 * Stores with record logs that lose their manifest, in a simulated world. A model says what each log
 * must hold: entries, what was cut off at both ends, hard state, keys, the newest snapshot.
 */
import { describe, expect, test } from "vitest";
import { present } from "../../base/assert.ts";
import { isStorageError } from "../../base/errors.ts";
import type { SeededRandom } from "../../io/index.ts";
import type { HardState, LogBoundary, LogEntry } from "../../record-log/index.ts";
import type { Manager } from "../manager.ts";
import { Place, STORE } from "./rebuild.fixture.ts";

const KEYS = ["leader", "config", "applied"];

interface LogModel {
  entries: LogEntry[];
  boundary: LogBoundary | undefined;
  lastIndex: bigint | undefined;
  hardState: HardState | undefined;
  readonly stable: Map<string, Uint8Array>;
  snapshotMeta: Uint8Array | undefined;
}
type Model = Map<string, LogModel>;

class LogPlace extends Place {
  readonly model: Model = new Map();

  /** The manifest is gone, and made again. */
  async loseAndRebuild(): Promise<void> {
    this.lose();
    await this.rebuild();
  }

  async steps(manager: Manager, count: number): Promise<void> {
    await this.world.run(async () => {
      for (let at = 0; at < count; at += 1) await step(manager, this.model, this.random);
    });
  }

  async expectModel(manager: Manager): Promise<void> {
    await this.world.run(() => expectModel(manager, this.model));
  }
}

function emptyLog(): LogModel {
  return {
    entries: [],
    boundary: undefined,
    lastIndex: undefined,
    hardState: undefined,
    stable: new Map(),
    snapshotMeta: undefined,
  };
}

function bytesOf(random: SeededRandom, most: number): Uint8Array {
  return new Uint8Array(random.below(most)).fill(random.below(256));
}

/** One change of one log; it is in the model when it resolves. */
async function step(manager: Manager, model: Model, random: SeededRandom): Promise<void> {
  const names = [...model.keys()];
  const what = random.below(20);
  if (names.length === 0 || (what === 0 && names.length < 4)) {
    const name = `log-${random.below(1e9)}`;
    await manager.log(name);
    model.set(name, emptyLog());
    return;
  }
  const name = random.pick(names);
  const known = present(model.get(name), "a log");
  if (what === 1 && names.length > 2) {
    await manager.dropLog(name);
    model.delete(name);
  } else if (what === 2) {
    const renamed = `renamed-${random.below(1e9)}`;
    await manager.renameLog(name, renamed);
    model.delete(name);
    model.set(renamed, known);
  } else if (what === 3 || what === 4) {
    await manager.checkpoint();
  } else {
    await change({ log: await manager.log(name), known, random, what });
  }
}

interface Changing {
  readonly log: Awaited<ReturnType<Manager["log"]>>;
  readonly known: LogModel;
  readonly random: SeededRandom;
  readonly what: number;
}

async function change({ log, known, random, what }: Changing): Promise<void> {
  const { entries } = known;
  const [first, last] = [entries[0], entries.at(-1)];
  if (what === 5) {
    known.hardState = {
      term: BigInt(random.below(9)),
      vote: bytesOf(random, 9),
      commit: BigInt(random.below(99)),
    };
    await log.setHardState(known.hardState);
  } else if (what === 6 || what === 7) {
    const [key, value] = [random.pick(KEYS), bytesOf(random, 300)];
    const isRemoved = random.chance(0.3);
    await log.setStable(key, isRemoved ? undefined : value);
    if (isRemoved) known.stable.delete(key);
    else known.stable.set(key, value);
  } else if (what === 8) {
    known.snapshotMeta = Uint8Array.of(1, random.below(256));
    await log.saveSnapshotMeta(known.snapshotMeta);
  } else if (what === 9) {
    await log.clear();
    Object.assign(known, { entries: [], boundary: undefined, lastIndex: undefined });
  } else if (first !== undefined && last !== undefined && (what === 10 || what === 11)) {
    const { index } = random.pick(entries);
    await log.truncateSuffix(index);
    known.entries = entries.filter((entry) => entry.index <= index);
    known.lastIndex = index;
  } else if (first !== undefined && (what === 12 || what === 13)) {
    const { index, term, field } = random.pick(entries);
    await log.compactPrefix(index);
    known.entries = entries.filter((entry) => entry.index > index);
    known.boundary = { index, term, field };
  } else {
    const added = newEntries(known, random);
    await log.append(added);
    known.entries = [...entries, ...added];
    known.lastIndex = added.at(-1)?.index;
  }
}

function newEntries({ entries, lastIndex, boundary }: LogModel, random: SeededRandom): LogEntry[] {
  const next = lastIndex === undefined ? BigInt(1 + random.below(50)) : lastIndex + 1n;
  const term = (entries.at(-1)?.term ?? boundary?.term ?? 1n) + BigInt(random.below(2));
  return Array.from({ length: 1 + random.below(12) }, (_, at) => ({
    term,
    index: next + BigInt(at),
    field: bytesOf(random, 5),
    payload: bytesOf(random, 900),
  }));
}

async function expectModel(manager: Manager, model: Model): Promise<void> {
  const names = (await manager.logs()).map(({ name }) => name);
  expect(names.sort()).toEqual([...model.keys()].sort());
  for (const [name, known] of model) {
    const log = await manager.log(name, { create: false });
    const [first] = known.entries;
    expect({ last: log.lastIndex, boundary: log.boundary }, name).toEqual({
      last: known.lastIndex,
      boundary: known.boundary,
    });
    expect(log.firstIndex, name).toBe(first?.index);
    if (first !== undefined) {
      const entries = await log.read({ from: first.index, maxBytes: 2 ** 24 });
      expect(entries, name).toEqual(known.entries);
    }
    expect(await log.readHardState(), name).toEqual(known.hardState);
    expect(await log.readSnapshotMeta(), name).toEqual(known.snapshotMeta);
    for (const key of KEYS) expect(await log.readStable(key), key).toEqual(known.stable.get(key));
  }
}

describe("record logs of a store that lost its manifest", () => {
  // evidence: G12
  test("come back after a clean stop with all that was in them, and go on", async () => {
    for (let seed = 1; seed <= 3; seed += 1) {
      const place = new LogPlace(seed);
      const manager = await place.open();
      await place.steps(manager, 60);
      await place.world.run(() => manager.close());
      await place.loseAndRebuild();
      const again = await place.open();
      await place.expectModel(again);
      await place.steps(again, 15);
      await place.expectModel(again);
      await place.world.run(() => again.close());
    }
  });

  // evidence: G12
  test("have every acknowledged change after a crash at any moment", async () => {
    for (let seed = 50; seed < 54; seed += 1) {
      const place = new LogPlace(seed);
      for (let life = 0; life < 3; life += 1) {
        const manager = await place.open();
        await place.expectModel(manager);
        await place.steps(manager, 10 + place.random.below(30));
        if (place.random.chance(0.5)) void manager.checkpoint().catch(() => undefined);
        await place.world.pass(place.random.below(30) / 10);
        place.crash();
        if (life === 2 || place.random.chance(0.4)) await place.loseAndRebuild();
      }
      const manager = await place.open();
      await place.expectModel(manager);
      await place.world.run(() => manager.close());
    }
  });

  test("whose chunk is gone are refused with its name, and nothing is written", async () => {
    const place = new LogPlace(90);
    const manager = await place.open();
    await place.world.run(async () => {
      const log = await manager.log("raft");
      await log.append([{ term: 1n, index: 1n, payload: new Uint8Array(500) }]);
      await manager.checkpoint();
      await manager.close();
    });
    const { storage } = place.env;
    const chunks = await place.world.run(async () => {
      const folders = await storage.list(`${STORE}/chunks`);
      const [name = ""] = await storage.list(`${STORE}/chunks/${folders[0]}`);
      const path = `${STORE}/chunks/${folders[0]}/${name}`;
      await storage.rename(path, `${STORE}/kept`);
      return path;
    });
    const refused = await place.loseAndRebuild().catch((error: unknown) => error);
    expect(isStorageError(refused, "BOP_CORRUPT") && refused.details).toMatchObject({
      file: chunks,
      why: expect.stringContaining("a chunk of the manifest is missing"),
    });
    await place.world.run(() => storage.rename(`${STORE}/kept`, chunks));
    await place.loseAndRebuild();
    const again = await place.open();
    await place.world.run(async () => {
      expect((await again.log("raft", { create: false })).lastIndex).toBe(1n);
      await again.close();
    });
  });
});
