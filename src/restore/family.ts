/**
 * ONE DATABASE OF A CATALOGUE THAT IS NOT OPEN, at a moment: its row, what it reads through, and how
 * far each of these is read. Rows come from a state of the manifest, what was done since then from
 * stream 0.
 *
 *     rows as of the state ─── entries ───► moment
 *
 * (1) Only rows that are needed are asked for: by the name, and then origin by origin.
 * (2) Of an origin nothing counts that came after the fork.
 */
import { StorageError } from "../base/errors.ts";
import { type Lsn, lsn, type StreamId } from "../base/units.ts";
import type { CatalogueEntry, DatabaseRow } from "../manifest/index.ts";

export interface EntryAt {
  readonly lsn: Lsn;
  readonly entry: CatalogueEntry;
}

/** Rows of the state. */
export interface RowLookup {
  byName(name: string): Promise<StreamId | undefined>;
  byStream(stream: StreamId): Promise<DatabaseRow | undefined>;
}

export interface FamilyMember
  extends Pick<DatabaseRow, "stream" | "name" | "engine" | "pageBytes" | "family"> {
  readonly state: DatabaseRow["state"];
  /** What it reads through. */
  readonly origin: { readonly stream: StreamId; readonly lsn: Lsn } | undefined;
  /** As the state has it; undefined for what was made since. */
  readonly row: DatabaseRow | undefined;
  /** Its commits count up to here. */
  readonly upToLsn: Lsn;
}

export interface FamilyWanted {
  readonly name: string;
  readonly upToLsn: Lsn;
  /** Behind the state, in order. */
  readonly entries: readonly EntryAt[];
}

/**
 * The database, then its origins, one behind the other. Throws BOP_NOT_FOUND if there was no live
 * database of that name.
 */
export async function familyAt(
  rows: RowLookup,
  { name, upToLsn, entries }: FamilyWanted,
): Promise<readonly [FamilyMember, ...FamilyMember[]]> {
  const candidates = new Set<StreamId>();
  const named = await rows.byName(name);
  if (named !== undefined) candidates.add(named);
  for (const { entry } of entries) {
    if ("name" in entry && entry.name === name) candidates.add(entry.stream);
  }
  for (const stream of candidates) {
    const found = await memberAt(rows, { stream, upToLsn, entries });
    if (found?.state === "live" && found.name === name) {
      return [found, ...(await originsOf(rows, found, entries))];
    }
  }
  const message = `there was no database named ${JSON.stringify(name)} at LSN ${upToLsn}`;
  throw new StorageError("BOP_NOT_FOUND", message, { details: { database: name } });
}

async function originsOf(
  rows: RowLookup,
  member: FamilyMember,
  entries: readonly EntryAt[],
): Promise<FamilyMember[]> {
  const origins: FamilyMember[] = [];
  let { origin, upToLsn } = member;
  while (origin !== undefined) {
    upToLsn = lsn(Math.min(upToLsn, origin.lsn));
    const found = await memberAt(rows, { stream: origin.stream, upToLsn, entries });
    if (found === undefined) throw missing(origin.stream);
    origins.push(found);
    origin = found.origin;
  }
  return origins;
}

interface MemberWanted extends Omit<FamilyWanted, "name"> {
  readonly stream: StreamId;
}

/** Undefined for a stream that is no database. */
async function memberAt(
  rows: RowLookup,
  { stream, upToLsn, entries }: MemberWanted,
): Promise<FamilyMember | undefined> {
  const row = await rows.byStream(stream);
  let member: FamilyMember | undefined = row && memberOf(row, upToLsn);
  for (const { entry } of entries) {
    if (entry.stream === stream) member = after(member, entry, upToLsn);
  }
  return member;
}

function memberOf(row: DatabaseRow, upToLsn: Lsn): FamilyMember {
  const { stream, name, engine, pageBytes, family, state, flat } = row;
  const origin = flat ? undefined : row.origin;
  return { stream, name, engine, pageBytes, family, state, origin, row, upToLsn };
}

function after(
  member: FamilyMember | undefined,
  entry: CatalogueEntry,
  upToLsn: Lsn,
): FamilyMember | undefined {
  switch (entry.type) {
    case "create":
    case "fork": {
      const { stream, name, engine, pageBytes } = entry;
      const isFork = entry.type === "fork";
      const [family, origin] = isFork ? [entry.family, entry.origin] : [stream, undefined];
      const state = entry.importing ? "importing" : "live";
      const made = { stream, name, engine, pageBytes, family, state, origin, upToLsn } as const;
      return { ...made, row: undefined };
    }
    case "rename":
      return member && { ...member, name: entry.name };
    case "publish":
      return member && { ...member, state: "live" };
    case "drop":
      return member && { ...member, state: "dropped" };
    default:
      return member; // Snapshots, and record logs.
  }
}

function missing(stream: StreamId): StorageError {
  const why = `the origin of a fork, stream ${stream}, is missing`;
  const file = "the manifest in the bucket";
  const details = { file, offset: 0, why };
  return new StorageError("BOP_CORRUPT", `${file} is damaged: ${why}`, { details });
}
