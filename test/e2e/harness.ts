/**
 * What the end-to-end tests stand on: a store in a directory of its own, a server on it, and the two
 * ways to be its client. Nothing here is a stand-in: the client over HTTP is the published one.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient as createHttpClient } from "@libsql/client";
import type { IntMode } from "@libsql/core/api";
import { pino } from "pino";
import { systemEnv } from "../../src/io/index.ts";
import { createClient as createEmbeddedClient } from "../../src/libsql/index.ts";
import { Manager } from "../../src/manager/index.ts";
import { type RunningServer, type ServerLimits, startServer } from "../../src/server/index.ts";

export interface TestStore {
  readonly directory: string;
  readonly manager: Manager;
  readonly server: RunningServer;
  close(): Promise<void>;
}

export interface TestStoreOptions {
  readonly autoCreate?: boolean;
  readonly limits?: Partial<ServerLimits>;
}

export async function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), "bop-e2e-"));
}

export async function openTestStore(options: TestStoreOptions = {}): Promise<TestStore> {
  const { autoCreate = true, limits = {} } = options;
  const directory = await temporaryDirectory();
  const manager = await Manager.open({ directory });
  const { clock } = systemEnv({ scratchDirectory: join(directory, "tmp") });
  const logger = pino({ level: "silent" });
  const server = await startServer({ manager, clock, logger, port: 0, autoCreate, limits });
  const close = async () => {
    await server.close();
    await manager.close();
    await rm(directory, { recursive: true });
  };
  return { directory, manager, server, close };
}

export interface ClientKind {
  readonly name: string;
  create(store: TestStore, database: string, intMode?: IntMode): Client;
}

/** Both must behave the same. */
export const CLIENTS: readonly ClientKind[] = [
  {
    name: "@libsql/client over HTTP",
    create: ({ server }, database, intMode) =>
      createHttpClient({ url: `${server.url}/ns/${database}/`, ...(intMode ? { intMode } : {}) }),
  },
  {
    name: "bop-storage/libsql, embedded",
    create: ({ manager }, database, intMode) =>
      createEmbeddedClient({ manager, database, ...(intMode ? { intMode } : {}) }),
  },
];

/** A pipeline by hand, for what no client would send. */
export async function postPipeline(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly type: string | null; readonly json: HttpJson }> {
  const response = await fetch(`${url}/v2/pipeline`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const json = (await response.json()) as HttpJson;
  return { status: response.status, type: response.headers.get("content-type"), json };
}

/** What an answer may hold; tests look at the part that they asked for. */
export interface HttpJson {
  readonly baton: string | null;
  readonly results: readonly {
    readonly type: "ok" | "error";
    readonly error: { readonly code: string; readonly extended_code?: string };
    readonly response: { readonly result: HttpResult };
  }[];
  readonly code: string;
  readonly message: string;
  readonly error: string;
}

export interface HttpResult {
  readonly rows: readonly (readonly { readonly type: string; readonly value?: string }[])[];
  readonly step_errors: readonly ({ readonly code: string } | null)[];
}

export const executeRequest = (sql: string) => ({ type: "execute", stmt: { sql } });
