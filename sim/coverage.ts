/**
 * WHAT A RUN HAS COVERED, from its tally: faults of disk and service that were injected, those that can
 * be and never were, the errors that callers were told, and the moves of the tables of states that were
 * never taken.
 */
import { allStateTables } from "../src/base/state-table.ts";
import { DAMAGE_KINDS } from "../src/io/index.ts";
import { SINK_FAULTS } from "../src/sink/simulated/faults.ts";
import type { Tally } from "./tally.ts";

const INJECTED = "injected: ";
const MOVE = "move: ";
const TOLD = ["errors: ", "opens that failed", "openings refused", "damage that was refused"];

const DISK_FAULTS = [
  ...["open", "read", "write", "sync", "create", "truncate", "preallocate", "rename", "unlink"].map(
    (operation) => `${operation} EIO`,
  ),
  ...["syncDirectory", "mkdir", "list", "stat"].map((operation) => `${operation} EIO`),
  ...["write", "create", "preallocate"].map((operation) => `${operation} ENOSPC`),
  ...["write", "sync", "read"].map((operation) => `${operation} hangs`),
  "no room",
  "stall of the event loop",
  ...DAMAGE_KINDS.flatMap((kind) => [`damage: ${kind}`, `damage met: ${kind}`]),
  ...["EIO", "ENOSPC"].flatMap((error) => ["kept", "lost"].map((is) => `manifest ${error}, ${is}`)),
];

/** What a line below says, and needs no line of its own. */
export const isCovered = (name: string): boolean =>
  [INJECTED, MOVE].some((prefix) => name.startsWith(prefix));

/** Lines of text. */
export function coverage(tally: Tally): string[] {
  const entries = tally.entries();
  const injected = entries.filter(([name]) => name.startsWith(INJECTED));
  const told = entries.filter(([name]) => TOLD.some((prefix) => name.startsWith(prefix)));
  const sinkFaults = Object.keys(SINK_FAULTS).map((fault) => `sink ${fault}`);
  const never = [...DISK_FAULTS, ...sinkFaults].filter((name) => tally.of(INJECTED + name) === 0);
  return [
    listed("faults injected", injected.map(countOf(INJECTED))),
    listed("faults never injected", never),
    listed("told to callers", told.map(countOf("errors: "))),
    ...moves(tally),
  ];
}

interface Move {
  readonly table: string;
  readonly from: string;
  readonly to: string;
}

/** Under which a move is counted. */
export const moveName = ({ table, from, to }: Move): string => `${MOVE}${table} ${from} → ${to}`;

function moves(tally: Tally): string[] {
  const all = allStateTables().flatMap((table) => {
    return table.moves().map((move) => moveName({ table: table.name, ...move }));
  });
  const never = all.filter((name) => tally.of(name) === 0);
  const taken = `${all.length - never.length} of ${all.length} moves of states were taken`;
  return [
    taken,
    listed(
      "moves never taken",
      never.map((name) => name.slice(MOVE.length)),
    ),
  ];
}

const countOf =
  (prefix: string) =>
  ([name, count]: readonly [string, number]): string =>
    `${name.startsWith(prefix) ? name.slice(prefix.length) : name} ${count}`;

function listed(what: string, items: readonly string[]): string {
  return `${what}: ${items.length === 0 ? "none" : items.join(", ")}`;
}
