/**
 * `bop serve`: the databases of a directory over HTTP, until somebody says stop.
 *
 * (1) Standard output carries one line, the URL, once requests are answered: a script may wait for
 *     it. What a person wants to see besides, and the log, go to standard error.
 * (2) The first SIGTERM or SIGINT lets requests that run finish, rolls back open transactions and
 *     closes the store cleanly: exit code 0. The second ends the process at once: what was
 *     acknowledged is durable either way.
 */
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import type { Logger } from "pino";
import { systemEnv } from "../../io/index.ts";
import type { Diagnostics } from "../../manager/index.ts";
import { asUsage, CommandError, UsageError } from "../exit.ts";
import {
  type Durability,
  directoryOption,
  type IoKind,
  ioOption,
  openTelling,
  shippedOptions,
} from "../store.ts";

interface ServeOptions {
  readonly directory: string;
  readonly host: string;
  readonly port: number;
  readonly autoCreate: boolean;
  readonly engine: "sqlite" | "libsql";
  readonly io: IoKind;
  readonly sink?: string;
  readonly durability?: Durability;
  readonly diskBytes?: number;
  readonly startFromSink: boolean;
  readonly allowInsecure: boolean;
  readonly logLevel: string;
}

const STDERR = 2;
const EXIT_FORCED = 1;
const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"];

const EXAMPLES = `
Examples:
  bop serve                                 # ./data on http://127.0.0.1:8080
  bop serve -d /srv/store --port 0          # a free port; its URL is printed
  bop serve --auto-create                   # databases appear when they are first asked for
  bop serve --sink s3://backups/shop --start-from-sink --disk-bytes 20GiB
`;

export function serveCommand(): Command {
  return new Command("serve")
    .description("serve the databases of a store to libSQL clients over HTTP")
    .addOption(directoryOption())
    .addOption(
      new Option("--host <address>", "where to listen").env("BOP_HOST").default("127.0.0.1"),
    )
    .addOption(
      new Option("--port <number>", "0 picks a free one")
        .env("BOP_PORT")
        .default(8080)
        .argParser(portNumber),
    )
    .addOption(
      new Option("--auto-create", "create a database when it is first asked for")
        .env("BOP_AUTO_CREATE")
        .default(false),
    )
    .addOption(
      new Option("--engine <kind>", "engine of databases that are created")
        .env("BOP_ENGINE")
        .choices(["sqlite", "libsql"])
        .default("sqlite"),
    )
    .addOption(ioOption())
    .addOption(
      new Option("--start-from-sink", "an empty directory takes up the store that the sink holds")
        .env("BOP_START_FROM_SINK")
        .default(false),
    )
    .addOption(
      new Option("--allow-insecure", "listen where others can reach it, without authentication")
        .env("BOP_ALLOW_INSECURE")
        .default(false),
    )
    .addOption(
      new Option("--log-level <level>").env("BOP_LOG_LEVEL").choices(LOG_LEVELS).default("info"),
    )
    .addHelpText("after", EXAMPLES)
    .action(serve);
}

function portNumber(text: string): number {
  const port = Number(text);
  if (/^[0-9]{1,5}$/.test(text) && port <= 65_535) return port;
  throw new UsageError(`--port is ${JSON.stringify(text)}; want a number from 0 to 65535`);
}

async function serve(options: ServeOptions): Promise<void> {
  const { host, port, autoCreate, allowInsecure } = options;
  // Loaded here: `bop --help` shows this command too, and need not wait for an HTTP server.
  const { loggerTo } = await import("../logger.ts");
  const { assertMayListen, startServer } = await import("../../server/index.ts");
  // Before a store is made, or a bucket is taken from whoever has it.
  await asUsage(async () => assertMayListen(host, allowInsecure));
  const logger = loggerTo(STDERR, options.logLevel);
  const directory = resolve(options.directory);
  const { engine, io } = options;
  const shipped = shippedOptions(options);
  const manager = await openTelling(directory, { engine, io, profile: "server", ...shipped });
  try {
    sayHowItIsWritten(manager.diagnostics(), logger);
    sayWhereItIsShipped(manager.diagnostics(), logger);
    const { clock } = systemEnv({ scratchDirectory: join(directory, "tmp") });
    const listening = { host, port, autoCreate, allowInsecure };
    const server = await startServer({ manager, clock, logger, ...listening });
    process.stderr.write(welcome(server.url, directory));
    process.stdout.write(`${server.url}\n`);
    const signal = await stopSignal(logger);
    logger.info({ signal }, "closing: requests that run may finish");
    await server.close();
  } catch (error) {
    throw listenFailure(error, `${host}:${port}`) ?? error;
  } finally {
    await manager.close();
  }
  logger.info("closed");
}

const LISTEN_FAILURES: Readonly<Record<string, string>> = {
  EADDRINUSE: "is taken: something listens there",
  EACCES: "may not be listened on by this user",
  EADDRNOTAVAIL: "is no address of this machine",
  ENOTFOUND: "is no address of this machine",
};

/** Undefined for what is no refusal of the place to listen on. */
function listenFailure(error: unknown, place: string): CommandError | undefined {
  const { code, syscall } = error as { readonly code?: unknown; readonly syscall?: unknown };
  const why = typeof code === "string" ? LISTEN_FAILURES[code] : undefined;
  if (why === undefined || (syscall !== "listen" && syscall !== "getaddrinfo")) return undefined;
  return new CommandError(
    `${place} ${why}`,
    "name another with --host or --port; 0 picks a free one",
  );
}

/** One line each: which driver, and what the operator should know of this machine. */
function sayHowItIsWritten({ io, warnings }: Diagnostics, logger: Logger): void {
  const { kind, backend, fallback } = io;
  const why = fallback === undefined ? "" : `, since ${fallback}`;
  logger.info({ io: kind, backend }, `the log is written with the ${kind} driver${why}`);
  for (const warning of warnings) logger.warn(warning);
}

function sayWhereItIsShipped({ sink, residency }: Diagnostics, logger: Logger): void {
  if (sink === undefined) return;
  const read = residency?.startedFrom;
  if (read !== undefined) logger.info({ sink: sink.location, ...read }, "started from the sink");
  const { location, state, epoch, remoteLsn, lastError } = sink;
  const facts = { sink: location, epoch, remoteLsn };
  if (state === "shipping") logger.info(facts, "shipping");
  else
    logger.warn({ ...facts, state, lastError }, "not shipping yet; commits at level local go on");
}

/** Resolves at the first signal; from then on the next one ends the process. */
function stopSignal(logger: Logger): Promise<string> {
  return new Promise((resolveSignal) => {
    let stopping = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (stopping) {
          logger.warn({ signal }, "ended without waiting");
          process.exit(EXIT_FORCED);
        }
        stopping = true;
        resolveSignal(signal);
      });
    }
  });
}

function welcome(url: string, directory: string): string {
  return `
  Serving the databases in ${directory}

    import { createClient } from "@libsql/client";
    const client = createClient({ url: "${url}" });
    await client.execute("select 'hello' as greeting");

  That is the database "default". Another one: ${url}/ns/<name>/
  There is no authentication yet. Ctrl-C stops.

`;
}
