/** `bop fork`: a database that begins as another one is, or was. */
import { Command, Option } from "commander";
import type { ForkOptions, Manager } from "../../manager/index.ts";
import { checkedSnapshot, momentOf, nameArgument } from "../arguments.ts";
import { existingDatabase } from "../databases.ts";
import { asUsage } from "../exit.ts";
import { Output } from "../output.ts";
import { directoryOption, ioOption, jsonOption, type StoreOptions, withStore } from "../store.ts";

interface ForkCommandOptions extends StoreOptions {
  readonly at?: Date | { readonly lsn: number };
  readonly snapshot?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  bop fork shop shop-experiment
  bop fork shop shop-noon --at 2026-11-22T12:00:00Z
  bop fork shop shop-before --snapshot before-migration

A time without a zone is local. See docs/forks.md for how far back --at reaches.`;

export function forkCommand(): Command {
  return new Command("fork")
    .summary("make a database that begins as another one is, or was")
    .description("Make a database that begins as another one. They share pages until one changes.")
    .addArgument(nameArgument("the database"))
    .addArgument(nameArgument("name of the fork", "<fork>"))
    .addOption(
      new Option("--at <time|lsn>", "as of a time, or a position in the log")
        .argParser(momentOf)
        .conflicts("snapshot"),
    )
    .addOption(new Option("--snapshot <name>", "as of a snapshot").argParser(checkedSnapshot))
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText("after", EXAMPLES)
    .action((name: string, fork: string, options: ForkCommandOptions) =>
      withStore(options, (manager) => run(manager, { name, fork, options })),
    );
}

interface ForkJob {
  readonly name: string;
  readonly fork: string;
  readonly options: ForkCommandOptions;
}

async function run(manager: Manager, { name, fork, options }: ForkJob): Promise<void> {
  await existingDatabase(manager, name);
  const database = await manager.database(name, { create: false });
  await asUsage(() => database.fork(fork, forkOptions(options)));
  const { forkedFrom } = await existingDatabase(manager, fork);
  const output = new Output(process.stdout);
  const atLsn = forkedFrom?.lsn;
  if (options.json === true) output.json({ forked: { name: fork, from: name, atLsn } });
  else output.write(`forked ${name} as ${fork}, at ${atLsn}\n`);
}

function forkOptions({ at, snapshot }: ForkCommandOptions): ForkOptions {
  if (snapshot !== undefined) return { at: { snapshot } };
  return at === undefined ? {} : { at };
}
