/** One engine of each kind for the whole store, loaded when the first database needs it. */
import type { Env } from "../base/env.ts";
import { type EngineKind, loadEngine, type SqliteEngine } from "../sqlite/index.ts";

export class Engines {
  readonly #env: Env;
  readonly #loading = new Map<EngineKind, Promise<SqliteEngine>>();

  constructor(env: Env) {
    this.#env = env;
  }

  get(kind: EngineKind): Promise<SqliteEngine> {
    let engine = this.#loading.get(kind);
    if (engine === undefined) {
      engine = loadEngine({ kind, env: this.#env });
      this.#loading.set(kind, engine);
    }
    return engine;
  }

  async close(): Promise<void> {
    for (const engine of this.#loading.values()) (await engine).close();
    this.#loading.clear();
  }
}
