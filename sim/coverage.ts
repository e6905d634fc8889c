/**
 * WHAT A RUN HAS COVERED, from its tally: faults of disk and service that were injected, those that can
 * be and never were, and the errors that callers were told.
 */
import { SINK_FAULTS } from "../src/sink/simulated/faults.ts";
import type { Tally } from "./tally.ts";

const INJECTED = "injected: ";
const TOLD = ["errors: ", "opens that failed", "openings refused", "damage that was refused"];

const DISK_FAULTS = [
  ...["open", "read", "write", "sync", "create", "truncate", "preallocate", "rename", "unlink"].map(
    (operation) => `${operation} EIO`,
  ),
  ...["syncDirectory", "mkdir", "list", "stat"].map((operation) => `${operation} EIO`),
  ...["write", "create", "preallocate"].map((operation) => `${operation} ENOSPC`),
  ...["write", "sync", "read"].map((operation) => `${operation} hangs`),
  "no room",
];

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
  ];
}

const countOf =
  (prefix: string) =>
  ([name, count]: readonly [string, number]): string =>
    `${name.startsWith(prefix) ? name.slice(prefix.length) : name} ${count}`;

function listed(what: string, items: readonly string[]): string {
  return `${what}: ${items.length === 0 ? "none" : items.join(", ")}`;
}
