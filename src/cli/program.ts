/**
 * THE COMMANDS OF `bop`, and what all of them share.
 *
 * (1) Options may stand before the command, too: `bop --directory d list` is `bop list --directory d`.
 * (2) Only commands that are named in the arguments are loaded, all if none is; and an HTTP server only
 *     by the command that runs one. `bop list` need not wait for it to be compiled.
 * (3) Every command that opens a store and may change it, or read what is only in its sink, ships what
 *     there is if it is given one. What the others find unshipped stays for them.
 * (4) Wrong usage says what is wrong, what may have been meant, and where help is; nothing is tried.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { handDown } from "./hand-down.ts";
import {
  directoryOption,
  diskOption,
  durabilityOption,
  ioOption,
  jsonOption,
  sinkOption,
} from "./store.ts";
import { readSwitches } from "./switches.ts";

const AFTER_HELP = `
Examples:
  bop create notes
  bop shell notes
  bop import shop.sqlite --as shop
  bop serve --port 8080

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused (owned by another process, or read-only).
Variables: BOP_DIRECTORY for --directory, BOP_IO for --io, BOP_SINK for --sink, BOP_DURABILITY for
--durability, BOP_DISK_BYTES for --disk-bytes, BOP_HISTORY for the shell, BOP_DEBUG=1 for stack
traces.`;

/** They open a store, and read nothing that may be only in its sink. */
const READERS = ["list", "logs", "tree", "jobs"];

/** In the order in which help lists them. */
const LOADERS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./commands/serve.ts")).serveCommand(),
  shell: async () => (await import("./commands/shell.ts")).shellCommand(),
  list: async () => (await import("./commands/list.ts")).listCommand(),
  logs: async () => (await import("./commands/logs.ts")).logsCommand(),
  create: async () => (await import("./commands/create.ts")).createCommand(),
  rename: async () => (await import("./commands/rename.ts")).renameCommand(),
  drop: async () => (await import("./commands/drop.ts")).dropCommand(),
  fork: async () => (await import("./commands/fork.ts")).forkCommand(),
  tree: async () => (await import("./commands/tree.ts")).treeCommand(),
  snapshot: async () => (await import("./commands/snapshot.ts")).snapshotCommand(),
  import: async () => (await import("./commands/import.ts")).importCommand(),
  export: async () => (await import("./commands/export.ts")).exportCommand(),
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand(),
  "dead-letters": async () => (await import("./commands/dead-letters.ts")).deadLettersCommand(),
  restore: async () => (await import("./commands/restore.ts")).restoreCommand(),
  top: async () => (await import("./commands/top.ts")).topCommand(),
  status: async () => (await import("./commands/status.ts")).statusCommand(),
  jobs: async () => (await import("./commands/jobs.ts")).jobsCommand(),
  verify: async () => (await import("./commands/verify.ts")).verifyCommand(),
  rebuild: async () => (await import("./commands/rebuild.ts")).rebuildCommand(),
  scrub: async () => (await import("./commands/scrub.ts")).scrubCommand(),
  inspect: async () => (await import("./commands/inspect.ts")).inspectCommand(),
  collect: async () => (await import("./commands/collect.ts")).collectCommand(),
  checkpoint: async () => (await import("./commands/checkpoint.ts")).checkpointCommand(),
};

/** `bop` with the commands that these arguments may mean. */
export async function program(argv: readonly string[]): Promise<Command> {
  const bop = new Command("bop")
    .description("Fleets of SQLite and libSQL databases over one log.")
    .version(packageVersion(), "-V, --version", "print the version")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "bop: ")) })
    .showHelpAfterError("     `bop --help` lists the commands; `bop <command> --help` explains one")
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(sinkOption())
    .addOption(durabilityOption())
    .addOption(diskOption())
    .addOption(jsonOption())
    .addHelpText("after", AFTER_HELP)
    .hook("preSubcommand", handDown)
    .hook("preAction", readSwitches);
  for (const load of loadersFor(argv)) {
    const command = await load();
    bop.addCommand(command);
    addShipping(command);
    inherit(bop, command);
  }
  return bop;
}

/** See (3). */
function addShipping(command: Command): void {
  const has = (flag: string) => command.options.some(({ long }) => long === flag);
  if (has("--io") && !has("--sink") && !READERS.includes(command.name())) {
    command.addOption(sinkOption()).addOption(durabilityOption()).addOption(diskOption());
  }
  for (const member of command.commands) addShipping(member);
}

/** How errors end and where they are written, down to the commands of a group. */
function inherit(from: Command, command: Command): void {
  command.copyInheritedSettings(from);
  for (const member of command.commands) inherit(command, member);
}

function loadersFor(argv: readonly string[]): (() => Promise<Command>)[] {
  const named = Object.keys(LOADERS).filter((name) => argv.includes(name));
  return (named.length > 0 ? named : Object.keys(LOADERS)).flatMap((name) => LOADERS[name] ?? []);
}

function packageVersion(): string {
  const file = join(import.meta.dirname, "../../package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return version;
}
