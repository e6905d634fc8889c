/**
 * WHAT IS KNOWN OF MOMENTS over all lives of a store: snapshots that were asked for, and marks, which
 * are instants at which nothing was under way, so that what every database held is known.
 *
 * (1) A moment that is taken while others write is not known before somebody looks: it has what was
 *     acknowledged before, a beginning of what its database has in the end, and from the first look
 *     on exactly that (`DatabaseModel.branch`).
 * (2) A moment of the store has no transaction of one database without those of the others that
 *     somebody knew of when it was submitted.
 * (3) Names of snapshots are used once in a run.
 */
import type { DatabaseModel } from "../database-model.ts";
import { promise } from "../failure.ts";

/** A snapshot, and what it must show of whom. */
export interface Kept {
  readonly name: string;
  /** Undefined: of the store. */
  readonly owner: DatabaseModel | undefined;
  readonly moments: ReadonlyMap<DatabaseModel, DatabaseModel>;
  outcome: "pending" | "acknowledged" | "refused" | "unknown";
  /** It may be gone: somebody has asked for that, and nobody was told how it ended. */
  mayBeGone: boolean;
  /** What it holds has been seen. */
  isSettled: boolean;
}

/** A fork of now, until what it holds has been seen. */
export interface Begun {
  readonly model: DatabaseModel;
  readonly origin: DatabaseModel;
}

export interface Mark {
  readonly lsn: number;
  readonly wallMs: number;
  readonly held: ReadonlyMap<DatabaseModel, readonly number[]>;
}

const MARKS_MAX = 16;

export class MomentRecord {
  readonly kept: Kept[] = [];
  readonly begun = new Map<DatabaseModel, Begun>();
  marks: readonly Mark[] = [];
  #names = 0;

  /** All that is known of moments, in another world; `same` is what each model is there. */
  echo(same: (model: DatabaseModel) => DatabaseModel): MomentRecord {
    const echo = new MomentRecord();
    for (const { owner, moments, ...kept } of this.kept) {
      const pairs = [...moments].map(([of, moment]) => [same(of), same(moment)] as const);
      echo.kept.push({ ...kept, owner: owner && same(owner), moments: new Map(pairs) });
    }
    for (const { model, origin } of this.begun.values()) {
      echo.begun.set(same(model), { model: same(model), origin: same(origin) });
    }
    return echo;
  }

  nextName(): string {
    this.#names += 1;
    return `moment ${this.#names}`;
  }

  mark(mark: Mark): void {
    this.marks = [...this.marks, mark].slice(-MARKS_MAX);
  }

  /** Positions that nothing durable was at when a crash came are given to others. */
  reopened(newestLsn: number): void {
    this.marks = this.marks.filter(({ lsn }) => lsn <= newestLsn);
  }

  forget(kept: Kept): void {
    const at = this.kept.indexOf(kept);
    if (at >= 0) this.kept.splice(at, 1);
  }
}

export interface Look {
  readonly branch: DatabaseModel;
  readonly ids: readonly number[];
  /** What the database has by now; undefined if it is gone. */
  readonly ofOrigin: readonly number[] | undefined;
  /** Refusals may have come without anybody hearing of them. */
  readonly holes: boolean;
}

/** The first look at a moment: see (1). */
export function settleMoment({ branch, ids, ofOrigin, holes }: Look): void {
  const problem = branch.problemWith(ids, { holes });
  promise(problem === undefined, () => `${branch.label}: its moment shows ${problem}`);
  const isBeginning = ofOrigin === undefined || ids.every((id, at) => id === ofOrigin[at]);
  promise(isBeginning, () => `${branch.label} shows ${ids}, its origin has ${ofOrigin}`);
  branch.adopt(ids);
}

/** See (2). Origins by what one moment has of them. */
export function assertOneMoment(seen: ReadonlyMap<DatabaseModel, readonly number[]>): void {
  const newest = Math.max(0, ...[...seen.values()].flat());
  for (const [origin, ids] of seen) {
    const missing = origin.owedBefore(newest).find((id) => !ids.includes(id));
    promise(
      missing === undefined,
      () => `${origin.label}: a moment has ${newest}, but not ${missing}, known before`,
    );
  }
}
