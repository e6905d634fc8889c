/**
 * WEBASSEMBLY AS WE USE IT. Its types belong to the browser's library of TypeScript, which a
 * program for Node does not load; this is the part that we need, without touching global names.
 */

export interface WasmMemory {
  /** Another one after each growth; the one before is then detached. */
  readonly buffer: ArrayBuffer;
}

/** Compiled code. Opaque, immutable, shared by all its instances. */
export interface WasmModule {
  readonly __module?: never;
}

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface WebAssemblyNamespace {
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: WasmImports) => WasmInstance;
  compile(bytes: Uint8Array): Promise<WasmModule>;
  instantiate(module: WasmModule, imports: WasmImports): Promise<WasmInstance>;
}

const world = globalThis as unknown as { readonly WebAssembly: WebAssemblyNamespace };

export const webAssembly: WebAssemblyNamespace = world.WebAssembly;
