/** `bop export`: a database becomes a file that any SQLite opens. */
import { statSync } from "node:fs";
import { Command } from "commander";
import type { Manager } from "../../manager/index.ts";
import { momentOf, nameArgument } from "../arguments.ts";
import { existingDatabase } from "../databases.ts";
import { asUsage } from "../exit.ts";
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

interface ExportOptions extends StoreOptions {
  readonly at?: Date | { readonly lsn: number };
  readonly json?: boolean;
}

export function exportCommand(): Command {
  return new Command("export")
    .summary("write a database to a SQLite file")
    .description("Write a consistent copy of a database to a new file that any SQLite opens.")
    .addArgument(nameArgument("the database"))
    .argument("<file>", "a file that does not exist yet")
    .option("--at <moment>", "as it was: a time, or a position in the log", momentOf)
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n  bop export shop shop.sqlite && sqlite3 shop.sqlite .tables" +
        "\n  bop export shop before.sqlite --at 2026-11-22T12:00:00Z",
    )
    .action((name: string, file: string, options: ExportOptions) =>
      withStore(options, (manager) => run(manager, { ...options, name, file })),
    );
}

interface ExportJob extends Pick<ExportOptions, "at" | "json"> {
  readonly name: string;
  readonly file: string;
}

async function run(manager: Manager, { name, file, at, json }: ExportJob): Promise<void> {
  await existingDatabase(manager, name);
  const database = await manager.database(name, { create: false });
  const progress = progressBar(`exporting ${name}`, process.stderr);
  try {
    await interruptible((signal) =>
      asUsage(() =>
        database.export(file, { ...(at && { at }), signal, onProgress: progress.onProgress }),
      ),
    );
  } finally {
    progress.stop();
  }
  const sizeBytes = statSync(file).size;
  const output = new Output(process.stdout);
  if (json === true) output.json({ exported: { name, file, sizeBytes } });
  else output.write(`exported ${name} to ${file}: ${sizeText(sizeBytes)}\n`);
}
