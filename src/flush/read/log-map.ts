/**
 * WHERE THE LOG LIES IN A BUCKET: which log object holds an LSN, and how far the log goes from there.
 *
 * (1) Over all objects and epochs LSNs and times ascend, so that a few headers find any of them.
 * (2) Consecutive numbers of an epoch hold log without a hole. Where a number is missing, and where
 *     an epoch begins, the ends are compared: there the log may have been deleted, or lost.
 * (3) A hole was given up if the object behind it says so, and the epoch before it has all its objects
 *     up to its fence. Any other is of log that is not there any more.
 */
import { INDEXED_OBJECTS, isIndexNumber } from "../format/index-object.ts";
import type { LogHeader, ObjectHeader } from "../format/object-header.ts";
import { ObjectMap } from "./object-map.ts";
import type { ObjectReader, ObjectRef } from "./object-reader.ts";

export interface LogRange {
  readonly fromLsn: number;
  readonly toLsn: number;
}

export interface LogEnd {
  /** End of its last batch. */
  readonly lsn: number;
  /** When that was written. */
  readonly wallMs: number;
}

/** Where log begins. */
export interface LogStart {
  readonly lsn: number;
  /** See (3). */
  readonly isGivenUp: boolean;
}

export class LogMap {
  readonly #reader: ObjectReader;
  readonly map: ObjectMap;

  private constructor(reader: ObjectReader, map: ObjectMap) {
    this.#reader = reader;
    this.map = map;
  }

  static async load(reader: ObjectReader): Promise<LogMap> {
    return new LogMap(reader, await ObjectMap.load(reader, "wal"));
  }

  /** The last log object. Undefined if there is none. */
  async last(): Promise<LogHeader | undefined> {
    const at = await this.map.lastWhere(() => true);
    return at < 0 ? undefined : this.#headerAt(at);
  }

  /** The last log object that begins at this LSN or before it. */
  async lastFrom(lsn: number): Promise<LogHeader | undefined> {
    const at = await this.map.lastWhere((header) => asLog(header).firstLsn <= lsn);
    return at < 0 ? undefined : this.#headerAt(at);
  }

  /** The last log object whose first batch was written at this time or before. */
  async lastAt(wallMs: number): Promise<LogHeader | undefined> {
    const at = await this.map.lastWhere((header) => asLog(header).firstWallMs <= wallMs);
    return at < 0 ? undefined : this.#headerAt(at);
  }

  /** How far the log goes without a hole; undefined if it is not there at `fromLsn`. */
  async reach(fromLsn: number): Promise<LogEnd | undefined> {
    const first = await this.lastFrom(fromLsn);
    if (first === undefined || fromLsn > first.endLsn) return undefined;
    let at = this.map.indexOf(refOf(first));
    while (await this.#goesOn(at)) at += 1;
    const { endLsn, lastWallMs } = await this.#headerAt(at);
    return { lsn: endLsn, wallMs: lastWallMs };
  }

  /** Where the log goes on from an LSN: there, or behind a hole; undefined if nowhere. */
  async goesOnAt(lsn: number): Promise<LogStart | undefined> {
    const before = await this.lastFrom(lsn);
    if (before !== undefined && lsn < before.endLsn) return { lsn, isGivenUp: false };
    let at = before === undefined ? 0 : this.map.indexOf(refOf(before)) + 1;
    for (; at < this.map.refs.length; at += 1) {
      const header = await this.map.header(this.map.refs[at] as ObjectRef);
      if (header?.kind !== "log") continue; // Deleted since it was listed.
      const isGivenUp = header.gap && before !== undefined && (await this.#isLast(before));
      return { lsn: header.firstLsn, isGivenUp };
    }
    return undefined;
  }

  /**
   * The objects that hold a range, in order: from the one that holds `fromLsn`. Their numbers are
   * without a hole; whoever reads them compares their ends. Throws BOP_SINK_CORRUPT if one is missing.
   */
  async holding({ fromLsn, toLsn }: LogRange): Promise<ObjectRef[]> {
    if (fromLsn >= toLsn) return [];
    const first = await this.lastFrom(fromLsn);
    if (first === undefined) throw this.#hole(fromLsn);
    const last = await this.lastFrom(toLsn - 1);
    if (last === undefined || last.endLsn < toLsn) throw this.#hole(last?.endLsn ?? toLsn);
    const refs: ObjectRef[] = [refOf(first)];
    for (let ref = refOf(first); !isSame(ref, last); refs.push(ref)) {
      const next = this.map.refs[this.map.indexOf(ref) + 1];
      const follower = following(ref);
      if (next !== undefined && (isSame(next, follower) || next.epoch !== ref.epoch)) ref = next;
      else if (await this.map.has(follower)) ref = follower;
      else throw this.#reader.missing(follower);
    }
    return refs;
  }

  /** The log object before this one, whatever its epoch. */
  before(ref: ObjectRef): ObjectRef | undefined {
    return this.map.refs[this.map.indexOf(ref) - 1];
  }

  /** The index object that speaks of this log object, if it is there. */
  indexOver({ epoch, number }: ObjectRef): ObjectRef | undefined {
    const group = Math.floor(number / (INDEXED_OBJECTS + 1));
    const index = { kind: "wal", epoch, number: group * (INDEXED_OBJECTS + 1) + INDEXED_OBJECTS };
    const ref = index as ObjectRef;
    return this.map.hasIndex(ref) ? ref : undefined;
  }

  /** Whether the log goes on from the object at this place to the next one. See (2). */
  async #goesOn(at: number): Promise<boolean> {
    const ref = this.map.refs[at] as ObjectRef;
    const next = this.map.refs[at + 1];
    if (next === undefined) return false;
    const follower = following(ref);
    if (isSame(next, follower)) return true;
    if (next.epoch === ref.epoch) return this.map.has(follower);
    const [before, after] = [await this.#headerAt(at), await this.map.header(next)];
    if (after === undefined) return false;
    return asLog(after).firstLsn === before.endLsn;
  }

  /** Whether the fence of its epoch stands behind an object. */
  async #isLast({ epoch, number }: LogHeader): Promise<boolean> {
    const next = await this.map.header(refOf({ epoch, number: number + 1 }));
    if (next?.kind !== "index") return next?.kind === "fence";
    return (await this.map.header(refOf({ epoch, number: number + 2 })))?.kind === "fence";
  }

  async #headerAt(at: number): Promise<LogHeader> {
    const ref = this.map.refs[at] as ObjectRef;
    const header = await this.map.header(ref);
    if (header === undefined) throw this.#reader.missing(ref);
    if (header.kind !== "log")
      throw this.#reader.corrupt(ref, `it is no log object: ${header.kind}`);
    return header;
  }

  #hole(lsn: number) {
    return this.#reader.corruptAt("wal/", `the log is not there at LSN ${lsn}`);
  }
}

/** Where the log is asked for there are no others: index objects have numbers of their own. */
function asLog(header: ObjectHeader): Pick<LogHeader, "firstLsn" | "firstWallMs"> {
  return header.kind === "log" || header.kind === "index"
    ? header
    : { firstLsn: Number.POSITIVE_INFINITY, firstWallMs: Number.POSITIVE_INFINITY };
}

export function refOf({ epoch, number }: Pick<LogHeader, "epoch" | "number">): ObjectRef {
  return { kind: "wal", epoch, number };
}

/** The number of the next log object of the epoch. */
function following({ epoch, number }: ObjectRef): ObjectRef {
  const next = number + 1;
  return refOf({ epoch, number: isIndexNumber(next) ? next + 1 : next });
}

function isSame(
  a: Pick<ObjectRef, "epoch" | "number"> | undefined,
  b: Pick<ObjectRef, "epoch" | "number">,
): boolean {
  return a?.epoch === b.epoch && a.number === b.number;
}
