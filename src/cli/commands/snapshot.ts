/** `bop snapshot`: moments that are kept under a name, of one database or of all. */
import { statSync } from "node:fs";
import { Command, Option } from "commander";
import type { Manager, SnapshotInfo } from "../../manager/index.ts";
import { checkedName, snapshotArgument } from "../arguments.ts";
import { existingDatabase } from "../databases.ts";
import { UsageError } from "../exit.ts";
import { handDown } from "../hand-down.ts";
import { Output, sizeText, timeText } from "../output.ts";
import { progressBar } from "../progress.ts";
import {
  directoryOption,
  interruptible,
  ioOption,
  jsonOption,
  type StoreOptions,
  withStore,
} from "../store.ts";
import { numberCell, tableText, textCell } from "../table.ts";

interface SnapshotOptions extends StoreOptions {
  /** Undefined: of all databases. */
  readonly database?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  bop snapshot create before-migration --database shop
  bop snapshot create nightly
  bop snapshot list --database shop
  bop snapshot export nightly shop.sqlite --database shop
  bop snapshot drop nightly --yes`;

export function snapshotCommand(): Command {
  const snapshot = withShared(new Command("snapshot"))
    .summary("keep moments under a name: create, list, drop, export")
    .description(
      "Keep a moment of one database (--database), or of all, under a name. `bop shell --snapshot`\n" +
        "reads it, `bop fork --snapshot` makes a database of it.",
    )
    .enablePositionalOptions()
    .hook("preSubcommand", handDown)
    .addHelpText("after", EXAMPLES);
  for (const command of [createCommand(), listCommand(), dropCommand(), exportCommand()]) {
    snapshot.addCommand(command);
  }
  return snapshot;
}

function createCommand(): Command {
  return withShared(new Command("create"))
    .summary("keep this moment")
    .addArgument(snapshotArgument("its name"))
    .addOption(databaseOption("of this database alone; of all if left out"))
    .action((name: string, options: SnapshotOptions) =>
      withStore(options, async (manager) => {
        const info = await (await ownerOf(manager, options)).snapshot(name);
        const output = new Output(process.stdout);
        const { database } = options;
        if (options.json === true) output.json({ snapshot: jsonOf(info, database) });
        else output.write(`kept ${database ?? "all databases"} as ${name}, at ${info.lsn}\n`);
      }),
    );
}

function listCommand(): Command {
  return withShared(new Command("list"))
    .summary("list what is kept")
    .addOption(databaseOption("what this database can be read at; of the store if left out"))
    .action((options: SnapshotOptions) =>
      withStore(options, async (manager) => {
        const snapshots = await (await ownerOf(manager, options)).snapshots();
        const output = new Output(process.stdout);
        const { database } = options;
        if (options.json === true) {
          output.json({ snapshots: snapshots.map((info) => jsonOf(info, database)) });
          return;
        }
        const rows = snapshots.map(({ name, scope, lsn, createdAt }) => [
          textCell(name),
          textCell(scope),
          numberCell(String(lsn)),
          textCell(timeText(createdAt)),
        ]);
        if (rows.length === 0) output.write("no snapshots\n");
        else output.write(tableText(["name", "of", "lsn", "created (UTC)"], rows));
      }),
    );
}

function dropCommand(): Command {
  return withShared(new Command("drop"))
    .summary("forget a snapshot")
    .addArgument(snapshotArgument("the snapshot"))
    .addOption(databaseOption("of this database; of the store if left out"))
    .option("-y, --yes", "what it alone has kept goes, and cannot be brought back")
    .action((name: string, options: SnapshotOptions & { readonly yes?: boolean }) => {
      if (options.yes !== true) {
        throw new UsageError(`what ${name} alone has kept cannot be brought back; add --yes`);
      }
      return withStore(options, async (manager) => {
        await (await ownerOf(manager, options)).dropSnapshot(name);
        const output = new Output(process.stdout);
        const { database } = options;
        if (options.json === true) {
          output.json({ dropped: { snapshot: name, database: database ?? null } });
        } else output.write(`dropped snapshot ${name}\n`);
      });
    });
}

function exportCommand(): Command {
  return withShared(new Command("export"))
    .summary("write a database as it was to a SQLite file")
    .addArgument(snapshotArgument("the snapshot"))
    .argument("<file>", "a file that does not exist yet")
    .addOption(databaseOption("the database").makeOptionMandatory())
    .action((snapshot: string, file: string, options: SnapshotOptions & { database: string }) =>
      withStore(options, (manager) => exportSnapshot(manager, { snapshot, file, options })),
    );
}

interface ExportJob {
  readonly snapshot: string;
  readonly file: string;
  readonly options: SnapshotOptions & { readonly database: string };
}

async function exportSnapshot(manager: Manager, { snapshot, file, options }: ExportJob) {
  const { database, json } = options;
  await existingDatabase(manager, database);
  const moment = await (await manager.database(database)).openSnapshot(snapshot);
  const progress = progressBar(`exporting ${database}`, process.stderr);
  try {
    const { onProgress } = progress;
    await interruptible((signal) => moment.export(file, { signal, onProgress }));
  } finally {
    progress.stop();
    await moment.close();
  }
  const sizeBytes = statSync(file).size;
  const output = new Output(process.stdout);
  if (json === true) output.json({ exported: { name: database, snapshot, file, sizeBytes } });
  else output.write(`exported ${database} at ${snapshot} to ${file}: ${sizeText(sizeBytes)}\n`);
}

function withShared(command: Command): Command {
  return command.addOption(directoryOption()).addOption(ioOption()).addOption(jsonOption());
}

function databaseOption(meaning: string): Option {
  return new Option("--database <name>", meaning).argParser(checkedName);
}

/** What has the snapshots that are meant. */
async function ownerOf(manager: Manager, { database }: SnapshotOptions) {
  if (database === undefined) return manager;
  await existingDatabase(manager, database);
  return manager.database(database, { create: false });
}

function jsonOf(info: SnapshotInfo, database: string | undefined): object {
  const { name, scope, lsn, createdAt } = info;
  const of = scope === "store" ? null : (database ?? null);
  return { name, scope, database: of, lsn, createdAt: createdAt.toISOString() };
}
