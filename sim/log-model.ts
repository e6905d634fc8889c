/**
 * WHAT RECORD LOGS MUST HOLD: the states of each log after every change that was asked for.
 *
 * (1) Changes of one log are made in the order of their calls, and one over both is made in both or
 *     in neither.
 * (2) A change is made within its call, before anything that is called later, unless it is late: a
 *     compaction that has to read a chunk first, and what is called on its log until then. It is made
 *     before what is called later on its own logs; what others are asked for may pass it.
 * (3) After a crash the logs are as they were at one moment of that order: not before anything that
 *     was acknowledged, never within a change.
 * (4) Whoever is told of a change that changed nothing knows of its logs what changed them before it,
 *     and no more: nothing of another log, nor of a change over both that left this one as it was.
 */
import type { LogChange, Manager, NewLogEntry, RecordLog } from "../src/index.ts";
import type { SeededRandom } from "../src/io/index.ts";
import { promise } from "./failure.ts";

export const LOG_NAMES = ["one", "two"] as const;
export type LogName = (typeof LOG_NAMES)[number];

interface ModelEntry {
  readonly index: bigint;
  readonly term: bigint;
  readonly bytes: number;
  readonly fill: number;
}

interface LogState {
  readonly entries: readonly ModelEntry[];
  readonly boundary: { readonly index: bigint; readonly term: bigint } | undefined;
  readonly hardTerm: bigint | undefined;
  readonly stable: number | undefined;
}

type States = Readonly<Record<LogName, LogState>>;

/** A log after a change of it. */
interface Version {
  /** Of the change, in the order of the calls over all logs; 0 for what there was before. */
  readonly number: number;
  readonly names: readonly LogName[];
  /** See (2). */
  readonly isLate: boolean;
  /** Whether it changed this log: one over both may leave it as it was. */
  readonly isChange: boolean;
  readonly text: string;
  readonly state: LogState;
}

type Numbers = Readonly<Record<LogName, number>>;
type Versions = Readonly<Record<LogName, readonly Version[]>>;
type ChangeOf = { readonly name: LogName; readonly change: LogChange };

const EMPTY: LogState = {
  entries: [],
  boundary: undefined,
  hardTerm: undefined,
  stable: undefined,
};
const NONE: Numbers = { one: 0, two: 0 };
const LARGE_BYTES = 200_000;

export class LogModel {
  #states: States = { one: EMPTY, two: EMPTY };
  /** The first is what there was before. Changes that change nothing have none. */
  #versions: Versions = versionsOf(this.#states);
  #acknowledged: Numbers = NONE;
  /** Late changes that nobody was told of yet, by number. */
  readonly #late = new Map<number, readonly LogName[]>();
  /** Which logs each call was about, by its number less one. */
  readonly #calls: (readonly LogName[])[] = [];
  #nextFill = 1;

  /** All that is known, of logs that a crash could have left as well. */
  echo(): LogModel {
    const echo = new LogModel();
    echo.#states = this.#states;
    echo.#versions = this.#versions;
    echo.#acknowledged = this.#acknowledged;
    for (const [number, names] of this.#late) echo.#late.set(number, names);
    echo.#calls.push(...this.#calls);
    echo.#nextFill = this.#nextFill;
    return echo;
  }

  state(name: LogName): LogState {
    return this.#states[name];
  }

  /** A change that fits, and what it makes of the log. */
  draw(name: LogName, random: SeededRandom): LogChange {
    const { entries, boundary } = this.#states[name];
    const first = entries[0];
    const last = entries.at(-1);
    const kind = random.below(12);
    if (kind === 0 && last !== undefined && first !== undefined) {
      return { truncateAfter: between(random, first.index, last.index) };
    }
    if (kind === 1 && last !== undefined && first !== undefined) {
      return { compact: { upToIndex: between(random, first.index, last.index) } };
    }
    if (kind === 2 && random.chance(0.3)) {
      const index = (last?.index ?? boundary?.index ?? 0n) + 3n;
      return { compact: { upToIndex: index, term: this.#lastTerm(name) + 1n } };
    }
    if (kind === 3) return { hardState: { term: BigInt(random.below(1000)) } };
    if (kind === 4) return { stable: { k: Uint8Array.of(random.below(256)) } };
    if (kind === 5 && random.chance(0.3)) return { truncateAfter: "all" };
    if (kind === 6 && random.chance(0.2)) return { clear: true };
    if (kind === 7 && last !== undefined && first !== undefined) {
      const from = between(random, first.index, last.index);
      const added = this.#entries(name, random, from);
      return { entries: added, onConflict: "replace" };
    }
    const next = last ?? boundary;
    const from = next === undefined ? BigInt(random.below(4)) : next.index + 1n;
    const hardState = { term: BigInt(random.below(1000)) };
    const added = this.#entries(name, random, from);
    return random.chance(0.2) ? { entries: added, hardState } : { entries: added };
  }

  /**
   * The changes were asked for, as one; returns the number to acknowledge them by. `waits`: they were
   * not made within the call.
   */
  made(changes: readonly ChangeOf[], waits = false): number {
    const names = changes.map(({ name }) => name);
    const number = this.#calls.push(names);
    const isLate = waits || [...this.#late.values()].flat().some((name) => names.includes(name));
    if (isLate) this.#late.set(number, names);
    const states = { ...this.#states };
    for (const { name, change } of changes) states[name] = after(states[name], change);
    if (names.every((name) => text(states[name]) === text(this.#states[name]))) return number;
    const versions = { ...this.#versions };
    for (const name of names) {
      const state = states[name];
      const isChange = text(state) !== text(this.#states[name]);
      const version = { number, names, isLate, isChange, text: text(state), state };
      versions[name] = [...versions[name], version];
    }
    this.#states = states;
    this.#versions = versions;
    return number;
  }

  /** See (4). */
  acknowledge(number: number): void {
    const acknowledged = { ...this.#acknowledged };
    for (const name of this.#calls[number - 1] ?? []) {
      const newest = this.#versions[name].findLast((version) => {
        return version.number === number || (version.number < number && version.isChange);
      });
      acknowledged[name] = Math.max(acknowledged[name], newest?.number ?? 0);
    }
    this.#acknowledged = acknowledged;
    this.#late.delete(number);
  }

  /** See (3). What was found is what counts from now on. */
  async verify(manager: Manager): Promise<void> {
    const found = { one: "", two: "" };
    for (const name of LOG_NAMES) found[name] = await textFound(await manager.log(name));
    const [one, two] = LOG_NAMES.map((name) => {
      return this.#versions[name].filter((version) => version.text === found[name]);
    });
    const moments = (one ?? []).flatMap((one) => (two ?? []).map((two) => ({ one, two })));
    const moment = moments.find(({ one, two }) => {
      return this.#isMoment({ one: one.number, two: two.number });
    });
    promise(moment !== undefined, () => this.#broken(found));
    this.#states = { one: moment.one.state, two: moment.two.state };
    this.#versions = versionsOf(this.#states);
    this.#acknowledged = NONE;
    this.#late.clear();
  }

  /** Whether there was a moment at which each log had its changes up to these and no others. */
  #isMoment(upTo: Numbers): boolean {
    const newest = Math.max(...LOG_NAMES.map((name) => upTo[name]));
    return LOG_NAMES.every((name) => {
      if (upTo[name] < this.#acknowledged[name]) return false;
      return this.#versions[name].every(({ number, names, isLate }) => {
        const isThere = number <= upTo[name];
        if (names.some((other) => number <= upTo[other] !== isThere)) return false;
        return isThere || isLate || number > newest;
      });
    });
  }

  #broken(found: Readonly<Record<LogName, string>>): string {
    const known = LOG_NAMES.map((name) => {
      const acknowledged = this.#acknowledged[name];
      const lines = this.#versions[name]
        .filter(({ number }) => number >= acknowledged)
        .map(({ number, names, isLate, text }) => {
          return `  ${number}${isLate ? " late" : ""}${names.length > 1 ? " both" : ""}: ${text}`;
        });
      return `${name}, acknowledged up to ${acknowledged}:\n${lines.join("\n")}`;
    });
    const holds = LOG_NAMES.map((name) => `  ${name}: ${found[name]}`).join("\n");
    return `the logs hold\n${holds}\nwhich they did at no moment of\n${known.join("\n")}`;
  }

  #lastTerm(name: LogName): bigint {
    const { entries, boundary } = this.#states[name];
    return entries.at(-1)?.term ?? boundary?.term ?? 0n;
  }

  #entries(name: LogName, random: SeededRandom, from: bigint): NewLogEntry[] {
    let term = this.#lastTerm(name);
    return Array.from({ length: 1 + random.below(4) }, (_, at) => {
      if (random.chance(0.2)) term += 1n;
      const bytes = random.chance(0.03) ? LARGE_BYTES : random.below(300);
      const payload = new Uint8Array(bytes).fill(this.#nextFill++ & 255);
      return { term, index: from + BigInt(at), payload };
    });
  }
}

function between(random: SeededRandom, first: bigint, last: bigint): bigint {
  return first + BigInt(random.below(Number(last - first) + 1));
}

function after(state: LogState, change: LogChange): LogState {
  let { entries, boundary, hardTerm, stable } = state;
  if (change.clear) [entries, boundary] = [[], undefined];
  const { truncateAfter, compact } = change;
  if (truncateAfter === "all") entries = [];
  else if (truncateAfter !== undefined) entries = entries.filter((e) => e.index <= truncateAfter);
  if (compact !== undefined) {
    const { upToIndex: index, term } = compact;
    boundary = { index, term: term ?? entries.find((e) => e.index === index)?.term ?? 0n };
    entries = entries.filter((e) => e.index > index);
  }
  const [first] = change.entries ?? [];
  if (first !== undefined) {
    const added = (change.entries ?? []).map(({ index, term, payload }) => {
      return { index, term, bytes: payload.length, fill: payload[0] ?? 0 };
    });
    entries = [...entries.filter((e) => e.index < first.index), ...added];
  }
  if (change.hardState !== undefined) hardTerm = change.hardState.term;
  if (change.stable !== undefined) stable = change.stable.k?.[0];
  return { entries, boundary, hardTerm, stable };
}

function versionsOf(states: States): Versions {
  const first = (state: LogState): Version[] => {
    return [{ number: 0, names: [], isLate: false, isChange: true, text: text(state), state }];
  };
  return { one: first(states.one), two: first(states.two) };
}

async function textFound(log: RecordLog): Promise<string> {
  const entries: ModelEntry[] = [];
  for (let from = log.firstIndex; from !== undefined; ) {
    const some = await log.read({ from, clip: true, maxBytes: 100_000 });
    for (const { index, term, payload } of some) {
      const fill = payload[0] ?? 0;
      const isWhole = payload.every((byte) => byte === fill);
      promise(isWhole, () => `the payload of entry ${index} is not as it was`);
      entries.push({ index, term, bytes: payload.length, fill });
    }
    const last = some.at(-1);
    from = last === undefined ? undefined : last.index + 1n;
  }
  const hardTerm = (await log.readHardState())?.term;
  const stable = (await log.readStable("k"))?.[0];
  return text({ entries, boundary: log.boundary, hardTerm, stable });
}

function text({ entries, boundary, hardTerm, stable }: LogState): string {
  const all = entries.map(({ index, term, bytes, fill }) => `${index}@${term}:${bytes}/${fill}`);
  return `${boundary?.index}@${boundary?.term} ${hardTerm} ${stable} [${all.join(" ")}]`;
}
