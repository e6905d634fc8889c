/** A LOOK AT A STORE in lines for people. Pure. */
import { residencyText, sinkText } from "../facts-text.ts";
import { sizeText } from "../output.ts";
import { numberCell, tableText, textCell } from "../table.ts";
import { cutToWidth, visible } from "../visible.ts";
import type { Facts, Pace } from "./pace.ts";

export interface Look {
  readonly perSecond: Pace;
  readonly facts: Facts;
  /** Of the terminal; undefined: as wide as it takes. */
  readonly columns: number | undefined;
}

const NAME_WIDTH = 11;

export function topText({ perSecond, facts, columns }: Look): string {
  const { directory, state, databases, log, pages, warnings } = facts;
  const lines: [string, string][] = [
    ["store", `${directory}: ${state}, ${databases.known} databases, ${databases.open} open`],
    ["commits", commitsText(perSecond)],
    ["log", logText(facts, perSecond)],
    ["cache", cacheText(facts, perSecond)],
    ["checkpoint", checkpointText(facts)],
    ["chunks", `${pages.chunks}, ${sizeText(pages.chunkBytes)}`],
  ];
  for (const text of sinkText(facts.sink)) lines.push(["sink", text]);
  if (facts.sink !== undefined) lines.push(["", `${rate(perSecond.sinkRequests)} requests/s`]);
  for (const text of residencyText(facts.residency)) lines.push(["residency", text]);
  if (facts.residency !== undefined) lines.push(["", fetchText(facts.residency, perSecond)]);
  if (log.hung !== undefined) lines.push(["HUNG", `${log.hung.operation} of ${log.hung.file}`]);
  for (const warning of warnings) lines.push(["warning", warning]);
  const told = lines.map(([name, value]) => {
    const line = `${name.padEnd(NAME_WIDTH)}${visible(value)}`;
    return `${columns === undefined ? line : cutToWidth(line, columns)}\n`;
  });
  return told.join("") + busiestText(facts);
}

function commitsText({ commits, flushes, commitsPerFlush }: Pace): string {
  const shared = commitsPerFlush === 0 ? "" : `, ${commitsPerFlush.toFixed(1)} share one`;
  return `${rate(commits)}/s, ${rate(flushes)} flushes/s${shared}`;
}

function logText({ log }: Facts, { logBytes }: Pace): string {
  const { durableLsn, inflightSegments, backlogBytes } = log;
  const waits = backlogBytes === 0 ? "" : `, ${sizeText(backlogBytes)} wait for the device`;
  const written = sizeText(Math.round(logBytes));
  return `${written}/s, durable to ${durableLsn}, ${inflightSegments} segments in use${waits}`;
}

function cacheText({ pages }: Facts, { pageReads, cacheHits }: Pace): string {
  const share = pageReads === 0 ? "" : `, ${(100 * cacheHits).toFixed(1)} % in memory`;
  const { bytes, budgetBytes } = pages.cache;
  return `${rate(pageReads)} pages/s${share}; ${sizeText(bytes)} of ${sizeText(budgetBytes)}`;
}

function checkpointText({ pages, log }: Facts): string {
  const { lastCheckpoint: last, checkpointFailure } = pages;
  const gathered = `${sizeText(log.newestLsn - log.checkpointLsn)} of log since the last`;
  if (checkpointFailure !== undefined) return `FAILED: ${checkpointFailure}; ${gathered}`;
  if (last === undefined) return gathered;
  const { reason, ms, bytes } = last;
  return `${gathered}, which took ${Math.round(ms)} ms for ${sizeText(bytes)} (${reason})`;
}

function fetchText({ inFlight }: NonNullable<Facts["residency"]>, perSecond: Pace): string {
  const { misses, fetchedBytes } = perSecond;
  const fetched = sizeText(Math.round(fetchedBytes));
  return `${rate(misses)} statements/s wait, ${fetched}/s fetched, ${inFlight} requests under way`;
}

function busiestText({ databases }: Facts): string {
  if (databases.busiest.length === 0) return "";
  const rows = databases.busiest.map(({ name, changedPages, logBytes }) => [
    textCell(name),
    numberCell(String(changedPages)),
    numberCell(sizeText(logBytes)),
  ]);
  return `\n${tableText(["changed since the checkpoint", "pages", "of log behind"], rows)}`;
}

/** `0`, `3.2`, `1204`. */
function rate(perSecond: number): string {
  if (perSecond === 0) return "0";
  return perSecond < 100 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}
