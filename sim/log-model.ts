/**
 * WHAT RECORD LOGS MUST HOLD: the states after every change that was asked for, in order. A change
 * is made within its call, so the order of the calls is the order of the log, over all logs.
 *
 * (1) After a crash all logs together are as they were after one of the changes: not before the last
 *     that was acknowledged, never between two.
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

const EMPTY: LogState = {
  entries: [],
  boundary: undefined,
  hardTerm: undefined,
  stable: undefined,
};
const LARGE_BYTES = 200_000;

export class LogModel {
  #states: States = { one: EMPTY, two: EMPTY };
  /** As text, after each change; the first is that of the empty logs. */
  #history: { readonly text: string; readonly states: States }[];
  #acknowledged = 0;
  #nextFill = 1;

  constructor() {
    this.#history = [{ text: textOf(this.#states), states: this.#states }];
  }

  /** All that is known, of logs that a crash could have left as well. */
  echo(): LogModel {
    const echo = new LogModel();
    echo.#states = this.#states;
    echo.#history = [...this.#history];
    echo.#acknowledged = this.#acknowledged;
    echo.#nextFill = this.#nextFill;
    return echo;
  }

  /** Changes that were asked for. */
  get count(): number {
    return this.#history.length - 1;
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

  /** The changes were made, as one; returns the number to acknowledge them by: 0, if nothing changed. */
  made(changes: readonly { readonly name: LogName; readonly change: LogChange }[]): number {
    const states = { ...this.#states };
    for (const { name, change } of changes) states[name] = after(states[name], change);
    const text = textOf(states);
    // What changes nothing is told at once, and says nothing of what others have under way.
    if (text === this.#history.at(-1)?.text) return 0;
    this.#states = states;
    this.#history.push({ text, states });
    return this.count;
  }

  acknowledge(number: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, number);
  }

  /** See (1). What was found is what counts from now on. */
  async verify(manager: Manager): Promise<void> {
    const found: string[] = [];
    for (const name of LOG_NAMES) found.push(await textFound(await manager.log(name)));
    const text = found.join("\n");
    const at = this.#history.findLastIndex((each) => each.text === text);
    const wanted = this.#history.slice(this.#acknowledged).map((each) => each.text);
    promise(
      at >= this.#acknowledged,
      () => `the logs hold\n${text}\nwhich is none of\n${wanted.join("\n--\n")}`,
    );
    this.#states = this.#history[at]?.states ?? this.#states;
    this.#history = this.#history.slice(at, at + 1);
    this.#acknowledged = 0;
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

function textOf(states: States): string {
  return LOG_NAMES.map((name) => {
    const { entries, boundary, hardTerm, stable } = states[name];
    return text({ entries, boundary, hardTerm, stable });
  }).join("\n");
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
