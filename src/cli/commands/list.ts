/** `bop list`: the databases of a store. */
import { Command } from "commander";
import type { DatabaseInfo, Manager } from "../../manager/index.ts";
import { everyDatabase } from "../databases.ts";
import { Output, sizeText, timeText } from "../output.ts";
import { directoryOption, ioOption, jsonOption, type StoreOptions, withStore } from "../store.ts";
import { numberCell, tableText, textCell } from "../table.ts";

interface ListCommandOptions extends StoreOptions {
  readonly prefix?: string;
  readonly json?: boolean;
}

export function listCommand(): Command {
  return new Command("list")
    .summary("list the databases of the store")
    .description("List the databases of the store with their size and engine.")
    .option("--prefix <text>", "only names that begin with it")
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  bop list\n  bop list --prefix tenant- --json")
    .action((options: ListCommandOptions) =>
      withStore(options, (manager) => run(manager, options)),
    );
}

async function run(manager: Manager, options: ListCommandOptions): Promise<void> {
  const output = new Output(process.stdout);
  const databases: DatabaseInfo[] = [];
  for await (const database of everyDatabase(manager, options.prefix)) databases.push(database);
  if (options.json === true) {
    output.json({
      databases: databases.map(({ createdAt, forkedFrom, ...rest }) => ({
        ...rest,
        createdAt: createdAt.toISOString(),
        forkedFrom: forkedFrom && { name: forkedFrom.name ?? null, lsn: forkedFrom.lsn },
      })),
    });
    return;
  }
  const rows = databases.map(({ name, engine, sizeBytes, createdAt, forkedFrom, snapshots }) => [
    textCell(name),
    numberCell(sizeText(sizeBytes)),
    textCell(engine),
    textCell(timeText(createdAt)),
    textCell(forkedFrom === undefined ? "" : (forkedFrom.name ?? "[dropped]")),
    numberCell(String(snapshots)),
  ]);
  const head = ["name", "size", "engine", "created (UTC)", "forked from", "snapshots"];
  if (rows.length > 0) output.write(tableText(head, rows));
  else output.write("no databases\n");
}
