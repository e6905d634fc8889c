/**
 * WHICH STATE MAY FOLLOW WHICH: the table of a state machine, executed by the one function that moves.
 *
 * (1) A move that the table does not name is our own bug, and asserted.
 * (2) Somebody may watch the moves of all tables, as the simulation does to learn which are never
 *     taken. Nobody does in production, and that costs one comparison for each move.
 */
import { assert } from "./assert.ts";

type Follows<State extends string> = Readonly<Record<State, readonly State[]>>;
type Watcher = (table: string, from: string, to: string) => void;

const tables: StateTable<string>[] = [];
let watcher: Watcher | undefined;

export class StateTable<State extends string> {
  readonly name: string;
  readonly #follows: Follows<State>;

  constructor(name: string, follows: Follows<State>) {
    this.name = name;
    this.#follows = follows;
    tables.push(this as unknown as StateTable<string>);
  }

  /** To be called by whoever moves, once for each move. See (1). */
  assertMove(from: State, to: State): void {
    const isMove = this.#follows[from].includes(to);
    assert(isMove, () => `${this.name}: ${from} → ${to} is no move`);
    watcher?.(this.name, from, to);
  }

  /** All that there are. */
  moves(): readonly { readonly from: State; readonly to: State }[] {
    const states = Object.keys(this.#follows) as State[];
    return states.flatMap((from) => this.#follows[from].map((to) => ({ from, to })));
  }
}

/** Of all modules that were loaded. */
export const allStateTables = (): readonly StateTable<string>[] => tables;

/** Told every move from now on; nobody is any more with undefined. See (2). */
export function watchMoves(next: Watcher | undefined): void {
  watcher = next;
}
