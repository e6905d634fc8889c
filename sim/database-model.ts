/**
 * THE MODEL OF ONE DATABASE: which transactions were submitted, what became of them as far as
 * anybody was told, and what reads have shown. It says whether a list of transactions that the
 * store presents is one that it may present.
 *
 *              resolved         acknowledged   must be there for ever
 *     pending ──────────►
 *        │     rejected         refused        must never be there
 *        ├────────────────►
 *        │     the outcome is   unknown        may be there or not
 *        └────────────────►     (pending when the process died: the same)
 *
 * (1) Order: what was there before is there first, in the same order; a transaction that was
 *     submitted after another's acknowledgement comes behind it.
 * (2) Transactions of handles queue in the order of their calls (`queued`): of those, if one is
 *     there, so are all before it that were not refused.
 * (3) What a read has shown stays: lists shown are prefixes of every later one.
 * (4) What a crash took away never comes back.
 */
import type { Copies } from "./copies.ts";
import { BrokenPromise, promise } from "./failure.ts";
import { State } from "./state.ts";

export interface Submitted {
  readonly id: number;
  readonly kind: string;
  readonly queued: boolean;
  readonly apply: (state: State) => void;
  /** Acknowledgements, of any transaction, before it was submitted. */
  readonly after: number;
  outcome: "pending" | "acknowledged" | "refused" | "unknown";
  /** Every transaction with a higher id was submitted when somebody knew of this one. */
  knownAt: number | undefined;
}

export interface NewTransaction {
  readonly kind: string;
  /** See (2). Default true. */
  readonly queued?: boolean;
  readonly apply?: (state: State) => void;
}

export class DatabaseModel {
  /** For people: the name it was created under, and a number that no other has. */
  readonly label: string;
  readonly #nextId: () => number;
  readonly #submitted: Submitted[] = [];
  readonly #byId = new Map<number, Submitted>();
  /** In order of acknowledgement. */
  readonly #acknowledged: number[] = [];
  readonly #revealed = new Set<number>();
  /** The longest list that was shown. */
  #shown: readonly number[] = [];
  /** Moments of it that are being taken. */
  readonly #branches = new Set<DatabaseModel>();

  constructor(label: string, nextId: () => number) {
    this.label = label;
    this.#nextId = nextId;
  }

  /** Something of it must survive whatever comes. */
  get isOwed(): boolean {
    return this.#acknowledged.length > 0 || this.#shown.length > 0 || this.#revealed.size > 0;
  }

  /** True once its tables are known to be there. */
  get hasSchema(): boolean {
    return this.#shown.length > 0 || this.#acknowledged.length > 0;
  }

  /** What a complete copy of it holds, in a database of another name. */
  copy(label: string): DatabaseModel {
    return this.#copied(label, ({ outcome }) => outcome === "acknowledged");
  }

  /**
   * A moment of it that somebody is about to take: what was acknowledged is in it, and whatever is
   * under way or comes may be, until what it holds has been seen and adopted.
   */
  branch(label: string): DatabaseModel {
    const branch = this.#copied(label, ({ outcome }) => outcome !== "refused");
    this.#branches.add(branch);
    return branch;
  }

  /** All that is known of it, in another world: what is learned there is not learned here. */
  echo(copies: Copies, nextId: () => number): DatabaseModel {
    return copies.of(this, () => {
      const echo = copies.put(this, new DatabaseModel(this.label, nextId));
      for (const each of this.#submitted) echo.#take(copies.of(each, (was) => ({ ...was })));
      echo.#acknowledged.push(...this.#acknowledged);
      for (const id of this.#revealed) echo.#revealed.add(id);
      echo.#shown = this.#shown;
      for (const branch of this.#branches) echo.#branches.add(branch.echo(copies, nextId));
      return echo;
    });
  }

  /** As it was when it held exactly these. */
  asOf(ids: readonly number[], label: string): DatabaseModel {
    const copy = this.copy(label);
    copy.adopt(ids);
    return copy;
  }

  /** Nothing is under way any more: what a branch does not hold by now never comes. */
  calm(): void {
    this.#branches.clear();
  }

  /** Of those that were acknowledged, the ones that every moment must have which has a later id. */
  owedBefore(id: number): number[] {
    return this.#submitted.flatMap(({ id: own, knownAt }) =>
      knownAt !== undefined && knownAt < id ? [own] : [],
    );
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.length;
  }

  /** A queued transaction whose outcome nobody knows yet. */
  newestPending(): Submitted | undefined {
    return this.#submitted.findLast(({ outcome, queued }) => outcome === "pending" && queued);
  }

  submit({ kind, queued = true, apply = () => {} }: NewTransaction): Submitted {
    const after = this.#acknowledged.length;
    const id = this.#nextId();
    const made = { id, kind, queued, apply, after } as const;
    const submitted: Submitted = { ...made, outcome: "pending", knownAt: undefined };
    this.#take(submitted);
    for (const branch of this.#branches) branch.#take(submitted);
    return submitted;
  }

  acknowledge(transaction: Submitted): void {
    transaction.outcome = "acknowledged";
    transaction.knownAt = this.#nextId();
    this.#acknowledged.push(transaction.id);
  }

  /** A read that began when so many were acknowledged has shown these. */
  show(ids: readonly number[], acknowledgedBefore: number): void {
    const problem = this.problemWith(ids, { acknowledged: acknowledgedBefore, holes: true });
    promise(problem === undefined, () => `${this.label}: a read shows ${problem}`);
    if (ids.length > this.#shown.length) this.#shown = ids;
  }

  /** An error has told that it is there. */
  reveal(id: number): void {
    this.#revealed.add(id);
  }

  /**
   * Why the store may not present these transactions, if it may not. `acknowledged`: how many of
   * the acknowledged must be there. `holes`: refusals may have come without anybody hearing of them.
   */
  problemWith(
    ids: readonly number[],
    { acknowledged, holes }: { readonly acknowledged?: number; readonly holes: boolean },
  ): string | undefined {
    const positions = new Map(ids.map((id, at) => [id, at]));
    if (positions.size !== ids.length) return `a transaction twice: ${ids}`;
    for (const id of ids) {
      const outcome = this.#byId.get(id)?.outcome;
      if (outcome === undefined) return `transaction ${id}, which was never submitted or was lost`;
      if (outcome === "refused") return `transaction ${this.#describe(id)}, which was refused`;
    }
    const owed = this.#acknowledged.slice(0, acknowledged);
    if (acknowledged === undefined) owed.push(...this.#revealed);
    const lost = owed.find((id) => !positions.has(id));
    if (lost !== undefined) return `no ${this.#describe(lost)}, which was acknowledged or revealed`;
    return this.#misplaced(ids, acknowledged) ?? this.#disorder(positions, holes);
  }

  /** After a crash: these are there, and whatever else was under way is lost. */
  adopt(ids: readonly number[]): void {
    const there = new Set(ids);
    for (const each of this.#submitted.splice(0)) {
      if (there.has(each.id)) each.outcome = "acknowledged";
      else this.#byId.delete(each.id);
    }
    const kept = ids.map((id) => this.#byId.get(id));
    for (const each of kept) if (each !== undefined) this.#submitted.push(each);
    this.#acknowledged.splice(0, this.#acknowledged.length, ...ids);
    this.#revealed.clear();
    this.#branches.clear();
    this.#shown = [...ids];
  }

  /** What the tables hold after these transactions. */
  stateAfter(ids: readonly number[]): State {
    const state = new State();
    for (const id of ids) {
      const transaction = this.#byId.get(id);
      if (transaction === undefined) throw new BrokenPromise(`${id} is not of ${this.label}`);
      transaction.apply(state);
    }
    return state;
  }

  #take(submitted: Submitted): void {
    this.#submitted.push(submitted);
    this.#byId.set(submitted.id, submitted);
  }

  #copied(label: string, isIn: (each: Submitted) => boolean): DatabaseModel {
    const copy = new DatabaseModel(label, this.#nextId);
    for (const each of this.#submitted) if (isIn(each)) copy.#take(each);
    copy.#acknowledged.push(...this.#acknowledged);
    return copy;
  }

  /** See (3). A read may be older than one that was shown before, when they ran side by side. */
  #misplaced(ids: readonly number[], acknowledged: number | undefined): string | undefined {
    const mayBeShorter = acknowledged !== undefined;
    const length = mayBeShorter ? Math.min(ids.length, this.#shown.length) : this.#shown.length;
    for (let at = 0; at < length; at++) {
      if (ids[at] !== this.#shown[at]) {
        return `${ids.slice(0, at + 1)} where ${this.#shown.slice(0, at + 1)} was shown before`;
      }
    }
    return undefined;
  }

  /** See (1) and (2). */
  #disorder(positions: ReadonlyMap<number, number>, holes: boolean): string | undefined {
    const newest: number[] = [];
    for (const id of this.#acknowledged) {
      newest.push(Math.max(newest.at(-1) ?? -1, positions.get(id) ?? -1));
    }
    let previous = -1;
    let missing: Submitted | undefined;
    for (const transaction of this.#submitted) {
      const at = positions.get(transaction.id);
      if (at === undefined) {
        if (transaction.queued && transaction.outcome !== "refused") missing ??= transaction;
        continue;
      }
      const { id, after, queued } = transaction;
      if (after > 0 && at < (newest[after - 1] ?? -1)) {
        return `${this.#describe(id)} before one that was acknowledged when it was submitted`;
      }
      if (!queued) continue;
      if (at < previous) return `${this.#describe(id)} before one that was called before it`;
      previous = at;
      if (missing !== undefined && !holes) {
        return `${this.#describe(id)} without ${this.#describe(missing.id)}, called before it`;
      }
    }
    return undefined;
  }

  #describe(id: number): string {
    const known = this.#byId.get(id);
    return known === undefined ? `${id}` : `${id} (${known.kind}, ${known.outcome})`;
  }
}
