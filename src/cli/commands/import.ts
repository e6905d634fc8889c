/** `bop import`: a SQLite file becomes a database of the store. */
import { existsSync } from "node:fs";
import { Command } from "commander";
import type { Manager } from "../../manager/index.ts";
import { checkedName } from "../arguments.ts";
import { existingDatabase } from "../databases.ts";
import { CommandError } from "../exit.ts";
import { Output, sizeText } from "../output.ts";
import { progressBar } from "../progress.ts";
import {
  directoryOption,
  interruptible,
  ioOption,
  jsonOption,
  type StoreOptions,
  withNewStore,
} from "../store.ts";

interface ImportOptions extends StoreOptions {
  readonly as: string;
  readonly json?: boolean;
}

export function importCommand(): Command {
  return new Command("import")
    .summary("make a database of a SQLite file")
    .description(
      "Make a database of a SQLite file. A -wal file beside it is read, too; the file itself is not " +
        "changed. What cannot be read is refused with the reason, and nothing is imported.",
    )
    .argument("<file>", "a SQLite file that no program is writing to")
    .requiredOption("--as <name>", "name of the new database", checkedName)
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  bop import shop.sqlite --as shop")
    .action((file: string, options: ImportOptions) => {
      // A misspelt path must not leave an empty store behind.
      if (!existsSync(file)) throw new CommandError(`there is no file ${file}`);
      return withNewStore(options, (manager) => run(manager, file, options));
    });
}

async function run(manager: Manager, file: string, options: ImportOptions): Promise<void> {
  const name = options.as;
  const progress = progressBar(`importing ${name}`, process.stderr);
  try {
    await interruptible((signal) =>
      manager.import(file, name, { signal, onProgress: progress.onProgress }),
    );
  } finally {
    progress.stop();
  }
  const { sizeBytes } = await existingDatabase(manager, name);
  const output = new Output(process.stdout);
  if (options.json === true) output.json({ imported: { file, name, sizeBytes } });
  else output.write(`imported ${file} as ${name}: ${sizeText(sizeBytes)}\n`);
}
