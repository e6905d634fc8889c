/** `bop rename`: the same database under another name. */
import { Command } from "commander";
import { nameArgument } from "../arguments.ts";
import { existingDatabase } from "../databases.ts";
import { Output } from "../output.ts";
import { directoryOption, ioOption, jsonOption, type StoreOptions, withStore } from "../store.ts";

interface RenameOptions extends StoreOptions {
  readonly json?: boolean;
}

export function renameCommand(): Command {
  return new Command("rename")
    .summary("give a database another name")
    .description("Give a database another name. What it holds stays as it is.")
    .addArgument(nameArgument("the database", "<from>"))
    .addArgument(nameArgument("its new name", "<to>"))
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  bop rename tenant-42 customer-42")
    .action((from: string, to: string, options: RenameOptions) =>
      withStore(options, async (manager) => {
        await existingDatabase(manager, from);
        await manager.rename(from, to);
        const output = new Output(process.stdout);
        if (options.json === true) output.json({ renamed: { from, to } });
        else output.write(`renamed ${from} to ${to}\n`);
      }),
    );
}
