/**
 * `bop logs`: the record logs of a store, what they hold and what that takes.
 *
 * (1) Indexes are 64-bit numbers: JSON has them as text, which no reader rounds.
 */
import { Command } from "commander";
import type { LogInfo, Manager } from "../../manager/index.ts";
import { everyOne } from "../databases.ts";
import { Output, sizeText, timeText } from "../output.ts";
import { directoryOption, ioOption, jsonOption, type StoreOptions, withStore } from "../store.ts";
import { numberCell, tableText, textCell } from "../table.ts";

interface LogsCommandOptions extends StoreOptions {
  readonly prefix?: string;
  readonly json?: boolean;
}

interface LogFacts extends LogInfo {
  readonly firstIndex: bigint | undefined;
  readonly lastIndex: bigint | undefined;
  readonly durableIndex: bigint | undefined;
}

const HEAD = ["name", "first", "last", "durable", "size", "created (UTC)"];

export function logsCommand(): Command {
  return new Command("logs")
    .summary("list the record logs of the store")
    .description("List the record logs of the store: their entries, and the bytes these take.")
    .option("--prefix <text>", "only names that begin with it")
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  bop logs\n  bop logs --prefix raft- --json")
    .action((options: LogsCommandOptions) =>
      withStore(options, (manager) => run(manager, options)),
    );
}

async function run(manager: Manager, options: LogsCommandOptions): Promise<void> {
  const output = new Output(process.stdout);
  const logs: LogFacts[] = [];
  for await (const log of everyLog(manager, options.prefix)) logs.push(log);
  if (options.json === true) {
    output.json({ logs: logs.map(asJson) });
    return;
  }
  const rows = logs.map(({ name, firstIndex, lastIndex, durableIndex, sizeBytes, createdAt }) => [
    textCell(name),
    numberCell(indexText(firstIndex)),
    numberCell(indexText(lastIndex)),
    numberCell(indexText(durableIndex)),
    numberCell(sizeText(sizeBytes)),
    textCell(timeText(createdAt)),
  ]);
  output.write(rows.length > 0 ? tableText(HEAD, rows) : "no record logs\n");
}

async function* everyLog(manager: Manager, prefix?: string): AsyncGenerator<LogFacts> {
  for await (const info of everyOne((page) => manager.logs(page), prefix)) {
    const log = await manager.log(info.name, { create: false });
    const { firstIndex, lastIndex, durableIndex } = log;
    yield { ...info, firstIndex, lastIndex, durableIndex };
    await log.close();
  }
}

function asJson({ name, firstIndex, lastIndex, durableIndex, sizeBytes, createdAt }: LogFacts) {
  return {
    name,
    firstIndex: firstIndex?.toString(),
    lastIndex: lastIndex?.toString(),
    durableIndex: durableIndex?.toString(),
    sizeBytes,
    createdAt: createdAt.toISOString(),
  };
}

const indexText = (index: bigint | undefined): string => index?.toString() ?? "";
