/**
 * A RECORD LOG IN THE HANDS OF ITS USER.
 *
 * (1) A change that is refused rejects its promise and has changed nothing.
 * (2) A read that finds entries gone, or moved to another chunk, while it waits for the disk, begins
 *     again: it never mixes what was with what is.
 * (3) What a caller is given is its own: later writes do not change it, nor does it change the log.
 * (4) Changes count in the order of their calls: while a compaction waits for the field of its entry,
 *     which lies in a chunk, those that are called after it wait too, in memory of their own.
 */
import { StorageError } from "../base/errors.ts";
import { type Lsn, MIB } from "../base/units.ts";
import type {
  HardState,
  LogBoundary,
  LogChange,
  LogEntry,
  LogMember,
  LogRange,
  LogWritten,
  NewLogEntry,
  RecordLog,
} from "./api.ts";
import { copied } from "./bytes.ts";
import { inTurnOf, type OpenLog } from "./open-log.ts";
import { NO_BYTES, type StoredEntry } from "./operations.ts";
import { ownChange } from "./own-change.ts";
import { assertChange, assertU64, logCompacted, logUnavailable } from "./plan.ts";
import type { RecordLogs, WriteMember, WriteWaiter } from "./record-logs.ts";

const MAX_BYTES_DEFAULT = MIB;
const RANGE_NAMES = ["from", "to", "maxBytes", "unstable", "clip"];

/** Does nothing. */
const nothing = (): void => undefined;

/** One promise of a write: settled by the output gate. */
class Written implements WriteWaiter {
  readonly promise: Promise<LogWritten>;
  readonly #result: LogWritten;
  #resolve: (result: LogWritten) => void = nothing;
  #reject: (error: StorageError) => void = nothing;

  constructor(result: LogWritten) {
    this.#result = result;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  release(): void {
    this.#resolve(this.#result);
  }

  refuse(error: StorageError): void {
    this.#reject(error);
  }
}

export class RecordLogHandle implements RecordLog {
  readonly #logs: RecordLogs;
  readonly #log: OpenLog;
  #isClosed = false;

  constructor(logs: RecordLogs, log: OpenLog) {
    this.#logs = logs;
    this.#log = log;
  }

  get name(): string {
    return this.#logs.nameOf(this.#log.stream);
  }

  get firstIndex(): bigint | undefined {
    return this.#log.core.firstIndex;
  }

  get lastIndex(): bigint | undefined {
    return this.#log.core.lastIndex;
  }

  get durableIndex(): bigint | undefined {
    return this.#log.marks.durable(this.#logs.host.durableLsn);
  }

  get boundary(): LogBoundary | undefined {
    const { boundary } = this.#log.core;
    return boundary && { ...boundary, field: copied(boundary.field) };
  }

  append(
    entries: readonly NewLogEntry[],
    options?: Omit<LogChange, "entries">,
  ): Promise<LogWritten> {
    if (options !== undefined) return this.commit({ ...options, entries });
    try {
      this.#assertOpen();
      const only = Array.isArray(entries) && entries.length === 1 ? entries[0] : undefined;
      const entry = only as NewLogEntry | undefined | null;
      if (entry) {
        const lsn = this.#logs.appendOne(this.#log, entry);
        if (lsn !== undefined) return this.#durably(lsn, entry.index);
      }
    } catch (error) {
      return Promise.reject(error);
    }
    return this.commit({ entries });
  }

  commit(change: LogChange): Promise<LogWritten> {
    try {
      this.#assertOpen();
      assertChange(change);
      if (this.#log.turn !== undefined || this.#lacksField(change)) return this.#inTurn(change);
      return this.#now(change);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async read(range: LogRange): Promise<LogEntry[]> {
    checkRange(range);
    this.#assertOpen();
    for (;;) {
      const { shape } = this.#log.core;
      try {
        const entries = await this.#read(range);
        if (this.#log.core.shape === shape) return entries;
      } catch (error) {
        if (this.#log.core.shape === shape) throw error;
      }
      this.#assertOpen();
    }
  }

  termAt(index: bigint): bigint {
    assertU64(index, "index");
    this.#assertOpen();
    const term = this.#log.core.termAt(index);
    if (term === undefined) throw this.#absent(index);
    return term;
  }

  async fieldAt(index: bigint): Promise<Uint8Array> {
    assertU64(index, "index");
    const { boundary } = this.#log.core;
    if (boundary?.index === index) return copied(boundary.field);
    const [entry] = await this.read({ from: index, to: index + 1n, maxBytes: 0 });
    if (entry === undefined) throw this.#absent(index);
    return entry.field;
  }

  truncateSuffix(afterIndex: bigint | "all"): Promise<LogWritten> {
    return this.commit({ truncateAfter: afterIndex });
  }

  compactPrefix(
    upToIndex: bigint,
    boundary: { readonly term?: bigint; readonly field?: Uint8Array } = {},
  ): Promise<LogWritten> {
    return this.commit({ compact: { ...boundary, upToIndex } });
  }

  clear(): Promise<LogWritten> {
    return this.commit({ clear: true });
  }

  setHardState(state: HardState): Promise<LogWritten> {
    return this.commit({ hardState: state });
  }

  async readHardState(): Promise<HardState | undefined> {
    const { hardState } = this.#log.core;
    await this.#stateIsDurable();
    if (hardState === undefined) return undefined;
    return { ...hardState, vote: copied(hardState.vote ?? NO_BYTES) };
  }

  setStable(key: string, value: Uint8Array | undefined): Promise<LogWritten> {
    return this.commit({ stable: { [key]: value } });
  }

  async readStable(key: string): Promise<Uint8Array | undefined> {
    const value = this.#log.core.stable.get(key);
    await this.#stateIsDurable();
    return value && copied(value);
  }

  saveSnapshotMeta(meta: Uint8Array): Promise<LogWritten> {
    return this.commit({ snapshotMeta: meta });
  }

  async readSnapshotMeta(): Promise<Uint8Array | undefined> {
    const meta = this.#log.core.snapshotMeta;
    await this.#stateIsDurable();
    return meta && copied(meta);
  }

  async waitDurable(index: bigint): Promise<void> {
    assertU64(index, "index");
    this.#assertOpen();
    const { core, marks } = this.#log;
    if (index > (core.lastIndex ?? -1n)) throw this.#absent(index);
    const lsn = marks.lsnOf(index, this.#logs.host.durableLsn);
    if (lsn !== undefined) await this.#pass(lsn);
    if (index > (this.durableIndex ?? -1n)) throw this.#absent(index);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  /** For a change over several logs, see `commitTogether`. Throws what refuses it as it stands. */
  member({ log: _log, ...change }: LogMember): HandleMember {
    this.#assertOpen();
    assertChange(change);
    const log = this.#log;
    return {
      log,
      change,
      waits: log.turn !== undefined || this.#lacksField(change),
      whole: async (change) => {
        const whole = await this.#withField(change);
        this.#assertOpen();
        return { log, change: whole };
      },
    };
  }

  /** One answer of `read`; see (2). */
  async #read({ from, to, maxBytes = MAX_BYTES_DEFAULT, unstable, clip }: LogRange) {
    const { core } = this.#log;
    const readable = unstable === true ? core.lastIndex : this.durableIndex;
    const first = core.firstIndex;
    const end = readable === undefined ? 0n : readable + 1n;
    let index = from;
    if (to !== undefined && to <= from) return [];
    if (first === undefined || from < first || from >= end) {
      if (clip !== true) throw this.#absent(from);
      if (first === undefined || from >= end) return [];
      index = first;
    }
    const stop = to === undefined || to > end ? end : to;
    const entries: LogEntry[] = [];
    let bytes = 0;
    while (index < stop) {
      const found = core.inMemory(index) ?? (await this.#stored(index));
      bytes += found.payload.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push(given(found, index));
      index += 1n;
    }
    return entries;
  }

  async #stored(index: bigint): Promise<StoredEntry> {
    const { core, stream } = this.#log;
    const { chunk } = core.rangeOf(index);
    const block = await this.#logs.reader.block(chunk, stream, index);
    const entry = block.entries[Number(index - block.firstIndex)];
    if (entry === undefined) throw this.#absent(index);
    return entry;
  }

  /** The boundary keeps the field of its entry, which may be in a chunk only. */
  #lacksField(change: LogChange): boolean {
    const index = this.#logs.keptFieldOf(this.#log, change);
    return index !== undefined && this.#log.core.inMemory(index) === undefined;
  }

  /** Needs nothing of the log any more, though its entries leave memory while others are read. */
  async #withField(change: LogChange): Promise<LogChange> {
    const { compact } = change;
    const from = this.#logs.keptFieldOf(this.#log, change);
    if (compact === undefined || from === undefined) return change;
    // It need not be durable: this change is logged behind it.
    const range = { from, to: from + 1n, maxBytes: 0, unstable: true };
    const [entry] = await this.read(range);
    if (entry === undefined) throw this.#absent(from);
    return { ...change, compact: { ...compact, field: entry.field } };
  }

  #now(change: LogChange): Promise<LogWritten> {
    const lsn = this.#logs.write([{ log: this.#log, change }]);
    return this.#durably(lsn, this.#log.core.lastIndex);
  }

  /** See (4). */
  async #inTurn(given: LogChange): Promise<LogWritten> {
    const change = ownChange(given);
    const made = await inTurnOf([this.#log], async () => {
      const whole = await this.#withField(change);
      this.#assertOpen();
      // Not awaited here: whoever is next need not wait for the device.
      return { written: this.#now(whole) };
    });
    return made.written;
  }

  #durably(lsn: Lsn, lastIndex: bigint | undefined): Promise<LogWritten> {
    const written = new Written({ lsn, lastIndex });
    const { host } = this.#logs;
    host.pass(lsn, written);
    host.kick();
    return written.promise;
  }

  #stateIsDurable(): Promise<void> {
    this.#assertOpen();
    return this.#pass(this.#log.core.stateLsn);
  }

  #pass(lsn: Lsn): Promise<void> {
    const { host } = this.#logs;
    return new Promise((release, refuse) => {
      host.pass(lsn, { release, refuse });
      host.kick();
    });
  }

  #assertOpen(): void {
    this.#logs.host.assertOpen();
    const { gone } = this.#log;
    if (gone !== undefined) throw gone;
    if (!this.#isClosed) return;
    throw new StorageError("BOP_CLOSED", "the record log's handle was closed", {
      details: { what: "record log" },
    });
  }

  #absent(index: bigint): StorageError {
    const { core } = this.#log;
    const { firstIndex, boundary } = core;
    const log = this.name;
    const isGone =
      (firstIndex !== undefined && index < firstIndex) ||
      (boundary !== undefined && index <= boundary.index);
    if (isGone) return logCompacted({ log, index, firstIndex });
    return logUnavailable({ log, index, lastIndex: core.lastIndex });
  }
}

/** One log of a change over several, and what is still to be read for it. */
export interface HandleMember extends WriteMember {
  /** Something comes before it, or its change is not whole yet. */
  readonly waits: boolean;
  /** With what the change lacks. */
  whole(change: LogChange): Promise<WriteMember>;
}

/** Calls `write` with the members, in their turn on each of the logs: at once, if nothing waits. */
export function commitTogether<T>(
  members: readonly HandleMember[],
  write: (members: readonly WriteMember[]) => T,
): T | Promise<T> {
  if (!members.some(({ waits }) => waits)) return write(members);
  const logs = members.map(({ log }) => log);
  const waiting = members.map((member) => ({ member, change: ownChange(member.change) }));
  return inTurnOf(logs, async () => {
    const whole: WriteMember[] = [];
    for (const { member, change } of waiting) whole.push(await member.whole(change));
    return write(whole);
  });
}

/** See (3). */
function given({ term, field, payload }: StoredEntry, index: bigint): LogEntry {
  return { term, index, field: copied(field), payload: copied(payload) };
}

function checkRange(range: LogRange): void {
  if (typeof range !== "object" || range === null) {
    throw new TypeError("record log: a range must be an object, as in { from: 1n }");
  }
  for (const name of Object.keys(range)) {
    if (!RANGE_NAMES.includes(name)) throw new TypeError(`record log: unknown option "${name}"`);
  }
  assertU64(range.from, "from");
  if (range.to !== undefined && typeof range.to !== "bigint") {
    throw new TypeError("record log: to must be a bigint, as in 7n");
  }
  const { maxBytes = 0 } = range;
  if (!Number.isInteger(maxBytes) || maxBytes < 0) {
    throw new RangeError(`record log: maxBytes is ${maxBytes}; want a whole number of bytes`);
  }
}
