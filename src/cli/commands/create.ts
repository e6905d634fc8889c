/** `bop create`: an empty database. */
import { Command, Option } from "commander";
import { StorageError } from "../../base/errors.ts";
import type { Manager } from "../../manager/index.ts";
import type { EngineKind } from "../../sqlite/index.ts";
import { nameArgument } from "../arguments.ts";
import { findDatabase } from "../databases.ts";
import { Output } from "../output.ts";
import {
  directoryOption,
  ioOption,
  jsonOption,
  type StoreOptions,
  withNewStore,
} from "../store.ts";

interface CreateOptions extends StoreOptions {
  readonly engine: EngineKind;
  readonly pageBytes: string;
  readonly json?: boolean;
}

const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

export function createCommand(): Command {
  return new Command("create")
    .summary("create an empty database, and the store if need be")
    .description("Create an empty database. The store is made if the directory holds none.")
    .addArgument(nameArgument("name of the new database"))
    .addOption(
      new Option("--engine <engine>", "what reads and writes it")
        .choices(["sqlite", "libsql"])
        .default("sqlite"),
    )
    .addOption(
      new Option("--page-bytes <n>", "bytes of a page")
        .choices(PAGE_SIZES.map(String))
        .default("4096"),
    )
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n  bop create tenant-42\n  bop create vectors --engine libsql --directory /srv/data",
    )
    .action((name: string, options: CreateOptions) =>
      withNewStore(options, (manager) => run(manager, name, options)),
    );
}

async function run(manager: Manager, name: string, options: CreateOptions): Promise<void> {
  const { engine, json } = options;
  const pageBytes = Number(options.pageBytes);
  if ((await findDatabase(manager, name)) !== undefined) {
    const message = `there is a database named ${JSON.stringify(name)} already`;
    throw new StorageError("BOP_EXISTS", message, { details: { name } });
  }
  await manager.database(name, { engine, pageBytes });
  const output = new Output(process.stdout);
  if (json === true) output.json({ created: { name, engine, pageBytes } });
  else output.write(`created ${name}\n`);
}
