/** `bop scrub`: everything that was written is read again, and mended where there is a good copy. */
import { Command, Option } from "commander";
import { MIB } from "../../base/units.ts";
import type { Manager, ScrubFinding, ScrubReport, ScrubRequest } from "../../manager/index.ts";
import { checkedName } from "../arguments.ts";
import { EXIT, UsageError } from "../exit.ts";
import { scrubText } from "../facts-text.ts";
import { Output, sizeText } from "../output.ts";
import { progressBar } from "../progress.ts";
import {
  directoryOption,
  interruptible,
  ioOption,
  jsonOption,
  type StoreOptions,
  withStore,
} from "../store.ts";
import { visibleLines } from "../visible.ts";

interface ScrubCommandOptions extends StoreOptions {
  readonly only?: "local" | "remote" | "sample";
  readonly database?: string;
  readonly rate?: number;
  readonly status?: boolean;
  readonly json?: boolean;
}

export function scrubCommand(): Command {
  return new Command("scrub")
    .summary("read everything again, and heal what is damaged")
    .description(
      "Read every checkpointed chunk, every sealed segment of the log, superblock and mirror again, " +
        "and (with --sink) every object of the sink; restore one database from there to try it. What " +
        "is damaged and has a good copy is healed. Ends with 1 if anything stays damaged. An open " +
        "store does all of this by itself in the background: see docs/scrub.md.",
    )
    .addOption(
      new Option("--only <part>", "read this and nothing else").choices([
        "local",
        "remote",
        "sample",
      ]),
    )
    .option("--database <name>", "the database that is restored to try it", checkedName)
    .option("--rate <MiB/s>", "read no faster than this; default: the store's limit", rateOf)
    .option("--status", "read nothing; say when each part was found whole last")
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n  bop scrub\n  bop scrub --sink file:///backup --rate 200" +
        "\n  bop scrub --sink file:///backup --only sample --database shop\n  bop scrub --status --json",
    )
    .action((options: ScrubCommandOptions) =>
      withStore(options, (manager) => (options.status ? status : run)(manager, options)),
    );
}

async function run(manager: Manager, options: ScrubCommandOptions): Promise<void> {
  const { only, database, rate, json = false } = options;
  if (only !== undefined && only !== "local" && options.sink === undefined) {
    throw new UsageError(`--only ${only} needs --sink, or BOP_SINK`);
  }
  const bar = progressBar("reading", process.stderr);
  const request: ScrubRequest = {
    ...(only !== undefined && { parts: [only] }),
    ...(database !== undefined && { database }),
    ...(rate !== undefined && { maxBytesPerSecond: rate }),
    ...(!json && { onProgress: (seen) => bar.onProgress(seen.doneBytes, seen.totalBytes) }),
  };
  const report = await interruptible((signal) => manager.scrub({ ...request, signal })).finally(
    () => bar.stop(),
  );
  const output = new Output(process.stdout);
  if (json) output.json({ scrubbed: report });
  else output.write(reportText(report));
  if (!report.isSound) process.exitCode = EXIT.failed;
}

async function status(manager: Manager, { json = false }: ScrubCommandOptions): Promise<void> {
  const output = new Output(process.stdout);
  const { scrub } = manager.diagnostics();
  if (json) output.json({ scrub });
  else output.write(visibleLines(scrubText(scrub)));
}

function reportText({ checked, findings, isSound }: ScrubReport): string {
  const { chunks, segments, objects, bytes, databases } = checked;
  const inSink = objects > 0 ? `, ${objects} objects of the sink` : "";
  const lines = [`read ${chunks} chunks, ${segments} segments${inSink}: ${sizeText(bytes)}`];
  if (databases.length > 0) lines.push(`restored to try it: ${databases.join(", ")}`);
  lines.push(...findings.map(findingText));
  const left = findings.filter(({ outcome }) => outcome === "reported").length;
  const healed = findings.length - left;
  if (findings.length === 0) lines.push("everything is as it was written");
  else lines.push(isSound ? `all ${healed} damages were healed` : `DAMAGED: ${left} stay`);
  return visibleLines(lines);
}

function findingText({ outcome, what, why, databases }: ScrubFinding): string {
  const whose = databases.length === 0 ? "" : ` (${databases.join(", ")})`;
  return `${outcome.padEnd(9)} ${what}: ${why}${whose}`;
}

/** Bytes per second. */
function rateOf(text: string): number {
  const rate = Number(text);
  if (Number.isFinite(rate) && rate >= 1 && rate <= 16_384) return Math.floor(rate * MIB);
  throw new UsageError(`--rate is ${text}; want MiB per second, from 1 to 16384`);
}
