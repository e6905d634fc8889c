/** `bop drop`: a database and all it holds, gone. */
import { Command } from "commander";
import type { Manager } from "../../manager/index.ts";
import { nameArgument } from "../arguments.ts";
import { ask } from "../ask.ts";
import { existingDatabase } from "../databases.ts";
import { CommandError, UsageError } from "../exit.ts";
import { Output, sizeText } from "../output.ts";
import { directoryOption, ioOption, jsonOption, type StoreOptions, withStore } from "../store.ts";

interface DropOptions extends StoreOptions {
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function dropCommand(): Command {
  return new Command("drop")
    .summary("remove a database")
    .description("Remove a database and all it holds. Asks first; a script says --yes.")
    .addArgument(nameArgument("the database"))
    .option("-y, --yes", "do not ask")
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  bop drop tenant-42\n  bop drop tenant-42 --yes")
    .action((name: string, options: DropOptions) => {
      if (options.yes !== true && !process.stdin.isTTY) {
        throw new UsageError(`to drop ${name} without being asked, add --yes`);
      }
      return withStore(options, (manager) => run(manager, name, options));
    });
}

async function run(manager: Manager, name: string, options: DropOptions): Promise<void> {
  const { sizeBytes } = await existingDatabase(manager, name);
  if (options.yes !== true && !(await confirms(name, sizeBytes))) {
    throw new CommandError(`${name} was not dropped`);
  }
  await manager.drop(name);
  const output = new Output(process.stdout);
  if (options.json === true) output.json({ dropped: { name } });
  else output.write(`dropped ${name}\n`);
}

async function confirms(name: string, sizeBytes: number): Promise<boolean> {
  const size = sizeText(sizeBytes);
  const answer = await ask(`${name} holds ${size}; a drop cannot be undone. Its name again: `);
  return answer === name;
}
