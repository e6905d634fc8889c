/**
 * WHAT THE CONTRACT RUNS ON: any test runner with `describe` and `test`, and any log store with the
 * interface of RecordLog.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert";
import type { LogEntry, LogMember, LogWritten, NewLogEntry, RecordLog } from "../api.ts";

export interface ContractRunner {
  describe(name: string, define: () => void): void;
  test(name: string, run: () => Promise<void>): void;
}

/** One store; each test opens its own, empty. */
export interface LogStore {
  /** Opens the log of that name, or creates it. */
  log(name: string): Promise<RecordLog>;
  /** Closes everything properly and opens it again: handles from before are of no more use. */
  reopen(): Promise<void>;
  close(): Promise<void>;
  /** One atomic change over several logs. Without it, those tests are left out. */
  commitLogs?(members: readonly LogMember[]): Promise<LogWritten[]>;
  /** Ends it without closing anything, as a power cut does, and opens it again. */
  crash?(): Promise<void>;
  /** From now on the device refuses what is written, for good. */
  failWrites?(): void;
  /** Moves entries out of memory, as far as the store knows how. */
  settle?(): Promise<void>;
}

export type OpenLogStore = () => Promise<LogStore>;

export interface Suite {
  readonly runner: ContractRunner;
  readonly open: OpenLogStore;
  /** A test on a store of its own, which is closed after it. */
  readonly test: (name: string, run: (store: LogStore) => Promise<void>) => void;
}

export function suiteOf(runner: ContractRunner, open: OpenLogStore): Suite {
  return {
    runner,
    open,
    test(name, run) {
      runner.test(name, async () => {
        const store = await open();
        try {
          await run(store);
        } finally {
          await store.close();
        }
      });
    },
  };
}

/** After so many bytes a payload repeats itself. A prime, so that no boundary of ours falls there. */
const PERIOD_BYTES = 251n;

/** A payload that says which entry it is of. */
export function payloadOf(index: bigint, bytes = 24): Uint8Array {
  const payload = new Uint8Array(bytes);
  const first = Number((index * 31n) % PERIOD_BYTES);
  const period = Number(PERIOD_BYTES);
  for (let at = 0; at < Math.min(bytes, period); at++) payload[at] = (first + at) % period;
  for (let at = period; at < bytes; at *= 2) payload.copyWithin(at, 0, at);
  return payload;
}

export function entry(term: bigint, index: bigint, bytes?: number): NewLogEntry {
  return { term, index, payload: payloadOf(index, bytes) };
}

/** Entries `first` to `last`, both included, of one term. */
export function entries(term: bigint, first: bigint, last: bigint): NewLogEntry[] {
  const all: NewLogEntry[] = [];
  for (let index = first; index <= last; index++) all.push(entry(term, index));
  return all;
}

/** What is read is these entries, each with its own payload. */
export function assertEntries(
  found: readonly LogEntry[],
  ids: readonly (readonly [bigint, bigint])[],
) {
  deepStrictEqual(
    found.map(({ term, index }) => [term, index]),
    ids.map(([term, index]) => [term, index]),
  );
  for (const { index, payload } of found) {
    const isRight = Buffer.compare(payload, payloadOf(index, payload.length)) === 0;
    ok(isRight, `payload of ${index}: ${payload.length} bytes, and not its own`);
  }
}

/** (term, index) of `first` to `last`, both included. */
export function ids(term: bigint, first: bigint, last: bigint): [bigint, bigint][] {
  return entries(term, first, last).map(({ index }) => [term, index]);
}

/** Everything that may be read, in as many answers as it takes. */
export async function readAll(log: RecordLog, maxBytes = 100): Promise<LogEntry[]> {
  const all: LogEntry[] = [];
  let from = log.firstIndex;
  while (from !== undefined) {
    const some = await log.read({ from, maxBytes, clip: true });
    const last = some.at(-1);
    if (last === undefined) break;
    all.push(...some);
    from = last.index + 1n;
  }
  return all;
}

/** The call is refused with this code, and nothing else. */
export async function assertRefused(code: string, call: () => unknown): Promise<void> {
  let found: unknown;
  try {
    await call();
  } catch (error) {
    found = (error as { code?: unknown }).code ?? error;
  }
  strictEqual(found, code);
}
