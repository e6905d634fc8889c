/**
 * THE STORE OF A COMMAND: opened before it, closed behind it, whatever it throws.
 *
 * (1) Only commands that make databases make a store; the others refuse a directory without one, so
 *     that a misspelt --directory leaves nothing behind.
 * (2) The first Ctrl-C aborts the command's signal and lets it clean up; the second ends the process.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Option } from "commander";
import { Manager, type ManagerOptions } from "../manager/index.ts";
import { checkedPlace, sizeOf } from "./arguments.ts";
import { CommandError, UsageError } from "./exit.ts";
import { sizeText } from "./output.ts";
import { visible } from "./visible.ts";

export type Durability = NonNullable<ManagerOptions["durability"]>;
export type IoKind = NonNullable<ManagerOptions["io"]>;

export interface StoreOptions {
  readonly directory: string;
  /** Absent for commands that open no store: they read its files. */
  readonly io?: IoKind;
  /** Absent for commands that do not ship. */
  readonly sink?: string;
  readonly durability?: Durability;
  readonly diskBytes?: number;
  /** Of `bop serve`. */
  readonly startFromSink?: boolean;
}

/** What every store has from its first moments; one of them may be lost. */
const MARKS = ["manifest", "superblock"];
/** Gives a sink up: see docs/durability.md. */
const NO_SINK = "none";
const EXIT_INTERRUPTED = 130;
/** An opening that takes longer says so, a line this often. */
const TELL_EVERY_MS = 1000;

/** `--directory`, the same for every command. */
export function directoryOption(): Option {
  return new Option("-d, --directory <path>", "the store").env("BOP_DIRECTORY").default("./data");
}

/** `--io`, the same for every command that opens a store. */
export function ioOption(): Option {
  return new Option("--io <kind>", "how the log is written: see docs/platforms.md")
    .env("BOP_IO")
    .choices(["auto", "direct", "standard"])
    .default("auto");
}

/** `--sink`, of every command that changes a store: see sink-options.ts. */
export function sinkOption(): Option {
  return new Option("--sink <url>", "where it is shipped: see docs/sinks.md")
    .env("BOP_SINK")
    .argParser((url) => (url === NO_SINK ? url : checkedPlace(url)));
}

/** `--durability`, along with it. */
export function durabilityOption(): Option {
  return new Option("--durability <level>", "what a commit waits for: see docs/durability.md")
    .env("BOP_DURABILITY")
    .choices(["local", "remote"]);
}

/** `--disk-bytes`, along with them: see docs/tiering.md. */
export function diskOption(): Option {
  return new Option(
    "--disk-bytes <size>",
    "keep less of what the sink has here: see docs/tiering.md",
  )
    .env("BOP_DISK_BYTES")
    .argParser(sizeOf);
}

export function jsonOption(): Option {
  return new Option("--json", "print JSON for programs");
}

/** Runs `work` on a store that must be there. */
export async function withStore<T>(
  options: StoreOptions,
  work: (manager: Manager) => Promise<T>,
): Promise<T> {
  refuseWithoutStore(options);
  return withNewStore(options, work);
}

/** See (1). */
export function refuseWithoutStore({ directory }: StoreOptions): void {
  if (MARKS.some((mark) => existsSync(join(directory, mark)))) return;
  throw new CommandError(
    `there is no store in ${resolve(directory)}`,
    "name another with --directory or BOP_DIRECTORY; `bop create <name>` makes one",
  );
}

/** Runs `work` on a store that is made if it is not there. */
export async function withNewStore<T>(
  options: StoreOptions,
  work: (manager: Manager) => Promise<T>,
): Promise<T> {
  const { directory, io = "auto" } = options;
  const manager = await openTelling(resolve(directory), { io, ...shippedOptions(options) });
  try {
    return await work(manager);
  } finally {
    await manager.close();
  }
}

/** What of a command's options says where it is shipped. Throws a UsageError. */
export function shippedOptions({
  sink,
  durability,
  diskBytes,
  startFromSink = false,
}: Shipped): Pick<ManagerOptions, "sink" | "durability" | "limits" | "startFromSink"> {
  if (sink === undefined || sink === NO_SINK) {
    const needs = { "--durability remote": durability === "remote", "--disk-bytes": diskBytes };
    for (const [option, value] of Object.entries({
      ...needs,
      "--start-from-sink": startFromSink,
    })) {
      if (value) throw new UsageError(`${option} needs --sink, or BOP_SINK`);
    }
  }
  return {
    ...(sink !== undefined && { sink }),
    ...(durability && { durability }),
    ...(diskBytes !== undefined && { limits: { diskBytes } }),
    ...(startFromSink && { startFromSink }),
  };
}

type Shipped = Pick<StoreOptions, "sink" | "durability" | "diskBytes" | "startFromSink">;

/** Opens a store, and says on standard error what takes so long, if it does. */
export async function openTelling(
  directory: string,
  options: Omit<ManagerOptions, "directory"> = {},
): Promise<Manager> {
  let toldMs = performance.now();
  const onProgress: ManagerOptions["onProgress"] = ({ doneBytes, totalBytes }) => {
    const nowMs = performance.now();
    if (nowMs - toldMs < TELL_EVERY_MS) return;
    toldMs = nowMs;
    const done = `${sizeText(doneBytes)} of ${sizeText(totalBytes)}`;
    process.stderr.write(`recovering ${visible(directory)}: ${done} of log checked\n`);
  };
  return Manager.open({ ...options, directory, onProgress });
}

/** Gives `work` a signal that Ctrl-C aborts (2). */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    controller.abort(new CommandError("interrupted; nothing was kept"));
  };
  process.on("SIGINT", interrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", interrupt);
  }
}
