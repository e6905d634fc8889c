/**
 * AN ENGINE THAT IS USED AGAIN, for simulations: making one takes longer than the whole life of a small
 * store. When nobody uses it any more, its memory and its table of functions are made what they were.
 *
 * (1) It is then what a fresh instance is, to the byte: all that C knows is in its memory, but for the top
 *     of its stack.
 * (2) Whoever had it before cannot call into it: his functions throw, as everything does that a dead
 *     process calls. Only a simulation can promise that he does not write to its memory either.
 * (3) One that has grown far is let go, and another one made.
 */
import { DeadProcessError } from "../io/index.ts";
import type { EngineKind } from "./api.ts";
import { freshModule, type Pointer, prepareRaw, type RawModule, rawModule } from "./wasm/raw.ts";

const MEMORY_BYTES_MAX = 64 * 1024 * 1024;

type Official = Awaited<ReturnType<typeof freshModule>>;
type Functions = Record<string, unknown>;

const kept = new Map<EngineKind, ReusedEngine>();

/**
 * The next engine of this kind is loaded without a real wait, and is the one that was prepared so before.
 * Nobody may use that any more.
 */
export async function prepareReusedEngine(kind: EngineKind): Promise<void> {
  const known = kept.get(kind);
  const isFit = known !== undefined && known.bytes <= MEMORY_BYTES_MAX;
  const engine = isFit ? known : new ReusedEngine(await freshModule(kind));
  kept.set(kind, engine);
  if (known === engine && !engine.isLent) return;
  engine.takeBack();
  prepareRaw(kind, () => engine.lend());
}

class ReusedEngine {
  readonly #official: Official;
  readonly #fresh: Uint8Array;
  readonly #stack: number;
  readonly #installed: Pointer[] = [];
  #lent: Functions | undefined;

  constructor(official: Official) {
    this.#official = official;
    this.#fresh = new Uint8Array(official.wasm.memory.buffer).slice();
    this.#stack = this.#stackFunctions().emscripten_stack_get_current();
  }

  get isLent(): boolean {
    return this.#lent !== undefined;
  }

  get bytes(): number {
    return this.#official.wasm.memory.buffer.byteLength;
  }

  lend(): RawModule {
    const raw = rawModule(this.#official);
    const lent: Functions = { ...raw.c };
    this.#lent = lent;
    return {
      ...raw,
      c: lent as unknown as RawModule["c"],
      install: (signature, callback) => {
        const pointer = raw.install(signature, callback);
        this.#installed.push(pointer);
        return pointer;
      },
    };
  }

  takeBack(): void {
    const lent = this.#lent;
    if (lent === undefined) return;
    for (const name of Object.keys(lent)) lent[name] = dead;
    this.#lent = undefined;
    const { wasm } = this.#official;
    for (const pointer of this.#installed.splice(0).reverse()) wasm.uninstallFunction(pointer);
    const memory = new Uint8Array(wasm.memory.buffer);
    memory.set(this.#fresh);
    memory.fill(0, this.#fresh.length);
    this.#stackFunctions()._emscripten_stack_restore(this.#stack);
  }

  #stackFunctions() {
    return this.#official.wasm.exports as unknown as {
      emscripten_stack_get_current(): number;
      _emscripten_stack_restore(top: number): void;
    };
  }
}

/** See (2). */
function dead(): never {
  throw new DeadProcessError();
}
