/** `bop jobs`: work in the background, and what became of it. */
import { Command } from "commander";
import type { JobInfo, Manager } from "../../manager/index.ts";
import { Output } from "../output.ts";
import { directoryOption, ioOption, jsonOption, type StoreOptions, withStore } from "../store.ts";
import { numberCell, tableText, textCell } from "../table.ts";

interface JobsCommandOptions extends StoreOptions {
  readonly json?: boolean;
}

export function jobsCommand(): Command {
  return new Command("jobs")
    .summary("list work in the background")
    .description("List jobs that are pending, and those that are over and kept, oldest first.")
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  bop jobs\n  bop jobs --json")
    .action((options: JobsCommandOptions) =>
      withStore(options, async (manager) => run(manager, options)),
    );
}

function run(manager: Manager, options: JobsCommandOptions): void {
  const output = new Output(process.stdout);
  const jobs = manager.jobs();
  if (options.json === true) {
    output.json({ jobs: jobs.map(jsonOf) });
    return;
  }
  const rows = jobs.map((job) => [
    numberCell(String(job.id)),
    textCell(job.kind),
    textCell(job.database ?? "(dropped)"),
    textCell(job.state),
    numberCell(`${job.attempts}/${job.maxAttempts}`),
    textCell((job.result ?? job.reason ?? "").split("\n")[0] ?? ""),
  ]);
  const heads = ["id", "kind", "database", "state", "attempts", "outcome"];
  output.write(rows.length > 0 ? tableText(heads, rows) : "no jobs\n");
}

function jsonOf({ createdAt, changedAt, dueAt, ...job }: JobInfo) {
  return {
    ...job,
    createdAt: createdAt.toISOString(),
    changedAt: changedAt.toISOString(),
    dueAt: dueAt?.toISOString(),
  };
}
