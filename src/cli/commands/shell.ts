/** `bop shell`: SQL by hand or from a script. */
import { Command, Option } from "commander";
import type { Connection, Database, Manager } from "../../manager/index.ts";
import { checkedSnapshot, nameArgument } from "../arguments.ts";
import { existingDatabase } from "../databases.ts";
import { EXIT } from "../exit.ts";
import { Output } from "../output.ts";
import { historyPath, readHistory, writeHistory } from "../shell/history.ts";
import { runPipe } from "../shell/pipe.ts";
import { ROW_MODES, type RowMode } from "../shell/rows.ts";
import { ShellSession } from "../shell/session.ts";
import { runTerminal } from "../shell/terminal.ts";
import {
  directoryOption,
  ioOption,
  jsonOption,
  type StoreOptions,
  withNewStore,
  withStore,
} from "../store.ts";

interface ShellCommandOptions extends StoreOptions {
  readonly mode?: RowMode;
  readonly json?: boolean;
  readonly continue?: boolean;
  readonly create?: boolean;
  readonly snapshot?: string;
}

const EXAMPLES = `
Examples:
  bop shell shop
  echo 'select count(*) from album' | bop shell shop
  bop shell shop --json < report.sql
  bop shell shop --snapshot before-migration

At a terminal rows come as a table, in a pipe as values with | between them; --mode changes it.
What was typed is kept in ~/.bop_history; BOP_HISTORY names another file, or is "off".`;

export function shellCommand(): Command {
  return new Command("shell")
    .summary("run SQL by hand or from a pipe")
    .description("Run SQL on a database, by hand at a terminal or from a pipe. `.help` helps.")
    .addArgument(nameArgument("the database"))
    .addOption(new Option("--mode <mode>", "how rows are written").choices(ROW_MODES))
    .addOption(
      new Option("--snapshot <name>", "read a snapshot; what would write is refused")
        .argParser(checkedSnapshot)
        .conflicts("create"),
    )
    .option("--create", "create the database if there is none of that name")
    .option("--continue", "in a pipe: go on after an error")
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption().conflicts("mode"))
    .addHelpText("after", EXAMPLES)
    .action(async (name: string, options: ShellCommandOptions) => {
      const open = options.create === true ? withNewStore : withStore;
      const isGood = await open(options, (manager) => run(manager, name, options));
      if (!isGood) process.exitCode = EXIT.failed;
    });
}

/** False if a statement from a pipe failed. */
async function run(manager: Manager, name: string, options: ShellCommandOptions): Promise<boolean> {
  if (options.create !== true) await existingDatabase(manager, name);
  const database = await manager.database(name);
  const connection = await connect(database, options.snapshot);
  const output = new Output(process.stdout);
  const isTyped = process.stdin.isTTY === true && output.isTerminal;
  const mode = options.json === true ? "json" : (options.mode ?? defaultMode(output));
  const session = new ShellSession({
    manager,
    databaseName: name,
    connection,
    settings: { mode, showTime: false, width: undefined },
    write: (text) => output.write(text),
    writeError: (text) => process.stderr.write(text),
    isClosed: () => output.isClosed,
    terminalWidth: () => output.columns,
    isChatty: isTyped,
  });
  try {
    if (isTyped) {
      output.write(`${name} (${database.engine}); .help helps, Ctrl-D leaves\n`);
      await converse(session);
      return true;
    }
    const goesOn = options.continue === true;
    return await runPipe(session, { input: process.stdin, goesOn });
  } finally {
    await connection.close();
  }
}

/** To the database as it is, or to a moment of it, which is closed with the store. */
async function connect(database: Database, snapshot: string | undefined): Promise<Connection> {
  if (snapshot === undefined) return database.connect();
  return (await database.openSnapshot(snapshot)).connect();
}

async function converse(session: ShellSession): Promise<void> {
  const path = historyPath(process.env);
  const before = path === undefined ? [] : readHistory(path);
  const { stdin: input, stdout } = process;
  const history = await runTerminal(session, { input, output: stdout, history: before });
  if (path !== undefined && !writeHistory(path, history)) {
    process.stderr.write(`bop: what was typed could not be kept in ${path}\n`);
  }
  stdout.write("\n");
}

function defaultMode(output: Output): RowMode {
  return output.isTerminal ? "table" : "list";
}
