/**
 * THE PEERS: better-sqlite3, and an application on top of it that batches its callers by hand.
 *
 * better-sqlite3 is compiled when it is installed, which takes about two minutes; it lives in
 * bench/node_modules and is installed at the first run.
 */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";

/** The part of better-sqlite3 that is used here. */
export interface PeerDatabase {
  prepare(sql: string): PeerStatement;
  exec(sql: string): void;
  pragma(text: string): unknown;
  close(): void;
}

export interface PeerStatement {
  run(...parameters: unknown[]): { readonly changes: number };
  get(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): unknown[];
  iterate(...parameters: unknown[]): IterableIterator<unknown>;
}

type PeerConstructor = new (path: string) => PeerDatabase;

const HERE = import.meta.dirname;
let loaded: PeerConstructor | undefined;

export function loadPeer(): PeerConstructor {
  loaded ??= requirePeer() ?? installPeer();
  return loaded;
}

function requirePeer(): PeerConstructor | undefined {
  try {
    const Peer = createRequire(join(HERE, "package.json"))("better-sqlite3") as PeerConstructor;
    new Peer(":memory:").close();
    return Peer;
  } catch {
    return undefined;
  }
}

function installPeer(): PeerConstructor {
  console.error("bench: compiling better-sqlite3, once; this takes about two minutes …");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: HERE,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const Peer = status === 0 ? requirePeer() : undefined;
  if (Peer === undefined) {
    throw new Error("better-sqlite3 could not be installed in bench/; it needs a C++ compiler");
  }
  return Peer;
}

/** A database with the durability of ours: WAL, a flush for each commit. */
export function openPeer(path: string): PeerDatabase {
  const Peer = loadPeer();
  const database = new Peer(path);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  return database;
}

/**
 * What a careful application does on top of it: everything that was asked for within one turn of
 * the event loop shares one transaction, and each caller hears of its own result.
 */
export class HandBatched {
  readonly #database: PeerDatabase;
  readonly #begin: PeerStatement;
  readonly #commit: PeerStatement;
  readonly #rollback: PeerStatement;
  #waiting: Waiting[] = [];

  constructor(database: PeerDatabase) {
    this.#database = database;
    this.#begin = database.prepare("begin immediate");
    this.#commit = database.prepare("commit");
    this.#rollback = database.prepare("rollback");
  }

  run(statement: PeerStatement, parameters: readonly unknown[]): Promise<void> {
    if (this.#waiting.length === 0) setImmediate(() => this.#flush());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ statement, parameters, resolve, reject });
    });
  }

  close(): void {
    this.#database.close();
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const failed = new Map<Waiting, unknown>();
    try {
      this.#begin.run();
      for (const one of waiting) {
        try {
          one.statement.run(...one.parameters);
        } catch (error) {
          failed.set(one, error);
        }
      }
      this.#commit.run();
    } catch (error) {
      this.#rollback.run();
      for (const one of waiting) one.reject(error);
      return;
    }
    for (const one of waiting) {
      if (failed.has(one)) one.reject(failed.get(one));
      else one.resolve();
    }
  }
}

interface Waiting {
  readonly statement: PeerStatement;
  readonly parameters: readonly unknown[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}
