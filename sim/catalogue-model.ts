/**
 * THE MODEL OF THE CATALOGUE: which databases may be there, and under which names. Changes are
 * commits of one stream in the order of their calls, so what a crash leaves is what some number of
 * them made, and at least all that were acknowledged or shown.
 *
 * (1) A name says nothing about what lies under it: a dropped name is used again. Which database it
 *     is, its transactions tell; their ids are used once in a run.
 */
import type { Copies } from "./copies.ts";
import { DatabaseModel } from "./database-model.ts";
import { promise } from "./failure.ts";

type Change =
  | { readonly type: "create"; readonly name: string }
  | { readonly type: "rename"; readonly name: string }
  | { readonly type: "drop" };

export interface SubmittedChange {
  readonly change: Change;
  readonly database: DatabaseModel;
  outcome: "pending" | "acknowledged" | "refused" | "unknown";
}

export type Names = ReadonlyMap<string, DatabaseModel>;

export class CatalogueModel {
  #settled: Names = new Map();
  #changes: SubmittedChange[] = [];
  /** At least so many of the changes are known to have happened. */
  #owed = 0;
  #lastId = 0;
  #lastDatabase = 0;

  /** All that is known of it, in another world. */
  echo(copies: Copies): CatalogueModel {
    const echo = new CatalogueModel();
    echo.#lastId = this.#lastId;
    echo.#lastDatabase = this.#lastDatabase;
    echo.#owed = this.#owed;
    const same = (model: DatabaseModel) => echo.echoOf(model, copies);
    echo.#settled = new Map([...this.#settled].map(([name, model]) => [name, same(model)]));
    echo.#changes = this.#changes.map((each) => ({ ...each, database: same(each.database) }));
    return echo;
  }

  /** Of a model that is in this one, or that is known besides. */
  echoOf(model: DatabaseModel, copies: Copies): DatabaseModel {
    return model.echo(copies, () => ++this.#lastId);
  }

  /** As it is if nothing under way fails. */
  get current(): Names {
    return this.#after(this.#changes.length);
  }

  /** Changes that must be there. Taken before a list is asked for, and given to `show`. */
  get owed(): number {
    return this.#owed;
  }

  /** An empty database, or an import of what another one holds. */
  create(name: string, source?: DatabaseModel): SubmittedChange {
    const label = this.#label(name);
    const database = source?.copy(label) ?? new DatabaseModel(label, () => ++this.#lastId);
    return this.#submit({ type: "create", name }, database);
  }

  /** A fork of what another one holds now, while others may write to it. */
  fork(name: string, origin: DatabaseModel): SubmittedChange {
    return this.#submit({ type: "create", name }, origin.branch(this.#label(name)));
  }

  rename(database: DatabaseModel, name: string): SubmittedChange {
    return this.#submit({ type: "rename", name }, database);
  }

  drop(database: DatabaseModel): SubmittedChange {
    return this.#submit({ type: "drop" }, database);
  }

  acknowledge(submitted: SubmittedChange): void {
    submitted.outcome = "acknowledged";
    this.#owed = Math.max(this.#owed, this.#changes.indexOf(submitted) + 1);
  }

  /** A list that was asked for when `owed` changes had to be there has shown these names. */
  show(names: readonly string[], owed: number): void {
    const candidates = this.#candidates(names, owed);
    promise(candidates.length > 0, () => {
      const all = [...this.current.keys()].sort();
      return `a list shows [${names}], which no moment held; the newest is [${all}]`;
    });
    this.#owed = Math.max(this.#owed, Math.min(...candidates));
  }

  /**
   * What the names that a recovered store lists stand for. `fits` says why a database cannot be
   * what lies under a name.
   */
  recover(
    names: readonly string[],
    fits: (name: string, database: DatabaseModel) => string | undefined,
  ): Names {
    const reasons: string[] = [];
    for (const count of this.#candidates(names, this.#owed)) {
      const candidate = this.#after(count);
      const problems = [...candidate].map(([name, database]) => fits(name, database));
      const problem = problems.find((each) => each !== undefined);
      if (problem === undefined) {
        this.#settled = candidate;
        this.#changes = [];
        this.#owed = 0;
        return candidate;
      }
      reasons.push(problem);
    }
    const newest = [...this.current.keys()].sort();
    const why = reasons.length > 0 ? reasons.join("; or ") : `newest is [${newest}]`;
    promise(false, `recovered [${names}] is no state that it may be in: ${why}`);
    return this.#settled;
  }

  #label(name: string): string {
    return `${name}#${++this.#lastDatabase}`;
  }

  #submit(change: Change, database: DatabaseModel): SubmittedChange {
    const submitted: SubmittedChange = { change, database, outcome: "pending" };
    this.#changes.push(submitted);
    return submitted;
  }

  /** Numbers of changes after which exactly these names are there. */
  #candidates(names: readonly string[], owed: number): number[] {
    const sorted = [...names].sort().join("\n");
    const counts: number[] = [];
    for (let count = owed; count <= this.#changes.length; count++) {
      if ([...this.#after(count).keys()].sort().join("\n") === sorted) counts.push(count);
    }
    return counts;
  }

  #after(count: number): Names {
    const names = new Map(this.#settled);
    for (const { change, database, outcome } of this.#changes.slice(0, count)) {
      if (outcome === "refused") continue;
      if (change.type !== "create") {
        for (const [name, each] of names) if (each === database) names.delete(name);
      }
      if (change.type !== "drop") names.set(change.name, database);
    }
    return names;
  }
}
