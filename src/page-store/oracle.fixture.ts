/** AN ORACLE FOR TESTS: what every database was at every moment. Nothing is ever forgotten. */
import { type Lsn, pageNumber, type StreamId } from "../base/units.ts";
import type { FrozenSpace, PageSpace, Snapshot } from "./page-space.ts";

type Pages = ReadonlyMap<number, Uint8Array>;

export interface State {
  readonly lsn: Lsn;
  readonly pageCount: number;
  readonly pageBytes: number;
  /** Pages without an image are zeros. */
  readonly pages: Pages;
}

/** Somebody who holds a moment of a database, and what it must look like to him. */
export interface Reader {
  readonly stream: StreamId;
  readonly space: PageSpace;
  readonly snapshot: Snapshot;
  readonly state: State;
}

export interface View {
  readonly stream: StreamId;
  readonly space: FrozenSpace;
  readonly state: State;
}

interface Line {
  readonly createdLsn: Lsn;
  /** As it began, and after each commit. */
  states: State[];
}

const NOTHING: State = { lsn: 0 as Lsn, pageCount: 0, pageBytes: 0, pages: new Map() };

export class Oracle {
  readonly #lines = new Map<StreamId, Line>();

  /** It forgets nothing of what this knows now, and this learns nothing from it. */
  copy(): Oracle {
    const copy = new Oracle();
    for (const [stream, { createdLsn, states }] of this.#lines) {
      copy.#lines.set(stream, { createdLsn, states: [...states] });
    }
    return copy;
  }

  create(stream: StreamId, createdLsn: Lsn): void {
    this.#lines.set(stream, { createdLsn, states: [NOTHING] });
  }

  fork(stream: StreamId, createdLsn: Lsn, origin: { stream: StreamId; lsn: Lsn }): void {
    const began = this.at(origin.stream, origin.lsn);
    this.#lines.set(stream, { createdLsn, states: [{ ...began, lsn: origin.lsn }] });
  }

  commit(stream: StreamId, state: State): void {
    this.#line(stream).states.push(state);
  }

  at(stream: StreamId, lsn: Lsn): State {
    const { states } = this.#line(stream);
    return states.findLast((state) => state.lsn <= lsn) ?? states[0] ?? NOTHING;
  }

  newest(stream: StreamId): State {
    return this.at(stream, Number.POSITIVE_INFINITY as Lsn);
  }

  wasThere(stream: StreamId, lsn: Lsn): boolean {
    return this.#line(stream).createdLsn <= lsn;
  }

  /** What was not durable never was. */
  cut(durableLsn: Lsn): void {
    for (const [stream, line] of this.#lines) {
      if (line.createdLsn > durableLsn) this.#lines.delete(stream);
      line.states = line.states.filter(({ lsn }, index) => index === 0 || lsn <= durableLsn);
    }
  }

  #line(stream: StreamId): Line {
    const line = this.#lines.get(stream);
    if (line === undefined) throw new Error(`no stream ${stream}`);
    return line;
  }
}

/** All of them see what they saw at first. */
export function expectUnmoved(readers: readonly Reader[], views: readonly View[]): void {
  for (const { space, snapshot, state, stream } of readers) {
    expectState({ space, snapshot }, state, `a reader of ${stream}`);
  }
  for (const { space, state, stream } of views) expectFrozen(space, state, `a view of ${stream}`);
}

export function expectNewest(space: PageSpace, state: State, stream: StreamId): void {
  const snapshot = space.pin(space.newestLsn);
  expectState({ space, snapshot }, state, `the newest of ${stream}`);
  space.unpin(snapshot);
}

export function expectFrozen(space: FrozenSpace, state: State, what: string): void {
  const snapshot = space.pin(space.newestLsn);
  expectState({ space, snapshot }, state, what);
  space.unpin(snapshot);
}

export function expectState(
  { space, snapshot }: { space: PageSpace; snapshot: Snapshot },
  state: State,
  what: string,
): void {
  const { pageCount, pageBytes } = snapshot;
  const isAsLarge = pageCount === state.pageCount;
  if (!isAsLarge || (pageCount > 0 && pageBytes !== state.pageBytes)) {
    const wanted = `${state.pageCount} pages of ${state.pageBytes}`;
    throw new Error(`${what} has ${pageCount} pages of ${pageBytes}, not ${wanted}`);
  }
  const zeros = new Uint8Array(pageBytes);
  const some =
    pageCount > 40 ? new Set([...state.pages.keys(), 1, 512, 513, pageCount]) : undefined;
  for (const page of some ?? Array.from({ length: pageCount }, (_, index) => index + 1)) {
    if (page > pageCount) continue;
    const found = space.read(snapshot, pageNumber(page));
    if (Buffer.compare(found, state.pages.get(page) ?? zeros) !== 0) {
      throw new Error(`page ${page} of ${what} (${snapshot.lsn}) is not what it was`);
    }
  }
}
