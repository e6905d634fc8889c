/** Record logs keep the contract of a log store; adapters with a bug in them do not. */
import { describe, expect, test } from "vitest";
import type { LogChange, LogEntry, LogRange, RecordLog } from "../../src/index.ts";
import {
  type ContractRunner,
  type LogStore,
  runLogStoreContract,
} from "../../src/record-log/contract/index.ts";
import { newWorld, simulatedStore, storeOnDisk, type Wrap } from "./record-log-stores.ts";

// evidence: G16
describe("record logs", () => {
  runLogStoreContract({ describe, test }, "on this machine", () => storeOnDisk());

  let world = newWorld(1);
  let seed = 1;
  const inAWorld: ContractRunner = {
    describe,
    test: (name, run) => {
      test(name, async () => {
        world = newWorld(++seed);
        await world.run(run);
      });
    },
  };
  runLogStoreContract(inAWorld, "in a simulated world, with power cuts", () =>
    simulatedStore(world),
  );
});

/** A log whose methods are partly others. */
function altered(log: RecordLog, other: (log: RecordLog) => Partial<RecordLog>): RecordLog {
  const methods = other(log);
  return new Proxy(log, {
    get(target, name) {
      const method = (methods as Record<string | symbol, unknown>)[name];
      if (method !== undefined) return method;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

type Alteration = (log: RecordLog) => Partial<RecordLog>;
const change = (alter: (change: LogChange) => LogChange): Alteration => {
  return (log) => ({
    commit: (given) => log.commit(alter(given)),
    append: (entries, options) => log.commit(alter({ ...options, entries })),
    compactPrefix: (upToIndex, boundary) =>
      log.commit(alter({ compact: { ...boundary, upToIndex } })),
    truncateSuffix: (truncateAfter) => log.commit(alter({ truncateAfter })),
    setHardState: (hardState) => log.commit(alter({ hardState })),
    setStable: (key, value) => log.commit(alter({ stable: { [key]: value } })),
  });
};
const reads = (read: (log: RecordLog, range: LogRange) => Promise<LogEntry[]>): Alteration => {
  return (log) => ({ read: (range) => read(log, range) });
};

const PLANTED: Readonly<Record<string, Alteration>> = {
  "the opaque field is dropped": change((given) => {
    if (given.entries === undefined) return given;
    return { ...given, entries: given.entries.map(({ field: _field, ...rest }) => rest) };
  }),
  "a range has its last index": reads((log, range) => {
    return log.read(range.to === undefined ? range : { ...range, to: range.to + 1n });
  }),
  "a range is always cut": reads((log, range) => log.read({ ...range, clip: true })),
  "reads are not bounded by bytes": reads((log, range) => log.read({ ...range, maxBytes: 1e9 })),
  "a read may give nothing though there is something": reads(async (log, range) => {
    const found = await log.read(range);
    const { maxBytes = 1e9 } = range;
    return (found[0]?.payload.length ?? 0) > maxBytes ? [] : found;
  }),
  "unstable entries are shown to all": reads((log, range) => {
    return log.read({ ...range, unstable: true });
  }),
  "a conflict is written over": change((given) => ({ ...given, onConflict: "replace" })),
  "truncation is off by one": change((given) => {
    const { truncateAfter: after } = given;
    return typeof after === "bigint" ? { ...given, truncateAfter: after + 1n } : given;
  }),
  "compaction forgets the term": change((given) => {
    const { compact } = given;
    if (compact?.term === undefined) return given;
    return { ...given, compact: { ...compact, term: compact.term + 1n } };
  }),
  "state is not kept with entries": change((given) => {
    if (given.entries === undefined) return given;
    const { hardState: _hardState, stable: _stable, ...rest } = given;
    return rest;
  }),
  "the commit index is dropped": change((given) => {
    const { hardState } = given;
    if (hardState === undefined) return given;
    const { commit: _commit, ...rest } = hardState;
    return { ...given, hardState: rest };
  }),
  "what is removed is emptied": change((given) => {
    const { stable } = given;
    if (stable === undefined) return given;
    const kept = Object.entries(stable).map(([key, value]) => [key, value ?? new Uint8Array(0)]);
    return { ...given, stable: Object.fromEntries(kept) };
  }),
  "a term that is gone is 0": (log) => ({
    termAt: (index) => {
      try {
        return log.termAt(index);
      } catch {
        return 0n;
      }
    },
  }),
  "an append is acknowledged before it is durable": (log) => ({
    append: async (entries, options) => {
      const appended = log.append(entries, options);
      appended.catch(() => undefined);
      const early = Promise.resolve({ lsn: 0, lastIndex: log.lastIndex });
      return log.lastIndex === entries.at(-1)?.index ? early : appended;
    },
  }),
  "what was compacted is told as not there yet": reads(async (log, range) => {
    const first = log.firstIndex ?? 0n;
    return log.read(range.from < first ? { ...range, from: 2n ** 63n } : range);
  }),
};

/** Takes as long as ten others, and few bugs wait for it. */
const isLong = (name: string): number => (name.includes("larger than any buffer") ? 1 : 0);

/** Runs tests one after the other until one fails; returns its name. */
async function firstFailure(open: (world: ReturnType<typeof newWorld>) => Promise<LogStore>) {
  const tests: { readonly name: string; readonly run: () => Promise<void> }[] = [];
  let world = newWorld(1);
  const runner: ContractRunner = {
    describe: (_name, define) => define(),
    test: (name, run) => tests.push({ name, run }),
  };
  runLogStoreContract(runner, "broken", () => open(world));
  tests.sort((a, b) => isLong(a.name) - isLong(b.name));
  for (const [at, { name, run }] of tests.entries()) {
    world = newWorld(at);
    const failed = await world.run(run).then(
      () => false,
      () => true,
    );
    if (failed) return name;
  }
  return undefined;
}

describe("an adapter is found out if", () => {
  test.each(Object.entries(PLANTED))("%s", async (_bug, alteration) => {
    const originals = new WeakMap<RecordLog, RecordLog>();
    const wrap: Wrap = (log) => {
      const other = altered(log, alteration);
      originals.set(other, log);
      return other;
    };
    const unwrap: Wrap = (log) => originals.get(log) ?? log;
    expect(await firstFailure((world) => simulatedStore(world, wrap, unwrap))).toBeDefined();
  });
});
