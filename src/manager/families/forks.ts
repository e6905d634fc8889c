/**
 * FORKS: databases that begin as another one was at a moment, and share its pages from there on.
 *
 * (1) A fork of now, or of a snapshot, is one entry of the catalogue, whatever the size: no page is
 *     read or written for it.
 * (2) A fork of now has every commit that was in memory when its entry was sealed. Its caller's own
 *     statements that still waited were run before, if the writer was free.
 * (3) Whoever forks is told when the entry is durable; what it forked is durable then too.
 * (4) An origin that is dropped while its fork waits at the door is BOP_DROPPED, and nothing was
 *     done. Of two forks that want one name one gets it, and the other BOP_EXISTS.
 */
import type { Lsn, StreamId } from "../../base/units.ts";
import type { Log } from "../../write/index.ts";
import type { Catalogue } from "../catalogue/catalogue.ts";
import { type DatabaseName, databaseName } from "../catalogue/names.ts";
import type { Door } from "../opening/door.ts";
import type { OpenDatabase } from "../queries/open-database.ts";
import type { Session } from "../queries/session.ts";
import { refuseUnknown } from "../refuse-unknown.ts";
import type { ForkOptions } from "./family.ts";
import type { Snapshots } from "./snapshots.ts";

/** A database in the hands of who forks it. */
export interface ForkPlace {
  readonly database: OpenDatabase;
  readonly session: Session;
}

/** A moment that has gone by. */
export type PastMoment = Date | { readonly lsn: number };

export interface ForkGround {
  readonly catalogue: Catalogue;
  readonly log: Pick<Log, "newestLsn">;
  readonly door: Door;
  readonly snapshots: Snapshots;
  readonly wallMs: () => number;
  /** At the level of that database. */
  readonly durable: (lsn: Lsn, stream: StreamId) => Promise<void>;
  readonly open: (stream: StreamId) => Promise<OpenDatabase>;
  /** Makes a fork of a moment within the history; resolves with its stream when it is published. */
  readonly forkPast: (
    origin: OpenDatabase,
    at: PastMoment,
    name: DatabaseName,
  ) => Promise<StreamId>;
}

export class Forks {
  readonly #ground: ForkGround;

  constructor(ground: ForkGround) {
    this.#ground = ground;
  }

  async fork(place: ForkPlace, name: string, options: ForkOptions = {}): Promise<OpenDatabase> {
    refuseUnknown("fork", options, ["at"]);
    const checked = databaseName(name);
    const at = momentOf(options.at);
    const { database } = place;
    const { open, durable, forkPast } = this.#ground;
    database.assertOpen();
    if (at !== undefined && !("snapshot" in at)) {
      return open(await forkPast(database, at, checked));
    }
    const { stream, lsn } = await this.#seal(place, checked, at?.snapshot);
    const fork = await open(stream);
    await durable(lsn, stream);
    fork.assertOpen();
    return fork;
  }

  async #seal(place: ForkPlace, name: DatabaseName, snapshot: string | undefined) {
    const { catalogue, log, door, snapshots, wallMs } = this.#ground;
    const { database, session } = place;
    const { stream } = database.options;
    const opened = door.enter();
    if (opened !== undefined) await opened;
    database.assertOpen(); // It may have been dropped meanwhile.
    database.catchUp(session);
    const lsn = snapshot === undefined ? log.newestLsn : snapshots.find(stream, snapshot).lsn;
    const origin = { stream, lsn };
    return catalogue.fork({ name, origin, createdAtMs: wallMs(), importing: false });
  }
}

/** What `at` was given, checked. Throws TypeError and RangeError. */
export function momentOf(at: ForkOptions["at"], what = "fork"): ForkOptions["at"] {
  if (at === undefined) return undefined;
  if (at instanceof Date) {
    if (Number.isNaN(at.getTime())) throw new RangeError(`${what}: at is an invalid Date`);
    return at;
  }
  if (typeof at === "object" && at !== null) {
    const keys = Object.keys(at);
    if (keys.length === 1 && "snapshot" in at && typeof at.snapshot === "string") return at;
    if (keys.length === 1 && "lsn" in at && typeof at.lsn === "number") {
      if (Number.isSafeInteger(at.lsn) && at.lsn >= 0) return at;
      throw new RangeError(`${what}: at.lsn is ${at.lsn}; want a position in the log`);
    }
  }
  throw new TypeError(`${what}: at is a Date, { lsn } or { snapshot }`);
}
