/**
 * WHAT THE STORE HELD BEFORE A COMMIT THAT FAILED: its outcome is unknown, and whoever was told that it
 * was refused goes on with what was there before.
 *
 * (1) Taken in one go right behind the failure, while the handle still shows what was before (key-value.ts (2)):
 *     as soon as anybody opens the directory again, all handles show how the commit ended.
 * (2) Read through, they show the store as it was before, whether or not the commit was made.
 * (3) Committed, they take it back if it was made.
 */

import type { KeyValueOperation, KeyValuePair } from "../stores/key-value.ts";
import type { Base } from "./draft.ts";

export class BeforeImages {
  /** In order of key. A key without a value was not there. */
  readonly operations: readonly KeyValueOperation[];
  readonly #byKey: ReadonlyMap<string, Uint8Array | undefined>;

  private constructor(operations: readonly KeyValueOperation[]) {
    this.operations = operations;
    this.#byKey = new Map(operations.map(({ key, value }) => [textOf(key), value]));
  }

  /** Of the keys that a commit was to change. */
  static take(store: Base, operations: readonly KeyValueOperation[]): BeforeImages {
    const before = new Map<string, KeyValueOperation>();
    for (const { key } of operations) {
      const value = store.get(key);
      before.set(textOf(key), value === undefined ? { key } : { key, value: value.slice() });
    }
    const sorted = [...before].sort(([a], [b]) => (a < b ? -1 : 1));
    return new BeforeImages(sorted.map(([, operation]) => operation));
  }

  /** See (2). */
  over(store: () => Base): Base {
    return {
      get: (key) => {
        const text = textOf(key);
        return this.#byKey.has(text) ? this.#byKey.get(text) : store().get(key);
      },
      range: (from, to) => this.#range(store(), { from, to }),
    };
  }

  *#range(
    store: Base,
    { from, to }: { readonly from: Uint8Array; readonly to: Uint8Array },
  ): Generator<KeyValuePair> {
    const own = this.operations.filter(
      ({ key }) => Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0,
    );
    let at = 0;
    for (const pair of store.range(from, to)) {
      for (; at < own.length; at += 1) {
        const next = own[at] as KeyValueOperation;
        if (Buffer.compare(next.key, pair.key) > 0) break;
        yield* pairOf(next);
      }
      if (!this.#byKey.has(textOf(pair.key))) yield pair;
    }
    for (const left of own.slice(at)) yield* pairOf(left);
  }
}

function* pairOf({ key, value }: KeyValueOperation): Generator<KeyValuePair> {
  if (value !== undefined) yield { key, value };
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
