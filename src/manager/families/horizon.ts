/**
 * THE HORIZON: the LSN below which nothing of the past is promised any more. Pure.
 *
 *     c1 ──────── c2 ───────── c3 ──────── c4 (newest checkpoint) ──────► log in flight
 *                 └ horizon       │ now − historyMs
 *
 * (1) It is a checkpoint of the store, the newest that is at least `historyMs` old: any moment from
 *     there on is the state of that checkpoint, or a later one, and a replay of log above it.
 * (2) What history takes of the disk counts before its age: the horizon is not lower than the floor
 *     that the log gives. Where no checkpoint lies between the floor and the newest one, there is no
 *     history but the log in flight.
 * (3) It never falls, whatever the clock does. A clock that is set forward ends history early; one
 *     that is set back leaves it to `historyBytes` to end it.
 */
import { LSN_ZERO, type Lsn, laterLsn } from "../../base/units.ts";

export interface HorizonFacts {
  /** Of the store, oldest first. */
  readonly checkpoints: readonly { readonly lsn: Lsn; readonly createdAtMs: number }[];
  readonly nowMs: number;
  readonly historyMs: number;
  /** History above it takes as much of the disk as it may. */
  readonly floorLsn: Lsn;
  /** Where the horizon was. */
  readonly passedLsn: Lsn;
}

export function horizonOf(facts: HorizonFacts): Lsn {
  const { checkpoints, nowMs, historyMs, floorLsn, passedLsn } = facts;
  const old = checkpoints.findLast(({ createdAtMs }) => createdAtMs <= nowMs - historyMs);
  const byAge = laterLsn(passedLsn, old?.lsn ?? LSN_ZERO);
  if (byAge >= floorLsn) return byAge;
  return checkpoints.find(({ lsn }) => lsn >= floorLsn)?.lsn ?? floorLsn;
}
