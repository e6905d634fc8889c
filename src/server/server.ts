/**
 * THE SERVER: databases of one manager, over HTTP.
 *
 * (1) There is no authentication yet: whoever reaches the port may do everything. So it listens on
 *     the machine's own addresses only, unless it is told that this is understood, and takes no
 *     requests of web pages: see (1) of hrana/http.ts.
 * (2) The database "default" exists once the server has started. Others are 404 until somebody
 *     creates them, or are created on first use with `autoCreate`.
 * (3) `close` rolls back the transactions that wait for their clients, lets requests that run finish,
 *     for `drainMs` at most, and takes no new ones. The manager stays open: whoever opened it closes it.
 */
import type { AddressInfo } from "node:net";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import type { Clock } from "../base/env.ts";
import type { Database, Manager } from "../manager/index.ts";
import { DEFAULT_DATABASE } from "./database-name.ts";
import { HranaError, isOurFault } from "./hrana/error.ts";
import { addHranaRoutes } from "./hrana/http.ts";
import { StreamTable } from "./hrana/stream-table.ts";
import { resolveLimits, type ServerLimits } from "./limits.ts";
import { VERSION } from "./version.ts";

export interface ServerOptions {
  readonly manager: Manager;
  readonly clock: Clock;
  readonly logger: FastifyBaseLogger;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 picks a free one. Default 8080. */
  readonly port?: number;
  /** Creates a database when it is first asked for. Default false. */
  readonly autoCreate?: boolean;
  /** Listen on addresses that others can reach, though there is no authentication. */
  readonly allowInsecure?: boolean;
  readonly limits?: Partial<ServerLimits>;
}

export interface RunningServer {
  /** `http://127.0.0.1:8080`. */
  readonly url: string;
  /** See (3). Idempotent. */
  close(): Promise<void>;
}

/** Throws a RangeError for an address that others can reach, unless that is allowed. See (1). */
export function assertMayListen(host: string, allowInsecure: boolean): void {
  if (isLoopback(host) || allowInsecure) return;
  throw new RangeError(
    `the server has no authentication: on ${host} everybody who reaches the port could read ` +
      "and change every database. Listen on 127.0.0.1, or allow it with --allow-insecure.",
  );
}

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { manager, clock, logger, host = "127.0.0.1", port = 8080 } = options;
  assertMayListen(host, options.allowInsecure === true);
  const limits = resolveLimits(options.limits);
  await (await manager.database(DEFAULT_DATABASE)).close();
  const streams = new StreamTable({
    clock,
    limits,
    openDatabase: (name) => openDatabase(manager, name, options.autoCreate ?? false),
    onError: (error) => {
      if (isOurFault(error)) logger.error(error);
    },
  });
  const app = createApp(logger, limits);
  addPlainRoutes(app, manager);
  addHranaRoutes(app, { streams, limits });
  await app.listen({ host, port });
  let closing: Promise<void> | undefined;
  return {
    url: urlOf(app, host),
    close: () => {
      closing ??= drain(app, { streams, clock, drainMs: limits.drainMs });
      return closing;
    },
  };
}

function createApp(logger: FastifyBaseLogger, limits: ServerLimits): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.requestBytes,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    // 255 bytes of a name, percent-encoded.
    routerOptions: { maxParamLength: 3 * 255 },
    forceCloseConnections: "idle",
    http: {
      headersTimeout: Math.min(limits.headersMs, limits.requestMs),
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 16 * 1024,
    },
  });
  app.server.maxConnections = limits.connections;
  return app;
}

function addPlainRoutes(app: FastifyInstance, manager: Manager): void {
  app.get("/health", (_request, reply) => {
    const { state } = manager.diagnostics();
    return reply.code(state === "open" ? 200 : 503).send({ state });
  });
  app.get("/diagnostics", (_request, reply) => reply.send(manager.diagnostics()));
  app.get("/version", (_request, reply) => reply.send(`bop-storage ${VERSION}`));
  app.options("*", (_request, reply) => reply.code(200).send());
}

async function openDatabase(manager: Manager, name: string, create: boolean): Promise<Database> {
  try {
    return await manager.database(name, { create });
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new HranaError("NAMESPACE_INVALID", error.message);
  }
}

interface Draining {
  readonly streams: StreamTable;
  readonly clock: Clock;
  readonly drainMs: number;
}

async function drain(app: FastifyInstance, { streams, clock, drainMs }: Draining): Promise<void> {
  await streams.drain();
  const cut = clock.after(drainMs, () => app.server.closeAllConnections());
  await app.close();
  cut.dispose();
  await streams.close();
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.[0-9]{1,3}){3}$/.test(host);
}

function urlOf(app: FastifyInstance, host: string): string {
  const { port } = app.server.address() as AddressInfo;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
