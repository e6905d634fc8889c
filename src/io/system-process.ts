/**
 * WHO WE ARE, so that an owner record can be told from the one of a dead process.
 *
 * (1) On Linux a process is (boot id, pid, start time in clock ticks since boot): the kernel gives
 *     the same three to nobody else. A zombie holds no file and counts as dead.
 * (2) Elsewhere the boot id is unknown and another process's start cannot be read: a pid that
 *     answers to signal 0 is taken to be the owner. A reused pid then refuses an open that was
 *     safe; it never allows one that is not.
 * (3) Containers that share a volume but not their process ids cannot be told apart here: a living
 *     owner in another pid namespace looks dead. The lock that the kernel holds (the manifest's
 *     second guard) is for that.
 */
import { readFileSync } from "node:fs";
import type { ProcessIdentity } from "../base/env.ts";
import { systemCode } from "../base/errors.ts";

type Owner = Parameters<ProcessIdentity["isAlive"]>[0];

const BOOT_ID = contentOf("/proc/sys/kernel/random/boot_id")?.trim() ?? "unknown";
const STARTED_AT = startOf(process.pid) ?? `ms:${Math.round(performance.timeOrigin)}`;

export const systemProcess: ProcessIdentity = {
  pid: process.pid,
  bootId: BOOT_ID,
  startedAt: STARTED_AT,
  isAlive,
};

function isAlive(owner: Owner): boolean {
  if (owner.bootId !== BOOT_ID) return false;
  if (owner.pid === process.pid) return owner.startedAt === STARTED_AT;
  if (STARTED_AT.startsWith("ticks:")) return startOf(owner.pid) === owner.startedAt;
  return answersToSignals(owner.pid);
}

/** Start of a running process, from /proc; undefined if there is none, or no /proc. */
function startOf(pid: number): string | undefined {
  const stat = contentOf(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the program's name in parentheses and may hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", startTicks] = [fields[0], fields[19]];
  if (startTicks === undefined || "ZX".includes(state)) return undefined;
  return `ticks:${startTicks}`;
}

function answersToSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM"; // It lives, but belongs to somebody else.
  }
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // Not Linux, no such process, or /proc is hidden: all mean "unknown".
  }
}
