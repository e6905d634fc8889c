/**
 * THE ENGINES of a store: one of each kind, loaded when the first database needs it.
 *
 * (1) An engine that broke (a trap inside of SQLite: its stack, its memory) has taken nothing with
 *     it but its connections. It is replaced; what was asked meanwhile may be asked again.
 */
import type { Env } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { type EngineKind, loadEngine, type SqliteEngine } from "../../sqlite/index.ts";

export class Engines {
  readonly #env: Env;
  readonly #loading = new Map<EngineKind, Promise<SqliteEngine>>();
  readonly #loaded = new Map<EngineKind, SqliteEngine>();

  constructor(env: Env) {
    this.#env = env;
  }

  /** Resolves when the engine of that kind can be used. */
  async load(kind: EngineKind): Promise<void> {
    let engine = this.#loading.get(kind);
    if (engine === undefined) {
      engine = loadEngine({ kind, env: this.#env });
      this.#loading.set(kind, engine);
      engine.catch(() => this.#loading.delete(kind));
    }
    this.#loaded.set(kind, await engine);
  }

  /** The engine, loaded before. Throws BOP_CLOSED, to be tried again, while a broken one is replaced. */
  get(kind: EngineKind): SqliteEngine {
    const engine = this.#loaded.get(kind);
    if (engine !== undefined && !engine.broken) return engine;
    if (engine !== undefined) {
      this.#loaded.delete(kind);
      this.#loading.delete(kind);
      this.load(kind).catch(() => {});
    }
    throw new StorageError("BOP_CLOSED", `the ${kind} engine broke and is being replaced`, {
      details: { what: "engine" },
      retryable: true,
    });
  }

  async close(): Promise<void> {
    for (const engine of this.#loading.values()) (await engine).close();
    this.#loading.clear();
    this.#loaded.clear();
  }
}
