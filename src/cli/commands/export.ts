/** `bop export`: a database becomes a file that any SQLite opens. */
import { statSync } from "node:fs";
import { Command } from "commander";
import type { Manager } from "../../manager/index.ts";
import { nameArgument } from "../arguments.ts";
import { existingDatabase } from "../databases.ts";
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
  readonly json?: boolean;
}

export function exportCommand(): Command {
  return new Command("export")
    .summary("write a database to a SQLite file")
    .description("Write a consistent copy of a database to a new file that any SQLite opens.")
    .addArgument(nameArgument("the database"))
    .argument("<file>", "a file that does not exist yet")
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExample:\n  bop export shop shop.sqlite && sqlite3 shop.sqlite .tables",
    )
    .action((name: string, file: string, options: ExportOptions) =>
      withStore(options, (manager) => run(manager, { name, file, json: options.json === true })),
    );
}

interface ExportJob {
  readonly name: string;
  readonly file: string;
  readonly json: boolean;
}

async function run(manager: Manager, { name, file, json }: ExportJob): Promise<void> {
  await existingDatabase(manager, name);
  const database = await manager.database(name, { create: false });
  const progress = progressBar(`exporting ${name}`, process.stderr);
  try {
    await interruptible((signal) =>
      database.export(file, { signal, onProgress: progress.onProgress }),
    );
  } finally {
    progress.stop();
  }
  const sizeBytes = statSync(file).size;
  const output = new Output(process.stdout);
  if (json) output.json({ exported: { name, file, sizeBytes } });
  else output.write(`exported ${name} to ${file}: ${sizeText(sizeBytes)}\n`);
}
