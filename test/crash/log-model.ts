/**
 * RECORD LOGS UNDER TORTURE: what change `n` of a log is, and what the log is after it. The process
 * that is killed and the one that looks afterwards make the same of it.
 *
 * (1) What a change is follows from its number, the number of the log, and the log before it.
 * (2) Each change carries its number under a stable key: whoever opens the log sees how many count,
 *     and a change of which only a part is there can be told from a whole one.
 * (3) A payload begins with the number of the change that made it and is filled by it.
 */
import type { LogChange, NewLogEntry, RecordLog } from "../../src/index.ts";

export const LOGS = ["raft-0", "raft-1", "raft-2"] as const;
export const NUMBER_KEY = "change";

interface Made {
  readonly change: number;
  readonly term: number;
}

const HEAD_BYTES = 8;
const COMPACTED_ABOVE = 300;
const TRUNCATED_ABOVE = 12;

export class LogModel {
  /** Of the entries that are there, from `first` on. */
  readonly made: Made[] = [];
  first = 1;
  term = 1;
  hardStateOf = 0;
  commit = 0;
  changes = 0;
  readonly #log: number;

  constructor(log: number) {
    this.#log = log;
  }

  get last(): number {
    return this.first + this.made.length - 1;
  }

  /** The next change, which counts from now on. */
  next(): LogChange {
    const n = ++this.changes;
    const dice = mixed(this.#log * 1_000_003 + n);
    const stable = { [NUMBER_KEY]: numberBytes(n) };
    const kind = dice % 16;
    if (kind === 0 && this.made.length > TRUNCATED_ABOVE) {
      this.made.length -= 1 + ((dice >>> 8) % 10);
      return { truncateAfter: BigInt(this.last), stable };
    }
    if (kind === 1 && this.made.length > COMPACTED_ABOVE) {
      const gone = this.made.length >>> 1;
      this.made.splice(0, gone);
      this.first += gone;
      return { compact: { upToIndex: BigInt(this.first - 1) }, stable };
    }
    if (kind === 2) {
      this.term += 1;
      this.hardStateOf = n;
      this.commit = this.last;
      const hardState = { term: BigInt(this.term), vote: numberBytes(n) };
      return { hardState: { ...hardState, commit: BigInt(this.commit) }, stable };
    }
    if (kind === 3 && this.made.length > TRUNCATED_ABOVE) {
      this.made.length -= 3;
      return { entries: this.#entries(n, 2), onConflict: "replace", stable };
    }
    return { entries: this.#entries(n, 1 + ((dice >>> 8) % 4)), stable };
  }

  #entries(change: number, count: number): NewLogEntry[] {
    return Array.from({ length: count }, () => {
      this.made.push({ change, term: this.term });
      const index = this.last;
      return { term: BigInt(this.term), index: BigInt(index), payload: payloadOf(change, index) };
    });
  }

  /** The shape of the log as it is: enough to go on with it. */
  static async of(log: RecordLog, number: number): Promise<LogModel> {
    const model = new LogModel(number);
    model.changes = numberIn(await log.readStable(NUMBER_KEY));
    model.first = Number((log.boundary?.index ?? 0n) + 1n);
    const count = Number(log.lastIndex ?? 0n) - model.first + 1;
    for (let at = 0; at < count; at++) model.made.push({ change: 0, term: 0 });
    model.term = Number((await log.readHardState())?.term ?? 1n);
    return model;
  }
}

/** What in the log is not as the model has it. */
export async function differences(log: RecordLog, model: LogModel): Promise<string[]> {
  const problems: string[] = [];
  const same = (what: string, is: unknown, want: unknown) => {
    if (is !== want) problems.push(`${log.name}: ${what} is ${is}, want ${want}`);
  };
  same("the boundary", log.boundary?.index ?? 0n, BigInt(model.first - 1));
  same("the last index", log.lastIndex ?? 0n, BigInt(model.last));
  same("the durable index", log.durableIndex ?? 0n, BigInt(model.last));
  const state = await log.readHardState();
  same("the vote", state === undefined ? 0 : numberIn(state.vote), model.hardStateOf);
  same("the commit index", state?.commit ?? 0n, BigInt(model.commit));
  if (state !== undefined) same("the term", state.term, BigInt(model.term));
  for (let at = model.first; at <= model.last && problems.length === 0; ) {
    for (const { index, term, payload } of await log.read({ from: BigInt(at) })) {
      const made = model.made[at - model.first];
      same(`the index of entry ${at}`, index, BigInt(at));
      same(`the term of entry ${at}`, term, BigInt(made?.term ?? -1));
      const isSame = Buffer.compare(payload, payloadOf(made?.change ?? -1, at)) === 0;
      same(`the payload of entry ${at}`, isSame, true);
      at += 1;
    }
  }
  return problems;
}

/** See (3). */
function payloadOf(change: number, index: number): Uint8Array {
  const bytes = HEAD_BYTES + (mixed(change * 31 + index) % 1500);
  const payload = new Uint8Array(bytes).fill(change & 255);
  payload.set(numberBytes(change));
  return payload;
}

function numberBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES);
  new DataView(bytes.buffer).setFloat64(0, value);
  return bytes;
}

export function numberIn(bytes: Uint8Array | undefined): number {
  if (bytes === undefined || bytes.length < HEAD_BYTES) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset, HEAD_BYTES).getFloat64(0);
}

/** Spreads a number over 32 bits. */
function mixed(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
  return (x ^ (x >>> 16)) >>> 0;
}
