/** `bop restore`: a store, or one database, out of a folder or bucket. */
import { Command } from "commander";
import { type DatabaseRestoreReport, Manager, type RestoreReport } from "../../manager/index.ts";
import { checkedName, checkedPlace, momentOf } from "../arguments.ts";
import { UsageError } from "../exit.ts";
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

interface RestoreCommandOptions extends StoreOptions {
  readonly from: string;
  readonly database?: string;
  readonly as?: string;
  readonly at?: Date | { readonly lsn: number };
  readonly list?: boolean;
  readonly lazy?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function restoreCommand(): Command {
  return new Command("restore")
    .summary("bring back a store, or one database, from where it was shipped to")
    .description(
      "Bring back a whole store into a new directory, or (--database) one database into the store " +
        "in --directory: under a new name (--as), or over the one that has its name, which stays " +
        "under another. A restore of a store that was cut off goes on when it is begun again.",
    )
    .requiredOption(
      "--from <url>",
      "where it was shipped to: file:///backup, s3://bucket/prefix",
      checkedPlace,
    )
    .option("--database <name>", "only this database, as it was called then", checkedName)
    .option("--as <name>", "name of the restored database", checkedName)
    .option("--at <moment>", "a time, as 2026-11-22T12:00:00Z, or a position in the log", momentOf)
    .option("--lazy", "leave pages in the bucket until they are read: open it with that sink")
    .option("--list", "list what can be restored, and restore nothing")
    .option("--dry-run", "tell what would be read, and change nothing")
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n  bop restore --from file:///backup --list" +
        "\n  bop restore --from file:///backup --directory ./restored --at 2026-11-22T12:00:00Z" +
        "\n  bop restore --from s3://backups/shop --directory ./restored --lazy" +
        "\n  bop restore --from s3://backups/shop --database shop --as shop-noon --at 81920",
    )
    .action((options: RestoreCommandOptions) => run(options));
}

async function run(options: RestoreCommandOptions): Promise<void> {
  if (options.as !== undefined && options.database === undefined) {
    throw new UsageError("--as names a restored database: say which with --database");
  }
  if (options.lazy === true && (options.database !== undefined || options.at !== undefined)) {
    throw new UsageError("--lazy is of a whole store, at its newest moment");
  }
  if (options.list === true) return list(options);
  if (options.database === undefined) return whole(options);
  await one({ ...options, database: options.database });
}

async function list({ from, json }: RestoreCommandOptions): Promise<void> {
  const points = await interruptible((signal) => Manager.restorePoints(from, { signal }));
  const output = new Output(process.stdout);
  if (json === true) {
    output.json(points);
    return;
  }
  if (points.ranges.length === 0) output.write("nothing can be restored yet\n");
  for (const { from: first, to } of points.ranges) {
    output.write(`every commit from ${pointText(first)} to ${pointText(to)}\n`);
  }
  for (const state of points.states) output.write(`  state at ${pointText(state)}\n`);
}

async function whole(options: RestoreCommandOptions): Promise<void> {
  const { from, directory, at, json, dryRun = false, lazy = false } = options;
  const progress = progressBar(`restoring ${directory}`, process.stderr);
  let report: RestoreReport;
  try {
    report = await interruptible((signal) =>
      Manager.restore({
        ...{ from, directory, dryRun, lazy, signal },
        ...(at && { at }),
        onProgress: progress.onProgress,
      }),
    );
  } finally {
    progress.stop();
  }
  const output = new Output(process.stdout);
  if (json === true) {
    output.json({ restored: report });
    return;
  }
  const { lsn, chunks, chunkBytes, logBytes, isNewest, remoteChunks, remoteChunkBytes } = report;
  const away = `; ${remoteChunks} chunks (${sizeText(remoteChunkBytes)}) stay in the bucket`;
  const what =
    `${chunks} chunks (${sizeText(chunkBytes)}) and ${sizeText(logBytes)} of log` +
    (lazy ? away : "");
  const when = isNewest ? `the newest moment, LSN ${lsn}` : `LSN ${lsn}`;
  if (dryRun) output.write(`would restore ${when} into ${directory}: ${what}\n`);
  else output.write(`restored ${when} into ${directory}: ${what}\n`);
}

async function one(options: RestoreCommandOptions & { readonly database: string }): Promise<void> {
  const { from, database, at, as, json, dryRun = false } = options;
  const progress = progressBar(`restoring ${database}`, process.stderr);
  let report: DatabaseRestoreReport | undefined;
  try {
    await withStore(options, async (manager) => {
      report = await interruptible((signal) =>
        manager.restore({
          ...{ from, database, dryRun, signal },
          ...(at && { at }),
          ...(as !== undefined && { as }),
          onProgress: progress.onProgress,
        }),
      );
    });
  } finally {
    progress.stop();
  }
  if (report !== undefined) tell(report, json === true);
}

function tell(report: DatabaseRestoreReport, json: boolean): void {
  const output = new Output(process.stdout);
  if (json) {
    output.json({ restored: report });
    return;
  }
  const { database, previous, lsn, sizeBytes, dryRun, chunks } = report;
  const what = `${database} as of LSN ${lsn}: ${sizeText(sizeBytes)}`;
  if (dryRun) {
    const { requests, bytes } = chunks;
    output.write(`would restore ${what}, ${requests} requests for ${sizeText(bytes)} of chunks\n`);
    return;
  }
  output.write(`restored ${what}\n`);
  if (previous === undefined) return;
  output.write(`what was there is now ${previous}; to go back to it:\n`);
  output.write(`  bop drop ${database} && bop rename ${previous} ${database}\n`);
}

function pointText({ lsn, at }: { readonly lsn: number; readonly at: Date }): string {
  return `LSN ${lsn} (${at.toISOString()})`;
}
