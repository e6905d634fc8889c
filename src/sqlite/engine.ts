/**
 * THE ENGINE: one instance of a WebAssembly build with our file system in it.
 *
 * (1) An engine shares nothing with another: memory, file system, random state. Databases of one
 *     engine share its memory, which never shrinks and ends at 2 GiB.
 * (2) Before it is handed out, what is read past the public functions (values in a row, counters of
 *     a connection) is compared with what they answer. A build that differs is refused.
 * (3) All is synchronous and nothing re-enters: while C runs, no other call into the engine begins.
 */
import { assert, present } from "../base/assert.ts";
import { StorageError } from "../base/errors.ts";
import type {
  ConnectOptions,
  EngineKind,
  SqliteConnection,
  SqliteEngine,
  WriteLock,
} from "./api.ts";
import { Connection } from "./connection.ts";
import {
  type AuthorizerNames,
  type CalledConnection,
  type EngineCore,
  Exchange,
} from "./engine-core.ts";
import { Breakdown, guardedModule } from "./failure/breakdown.ts";
import { assertMemLayout } from "./statement/value.ts";
import { Vfs, type VfsEnv } from "./vfs/vfs.ts";
import * as abi from "./wasm/abi.ts";
import { type CounterFields, findCounterFields } from "./wasm/counter-fields.ts";
import { Heap } from "./wasm/heap.ts";
import { loadRawModule, type Pointer, type RawModule } from "./wasm/raw.ts";

export interface EngineOptions {
  readonly kind: EngineKind;
  readonly env: VfsEnv;
}

/** What a callback answers that failed itself: refuse, stop. */
const AUTHORIZER_DENY = 1;
const PROGRESS_STOP = 1;

/** A new engine. Takes some milliseconds; the first of a kind longer, since it compiles the build. */
export async function loadEngine({ kind, env }: EngineOptions): Promise<SqliteEngine> {
  return new Engine(kind, makeCore(await loadRawModule(kind), env));
}

/** The write lock of one database, for all its connections. */
export function writeLock(): WriteLock {
  return { holder: undefined };
}

function makeCore(unguarded: RawModule, env: VfsEnv): EngineCore {
  const connections = new Map<number, CalledConnection>();
  const breakdown = new Breakdown(connections);
  const raw = guardedModule(unguarded, breakdown);
  const { c } = raw;
  const heap = new Heap(raw.memory);
  const vfs = new Vfs(raw, heap, env);
  const authorizer = raw.install(
    "i(pipppp)",
    (id: Pointer, action: number, ...names: [Pointer, Pointer, Pointer, Pointer]): number =>
      vfs.faults.guard(AUTHORIZER_DENY, () => {
        heap.fresh();
        return connections.get(id)?.authorize(action, names satisfies AuthorizerNames) ?? 0;
      }),
  );
  const progressHandler = raw.install("i(p)", (id: Pointer): number =>
    vfs.faults.guard(PROGRESS_STOP, () => (connections.get(id)?.isOverdue() ? PROGRESS_STOP : 0)),
  );
  heap.fresh();
  const exchange = new Exchange(c, heap);
  const results = c.sqlite3_malloc(16);
  assert(results !== 0 && results % 8 === 0, "no memory for a new engine");
  const basis = { raw, c, heap, vfs, env, exchange, results };
  const counterFields = probe(basis);
  return { ...basis, counterFields, authorizer, progressHandler, connections, breakdown };
}

/**
 * Of the 2 GiB that an instance may have. Beyond it pagers of all connections reuse their pages
 * instead of taking more, so that a thousand large databases are slower and not out of memory.
 */
const HEAP_SOFT_BYTES = 1024 * 1024 * 1024;

/** See (2). Done on a database in memory, which never reaches our file system. */
function probe(core: Pick<EngineCore, "c" | "heap" | "exchange" | "results">): CounterFields {
  const { c, heap, exchange, results } = core;
  exchange.putText(":memory:");
  const flags = abi.SQLITE_OPEN_READWRITE | abi.SQLITE_OPEN_CREATE;
  let code = c.sqlite3_open_v2(exchange.address, results, flags, 0);
  heap.fresh();
  const db = heap.u32[results >> 2] as Pointer;
  assert(code === abi.SQLITE_OK, "a database in memory does not open");
  const start = (sql: string): Pointer => {
    exchange.putText(sql);
    const { address, bytes } = exchange;
    code = c.sqlite3_prepare_v3(db, address, bytes + 1, 0, results, 0);
    assert(code === abi.SQLITE_OK, () => `the probe does not compile: ${sql}`);
    heap.fresh();
    const statement = heap.u32[results >> 2] as Pointer;
    code = c.sqlite3_step(statement);
    heap.fresh();
    return statement;
  };
  const firstRow = (sql: string): Pointer => {
    const statement = start(sql);
    assert(code === abi.SQLITE_ROW, () => `the probe has no row: ${sql}`);
    return statement;
  };
  const run = (sql: string): void => {
    const statement = start(sql);
    assert(code === abi.SQLITE_DONE, () => `the probe does not run: ${sql}`);
    c.sqlite3_finalize(statement);
  };
  assertMemLayout({ c, heap, firstRow });
  const fields = findCounterFields({ c, heap, db, run });
  c.sqlite3_finalize(firstRow(`pragma soft_heap_limit = ${HEAP_SOFT_BYTES}`));
  c.sqlite3_close_v2(db);
  return fields;
}

class Engine implements SqliteEngine {
  readonly kind: EngineKind;
  readonly version: string;
  readonly #core: EngineCore;
  readonly #connections = new Set<Connection>();
  #nextId = 1;
  #open = true;

  constructor(kind: EngineKind, core: EngineCore) {
    this.kind = kind;
    this.#core = core;
    const version = core.heap.cString(core.c.sqlite3_libversion());
    this.version = present(version, "a build without a version");
  }

  get broken(): boolean {
    return this.#core.breakdown.happened;
  }

  connect(options: ConnectOptions): SqliteConnection {
    if (!this.#open) {
      throw new StorageError("BOP_CLOSED", "the engine is closed", { details: { what: "engine" } });
    }
    if (this.#core.breakdown.happened) throw this.#core.breakdown.error();
    const id = this.#nextId++;
    const connection = new Connection(this.#core, id, {
      ...options,
      onClose: () => this.#connections.delete(connection),
    });
    this.#core.connections.set(id, connection);
    this.#connections.add(connection);
    return connection;
  }

  close(): void {
    this.#open = false;
    for (const connection of this.#connections) connection.close();
  }
}
