/**
 * WHAT createClient ACCEPTS: the configuration of @libsql/client with a `file:` URL, or the names
 * of the same things outright.
 *
 *   { url: "file:./data?database=notes" }         directory ./data, database "notes"
 *   { directory: "./data", database: "notes" }    the same
 *   { manager, database: "notes" }                in a store that the program has open already
 *
 * (1) Without a database it is "default", as on the server.
 * (2) What a local client cannot do is refused by name, with the codes of @libsql/client. What means
 *     nothing here (`authToken`, `tls`, `fetch`, `concurrency`, `timeout`) is ignored, as it is there
 *     for files.
 */
import { type IntMode, type Config as LibsqlConfig, LibsqlError } from "@libsql/core/api";
import { parseUri } from "@libsql/core/uri";
import type { Manager } from "../manager/index.ts";

type Common = Partial<Omit<LibsqlConfig, "url">>;

export type Config = Common &
  (
    | { readonly url: string }
    | { readonly directory: string; readonly database?: string }
    | { readonly manager: Manager; readonly database?: string }
  );

export interface ResolvedConfig {
  /** A directory that clients of this process share, or a manager that its owner closes. */
  readonly store: string | Manager;
  readonly database: string;
  readonly integers: IntMode;
}

const DEFAULT_DATABASE = "default";

export function resolveConfig(config: Config): ResolvedConfig {
  if (typeof config !== "object" || config === null) {
    throw new TypeError(`the client's configuration must be an object, not ${typeof config}`);
  }
  if (config.encryptionKey !== undefined || config.remoteEncryptionKey !== undefined) {
    throw new LibsqlError("a store is not encrypted by us", "ENCRYPTION_KEY_NOT_SUPPORTED");
  }
  if (config.syncUrl !== undefined) throw syncNotSupported();
  const { intMode = "number" } = config;
  if (!["number", "bigint", "string"].includes(intMode)) {
    const text = `intMode is ${JSON.stringify(intMode)}; want "number", "bigint" or "string"`;
    throw new TypeError(text);
  }
  return { ...placeOf(config), integers: intMode };
}

export function syncNotSupported(): LibsqlError {
  return new LibsqlError("an embedded store has nothing to sync with", "SYNC_NOT_SUPPORTED");
}

function placeOf(config: Config): Pick<ResolvedConfig, "store" | "database"> {
  if ("url" in config) return fromUrl(config.url);
  const { database = DEFAULT_DATABASE } = config;
  if ("manager" in config) return { store: config.manager, database };
  if (typeof config.directory === "string" && config.directory !== "") {
    return { store: config.directory, database };
  }
  throw new TypeError("the client's configuration needs a url, a directory or a manager");
}

function fromUrl(url: string): Pick<ResolvedConfig, "store" | "database"> {
  const { scheme, authority, path, query, fragment } = parseUri(url);
  if (scheme.toLowerCase() !== "file") {
    const text = `${JSON.stringify(`${scheme}:`)} is for @libsql/client; an embedded store is "file:"`;
    throw new LibsqlError(text, "URL_SCHEME_NOT_SUPPORTED");
  }
  const host = authority?.host.toLowerCase() ?? "";
  const isLocal = host === "" || host === "localhost";
  if (!isLocal || authority?.port !== undefined || authority?.userinfo !== undefined) {
    const text = 'a "file:" URL names no host; write file:relative/path or file:///absolute/path';
    throw new LibsqlError(text, "URL_INVALID");
  }
  if (path === "" || path === ":memory:" || fragment !== undefined) {
    throw new LibsqlError("the URL must name the directory of a store", "URL_INVALID");
  }
  let database = DEFAULT_DATABASE;
  for (const { key, value } of query?.pairs ?? []) {
    if (key !== "database") {
      throw new LibsqlError(`unknown parameter ${JSON.stringify(key)}`, "URL_PARAM_NOT_SUPPORTED");
    }
    database = value;
  }
  return { store: path, database };
}
