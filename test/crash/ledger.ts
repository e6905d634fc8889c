/** What writer, checker and torture have to agree on. */
import type { ManagerOptions } from "../../src/index.ts";

export const ACCOUNTS = 8;
export const BALANCE = 1000;

/** The only code that leaves it open whether a commit is there. */
const OPEN_OUTCOME = "BOP_OUTCOME_UNKNOWN";

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

/** What the checker says of a store. */
export type Looked = { readonly found: readonly Found[] } | { readonly problem: string };

/** What a writer is to do. */
export interface Task {
  readonly directory: string;
  readonly callers: number;
  readonly databases: number;
  /** Of the ids. */
  readonly round: number;
  /** Of the store, where they are not the writer's own. */
  readonly options?: Partial<ManagerOptions>;
  /** Callers go on when a call is refused, and tell. Default false: the writer ends. */
  readonly goesOn?: boolean;
}

/** Told by a writer, in a line. */
export type Told =
  | { readonly kind: "ready" }
  | { readonly kind: "acknowledged"; readonly database: string; readonly id: string }
  | {
      readonly kind: "refused";
      readonly database: string;
      readonly id: string;
      readonly code: string;
    }
  | { readonly kind: "closed-to-all"; readonly code: string };

/** Undefined where a kill cut the line off. */
export function parseTold(line: string): Told | undefined {
  const [kind, first = "", id = "", code = ""] = line.split(" ");
  if (kind === "R") return { kind: "ready" };
  if (kind === "A") return { kind: "acknowledged", database: first, id };
  if (kind === "X") return { kind: "refused", database: first, id, code };
  if (kind === "O") return { kind: "closed-to-all", code: first };
  return undefined;
}

/** What must be in a store, as its writers have told. */
export class Ledger {
  /** By database and id: when the parent was told. */
  readonly #acknowledged = new Map<string, Map<string, number>>();
  /** By database: refused with a code that says that nothing was done, and the code. */
  readonly #refused = new Map<string, Map<string, string>>();
  /** As the last check found them: they stay, in this order. */
  readonly #found = new Map<string, readonly string[]>();

  acknowledge(database: string, id: string, atMs: number): void {
    const ids = this.#acknowledged.get(database) ?? new Map<string, number>();
    ids.set(id, atMs);
    this.#acknowledged.set(database, ids);
  }

  refuse(database: string, id: string, code: string): void {
    if (code === OPEN_OUTCOME) return;
    const ids = this.#refused.get(database) ?? new Map<string, string>();
    ids.set(id, code);
    this.#refused.set(database, ids);
  }

  hear(told: Told, atMs = 0): void {
    if (told.kind === "acknowledged") this.acknowledge(told.database, told.id, atMs);
    else if (told.kind === "refused") this.refuse(told.database, told.id, told.code);
  }

  copy(): Ledger {
    const copy = new Ledger();
    for (const [name, ids] of this.#acknowledged) copy.#acknowledged.set(name, new Map(ids));
    for (const [name, ids] of this.#refused) copy.#refused.set(name, new Map(ids));
    for (const [name, ids] of this.#found) copy.#found.set(name, ids);
    return copy;
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
    for (const [id, code] of this.#refused.get(name) ?? []) {
      if (there.has(id)) problems.push(`${name} has ${id}, which was refused with ${code}`);
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
