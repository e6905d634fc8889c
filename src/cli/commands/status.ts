/** `bop status`: how a store fares. */
import { Command } from "commander";
import type { Diagnostics } from "../../manager/index.ts";
import { residencyText, scrubText, sinkText } from "../facts-text.ts";
import { Output, sizeText } from "../output.ts";
import { directoryOption, ioOption, jsonOption, type StoreOptions, withStore } from "../store.ts";
import { visible } from "../visible.ts";

interface StatusOptions extends StoreOptions {
  readonly json?: boolean;
}

export function statusCommand(): Command {
  return new Command("status")
    .summary("show how the store fares")
    .description("Show how the store fares: its databases, log, chunks and last fault.")
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  bop status\n  bop status --json | jq .log.durableLsn")
    .action((options: StatusOptions) =>
      withStore(options, async (manager) => {
        const output = new Output(process.stdout);
        const diagnostics = manager.diagnostics();
        if (options.json === true) output.json(diagnostics);
        else output.write(statusText(diagnostics));
      }),
    );
}

function statusText({ directory, storeId, state, ...facts }: Diagnostics): string {
  const { databases, log, io, warnings, pages, lastFault, recoveredFromCrash, replayedCommits } =
    facts;
  const recovery = `after a crash; ${replayedCommits} commits were read from the log`;
  const fault =
    lastFault === undefined
      ? "none"
      : `${lastFault.at.toISOString()} ${lastFault.kind}: ${lastFault.message}`;
  const lines: [string, string][] = [
    ["store", `${directory} (${storeId})`],
    ["state", state],
    ["opened", recoveredFromCrash ? recovery : "after a clean stop"],
    ["databases", String(databases.known)],
    ["log", `${log.segments} segments, durable to ${log.durableLsn}`],
    ["written", io.fallback === undefined ? io.kind : `${io.kind}, since ${io.fallback}`],
    ["checkpoint", `at ${log.checkpointLsn}`],
    ["chunks", `${pages.chunks}, ${sizeText(pages.chunkBytes)}`],
    ...sinkLines(facts.sink),
    ...residencyText(facts.residency).map((line): [string, string] => ["residency", line]),
    ...scrubText(facts.scrub).map((line): [string, string] => ["scrub", line]),
    ["last fault", fault],
    ...warnings.map((warning): [string, string] => ["warning", warning]),
  ];
  return lines.map(([name, value]) => `${name.padEnd(11)}${visible(value)}\n`).join("");
}

function sinkLines(sink: Diagnostics["sink"]): [string, string][] {
  if (sink === undefined) return [];
  const { lastError, deadLetters } = sink;
  const lines = sinkText(sink).map((line): [string, string] => ["sink", line]);
  if (lastError !== undefined) lines.push(["sink error", lastError]);
  if (deadLetters > 0) lines.push(["dead", `${deadLetters} letters: see bop dead-letters list`]);
  return lines;
}
