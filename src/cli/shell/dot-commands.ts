/**
 * COMMANDS OF THE SHELL ITSELF. The table below is what runs and what `.help` prints.
 *
 * (1) An unknown command, or a wrong argument, is an error that says what there is.
 */
import { everyDatabase } from "../databases.ts";
import { UsageError } from "../exit.ts";
import { sizeText } from "../output.ts";
import { suggestion } from "../suggestion.ts";
import { numberCell, tableText, textCell } from "../table.ts";
import { isRowMode, ROW_MODES } from "./rows.ts";
import type { LineOutcome, ShellOptions } from "./shell.ts";

interface DotCommand {
  readonly usage: string;
  readonly meaning: string;
  run(shell: ShellOptions, argument: string): Promise<LineOutcome>;
}

const COMMANDS: Readonly<Record<string, DotCommand>> = {
  help: { usage: ".help", meaning: "this list", run: help },
  tables: { usage: ".tables [pattern]", meaning: "tables and views", run: tables },
  schema: { usage: ".schema [pattern]", meaning: "the statements that made them", run: schema },
  list: { usage: ".list", meaning: "databases of the store (also .databases)", run: list },
  mode: { usage: `.mode ${ROW_MODES.join("|")}`, meaning: "how rows are written", run: mode },
  width: { usage: ".width [n|auto]", meaning: "how wide a table may be; 0: no limit", run: width },
  timer: { usage: ".timer on|off", meaning: "time of each statement", run: timer },
  quit: { usage: ".quit", meaning: "leave (also .exit and Ctrl-D)", run: async () => "quit" },
};

const ALIASES: Readonly<Record<string, string>> = { databases: "list", exit: "quit" };

export async function runDotCommand(line: string, shell: ShellOptions): Promise<LineOutcome> {
  const [, name = "", argument = ""] = /^\.(\S*)\s*(.*)$/s.exec(line.replace(/;\s*$/, "")) ?? [];
  const command = COMMANDS[ALIASES[name] ?? name];
  if (command === undefined) {
    const names = [...Object.keys(COMMANDS), ...Object.keys(ALIASES)];
    const near = suggestion(name, names);
    const hint = near === undefined ? ".help lists the commands" : `did you mean .${near}?`;
    throw new UsageError(`there is no command .${name}; ${hint}`);
  }
  return command.run(shell, unquoted(argument.trim()));
}

async function help({ write }: ShellOptions): Promise<LineOutcome> {
  const commands = Object.values(COMMANDS);
  const widest = Math.max(...commands.map(({ usage }) => usage.length));
  for (const { usage, meaning } of commands) write(`  ${usage.padEnd(widest)}  ${meaning}\n`);
  write("  SQL statements end with a semicolon and may take several lines.\n");
  return "ok";
}

async function tables({ connection, write }: ShellOptions, pattern: string): Promise<LineOutcome> {
  const rows = await connection
    .prepare(
      `select name from pragma_table_list
       where schema in ('main', 'temp') and type in ('table', 'view', 'virtual')
         and name not in ('sqlite_schema', 'sqlite_temp_schema') and name not like 'sqlite\\_%' escape '\\'
         and name like ? order by name`,
    )
    .pluck<string>()
    .all(likePattern(pattern));
  for (const name of rows) write(`${name}\n`);
  return "ok";
}

async function schema({ connection, write }: ShellOptions, pattern: string): Promise<LineOutcome> {
  const rows = await connection
    .prepare(
      `select sql from (select * from sqlite_schema union all select * from sqlite_temp_schema)
       where sql is not null and tbl_name like ? order by tbl_name, type desc, name`,
    )
    .pluck<string>()
    .all(likePattern(pattern));
  for (const sql of rows) write(`${sql};\n`);
  return "ok";
}

async function list({ manager, databaseName, write }: ShellOptions): Promise<LineOutcome> {
  const rows = [];
  for await (const { name, sizeBytes } of everyDatabase(manager)) {
    const mark = name === databaseName ? "*" : "";
    rows.push([textCell(name), numberCell(sizeText(sizeBytes)), textCell(mark)]);
  }
  write(tableText(["database", "size", "here"], rows));
  return "ok";
}

async function mode({ settings, write }: ShellOptions, argument: string): Promise<LineOutcome> {
  if (argument === "") {
    write(`${settings.mode}\n`);
    return "ok";
  }
  if (!isRowMode(argument)) throw new UsageError(`.mode takes ${ROW_MODES.join(", ")}`);
  settings.mode = argument;
  return "ok";
}

async function width({ settings, write }: ShellOptions, argument: string): Promise<LineOutcome> {
  if (argument === "") {
    write(`${settings.width ?? "auto"}\n`);
    return "ok";
  }
  if (argument !== "auto" && !/^\d{1,5}$/.test(argument)) {
    throw new UsageError(".width takes a number of columns, 0 for no limit, or auto");
  }
  const columns = argument === "auto" ? undefined : Number(argument);
  settings.width = columns === 0 ? Number.MAX_SAFE_INTEGER : columns;
  return "ok";
}

async function timer({ settings, write }: ShellOptions, argument: string): Promise<LineOutcome> {
  if (argument === "") write(`${settings.showTime ? "on" : "off"}\n`);
  else if (argument === "on" || argument === "off") settings.showTime = argument === "on";
  else throw new UsageError(".timer takes on or off");
  return "ok";
}

/** A bare name means itself alone; a pattern with % or * means what it says. */
function likePattern(argument: string): string {
  return argument === "" ? "%" : argument.replaceAll("*", "%");
}

function unquoted(argument: string): string {
  return /^(['"]).*\1$/s.test(argument) ? argument.slice(1, -1) : argument;
}
