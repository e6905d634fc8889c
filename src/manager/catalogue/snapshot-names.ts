/**
 * NAMES OF SNAPSHOTS: which moments are kept, of which database or (stream 0) of all, under which
 * name. The catalogue's; see its invariants.
 *
 * (1) A name is taken once per database, and once for the store.
 * (2) What a change replaced is kept until the change is durable: `at` shows what was.
 */
import { assert } from "../../base/assert.ts";
import { LSN_ZERO, type Lsn, type StreamId } from "../../base/units.ts";
import type { SnapshotRow } from "../../manifest/index.ts";
import type { NamedMoment } from "./catalogue-row.ts";
import { compare } from "./name-index.ts";

interface Replaced {
  readonly lsn: Lsn;
  readonly stream: StreamId;
  readonly name: string;
  /** Undefined where there was none. */
  readonly before: NamedMoment | undefined;
}

/** Snapshots as they were at an LSN. */
export interface SnapshotsAt {
  /** In order of name. */
  of(stream: StreamId): NamedMoment[];
  count(stream: StreamId): number;
}

export class SnapshotNames {
  readonly #byStream = new Map<StreamId, Map<string, NamedMoment>>();
  /** See (2). In order of LSN. */
  readonly #replaced: Replaced[] = [];

  constructor(rows: readonly SnapshotRow[]) {
    for (const row of rows) this.#set({ ...row, entryLsn: LSN_ZERO });
  }

  find(stream: StreamId, name: string): NamedMoment | undefined {
    return this.#byStream.get(stream)?.get(name);
  }

  /** In no order. */
  of(stream: StreamId): NamedMoment[] {
    return [...(this.#byStream.get(stream)?.values() ?? [])];
  }

  add(row: NamedMoment): void {
    const { stream, name, entryLsn } = row;
    const before = this.find(stream, name);
    assert(before === undefined, () => `snapshot ${name} of stream ${stream} is there already`);
    this.#replaced.push({ lsn: entryLsn, stream, name, before });
    this.#set(row);
  }

  /** At the LSN of the entry that says so. */
  remove({ stream, name }: NamedMoment, lsn: Lsn): void {
    const before = this.find(stream, name);
    assert(before !== undefined, () => `there is no snapshot ${name} of stream ${stream}`);
    this.#replaced.push({ lsn, stream, name, before });
    const names = this.#byStream.get(stream);
    names?.delete(name);
    if (names?.size === 0) this.#byStream.delete(stream);
  }

  /** Nobody asks for what was before this LSN any more. */
  settle(durableLsn: Lsn): void {
    let settled = 0;
    while ((this.#replaced[settled]?.lsn ?? Number.POSITIVE_INFINITY) <= durableLsn) settled += 1;
    if (settled > 0) this.#replaced.splice(0, settled);
  }

  /** What there is, less what became of it behind an LSN. */
  at(durableLsn: Lsn): SnapshotsAt {
    const undone = this.#replaced.filter(({ lsn }) => lsn > durableLsn).reverse();
    const of = (stream: StreamId): NamedMoment[] => {
      const names = new Map(this.#byStream.get(stream));
      for (const { stream: of, name, before } of undone) {
        if (of !== stream) continue;
        if (before === undefined) names.delete(name);
        else names.set(name, before);
      }
      return [...names.values()].sort((a, b) => compare(a.name, b.name));
    };
    const touched = new Set(undone.map(({ stream }) => stream));
    const count = (stream: StreamId): number =>
      touched.has(stream) ? of(stream).length : (this.#byStream.get(stream)?.size ?? 0);
    return { of, count };
  }

  #set(row: NamedMoment): void {
    const names = this.#byStream.get(row.stream);
    if (names === undefined) this.#byStream.set(row.stream, new Map([[row.name, row]]));
    else names.set(row.name, row);
  }
}
