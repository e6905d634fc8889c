/** What writer, checker and torture have to agree on. */

export const ACCOUNTS = 8;
export const BALANCE = 1000;

export const databaseName = (at: number): string => `tenant-${at}`;

/** What the checker found in one database. */
export interface Found {
  readonly name: string;
  /** 2, or 0 where a kill came between the creation of the database and that of its tables. */
  readonly tables: number;
  /** In the order of their commits. */
  readonly ids: readonly string[];
  readonly transfers: number;
  readonly money: number;
  readonly verdict: string;
}

/** What must be in a store, as its writers have told. */
export class Ledger {
  /** By database and id: when the parent was told. */
  readonly #acknowledged = new Map<string, Map<string, number>>();
  /** As the last check found them: they stay, in this order. */
  readonly #found = new Map<string, readonly string[]>();

  acknowledge(database: string, id: string, atMs: number): void {
    const ids = this.#acknowledged.get(database) ?? new Map<string, number>();
    ids.set(id, atMs);
    this.#acknowledged.set(database, ids);
  }

  /** What is not there is expected no longer. Returns when each of them was acknowledged. */
  forgetLost(found: readonly Found[]): number[] {
    const times: number[] = [];
    for (const [name, ids] of this.#acknowledged) {
      const there = new Set(found.find((each) => each.name === name)?.ids);
      for (const [id, atMs] of ids) {
        if (there.has(id)) continue;
        ids.delete(id);
        times.push(atMs);
      }
      if (ids.size === 0) this.#acknowledged.delete(name);
    }
    return times;
  }

  /** Everything that is wrong, in words. `round` is the newest that may have written. */
  problems(found: readonly Found[], round: number): string[] {
    const problems: string[] = [];
    for (const name of this.#acknowledged.keys()) {
      if (!found.some((each) => each.name === name)) problems.push(`${name} is gone`);
    }
    for (const each of found) problems.push(...this.#problemsOf(each, round));
    return problems;
  }

  #problemsOf({ name, ids, money, tables, verdict }: Found, round: number): string[] {
    const problems: string[] = [];
    if (verdict !== "ok") problems.push(`${name} is damaged: ${verdict}`);
    if (tables !== 0 && tables !== 2) problems.push(`${name} has half of its tables`);
    if (tables === 2 && money !== ACCOUNTS * BALANCE) problems.push(`${name} holds ${money}`);
    const there = new Set(ids);
    if (there.size !== ids.length) problems.push(`${name} has a row twice`);
    for (const id of this.#acknowledged.get(name)?.keys() ?? []) {
      if (!there.has(id)) problems.push(`${name} has lost ${id}, which was acknowledged`);
    }
    const before = this.#found.get(name) ?? [];
    const changed = before.findIndex((id, at) => ids[at] !== id);
    if (changed >= 0) problems.push(`${name} has ${ids[changed]} where ${before[changed]} was`);
    for (const id of ids.slice(before.length)) {
      if (!id.startsWith(`${round}.`))
        problems.push(`${name} has ${id}, which is not of this round`);
    }
    this.#found.set(name, ids);
    return problems;
  }
}
