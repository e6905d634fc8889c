/** WHAT DIAGNOSTICS SAY of the sink and of what is on this disk, in lines for people. */
import type { Diagnostics, ScrubPass } from "../manager/index.ts";
import { sizeText, timeText } from "./output.ts";

export function sinkText(sink: Diagnostics["sink"]): string[] {
  if (sink === undefined) return [];
  const { location, state, remoteLsn, unshippedBytes, oldestUnshippedMs } = sink;
  const since = `${(oldestUnshippedMs / 1000).toFixed(1)} s`;
  const behind = unshippedBytes === 0 ? "" : `, ${sizeText(unshippedBytes)} behind for ${since}`;
  return [`${location}: ${state}, has ${remoteLsn}${behind}`];
}

/** When everything was found to be what was written, and what was not. */
export function scrubText({ local, remote, samples, findings }: Diagnostics["scrub"]): string[] {
  const lines = [`this disk: ${passText(local)}`];
  if (remote !== undefined) lines.push(`the sink: ${passText(remote)}`);
  if (samples !== undefined) {
    const { goodDatabases, lastAt, oldest } = samples;
    const last = lastAt === undefined ? "never" : timeText(lastAt);
    lines.push(`restored to try them: ${goodDatabases} databases found whole, the last ${last}`);
    for (const { name, problem } of oldest) {
      if (problem !== undefined) lines.push(`${name}, restored to try it: ${problem}`);
    }
  }
  const healed = findings.filter(({ outcome }) => outcome === "healed");
  return [...lines, ...healed.map(({ what, at }) => `${what} was healed at ${timeText(at)}`)];
}

function passText({ everyMs, lastGoodAt, since, done, problem }: ScrubPass): string {
  const good = lastGoodAt === undefined ? "never found whole" : `whole at ${timeText(lastGoodAt)}`;
  const isOff = everyMs === 0 ? ", off" : "";
  const under = since === undefined ? isOff : `, ${Math.floor(done * 100)} % of a pass`;
  return `${good}${under}${problem === undefined ? "" : `; DAMAGED: ${problem}`}`;
}

/** Where checkpointed data is. Nothing is said of a store that has all of it here. */
export function residencyText(residency: Diagnostics["residency"]): string[] {
  if (residency === undefined) return [];
  const { localBytes, bothBytes, remoteBytes, partBytes, diskBytes, lastHealed } = residency;
  const here = localBytes + bothBytes + partBytes;
  const limit = diskBytes === undefined ? "" : ` of ${sizeText(diskBytes)}`;
  const lines = [
    `${sizeText(here)}${limit} on this disk, ${sizeText(remoteBytes)} only in the sink; ` +
      `${sizeText(localBytes)} not in the sink`,
  ];
  if (lastHealed !== undefined) {
    const { file, why, at } = lastHealed;
    lines.push(`${file} was made whole at ${timeText(new Date(at))}: ${why}`);
  }
  return lines;
}
