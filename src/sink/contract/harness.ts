/**
 * WHAT THE CONTRACT RUNS ON: any test runner with `describe` and `test`, and any place with object
 * stores.
 */
import { deepStrictEqual, strictEqual } from "node:assert";
import { createHash } from "node:crypto";
import { type ErrorCode, isStorageError } from "../../base/errors.ts";
import { MIB } from "../../base/units.ts";
import type { ListedObject, ObjectStore, PutOptions } from "../object-store.ts";

export interface ContractRunner {
  describe(name: string, define: () => void): void;
  test(name: string, run: () => Promise<void>): void;
}

/** A folder or a prefix of its own, empty. */
export interface ObjectStorePlace {
  readonly store: ObjectStore;
  /** A store on the same place, as another process has one. */
  another(): Promise<ObjectStore>;
  /** Closes what was opened, and removes what was put. */
  close(): Promise<void>;
  /** What a large body is there, such as one that is sent in parts. Default 1 MiB and a bit. */
  readonly largeBytes?: number;
  /** Changes a bit of the stored body. Without it, the test of that is left out. */
  damage?(key: string): Promise<void>;
}

const LARGE_BYTES = MIB + 3;

export function largeBody({ largeBytes = LARGE_BYTES }: ObjectStorePlace): Uint8Array {
  return pattern(largeBytes);
}

export type OpenPlace = () => Promise<ObjectStorePlace>;

export interface Suite {
  readonly runner: ContractRunner;
  /** A test in a place of its own, which is closed after it. */
  readonly test: (name: string, run: (place: ObjectStorePlace) => Promise<void>) => void;
}

export function suiteOf(runner: ContractRunner, open: OpenPlace): Suite {
  return {
    runner,
    test(name, run) {
      runner.test(name, async () => {
        const place = await open();
        try {
          await run(place);
        } finally {
          await place.close();
        }
      });
    },
  };
}

/** A put id that is not used again, for a suite that needs no dice. */
export function putId(): string {
  nextId += 1;
  return nextId.toString(16).padStart(32, "0");
}

let nextId = 0;

export function put(): PutOptions {
  return { putId: putId() };
}

export function text(value: string): Uint8Array {
  return Buffer.from(value);
}

export function sha256(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("hex");
}

const BLOCK = Uint8Array.from({ length: 1024 }, (_, at) => (at * 31) % 251);

/** Bytes that differ from place to place, so that a part that is out of place is noticed. */
export function pattern(bytes: number): Uint8Array {
  const body = new Uint8Array(bytes);
  const view = new DataView(body.buffer);
  for (let at = 0; at < bytes; at += BLOCK.length) {
    body.set(BLOCK.subarray(0, bytes - at), at);
    if (at + 4 <= bytes) view.setUint32(at, at);
  }
  return body;
}

export async function assertBody(store: ObjectStore, key: string, body: Uint8Array): Promise<void> {
  const found = await store.get(key);
  strictEqual(Buffer.compare(found?.bytes ?? text("nothing"), body), 0, `the body of ${key}`);
}

export async function assertRefused(code: ErrorCode, call: () => Promise<unknown>): Promise<void> {
  const outcome = await call().then(
    () => "it succeeded",
    (error: unknown) => (isStorageError(error, code) ? code : error),
  );
  deepStrictEqual(outcome, code);
}

/** Misuse is thrown before anything happens, by a promise or at once. */
export async function assertMisuse(
  kind: typeof TypeError | typeof RangeError,
  call: () => Promise<unknown>,
): Promise<void> {
  let thrown: unknown;
  try {
    await call();
  } catch (error) {
    thrown = error;
  }
  strictEqual(thrown instanceof kind, true, `want a ${kind.name}, got ${String(thrown)}`);
}

export function keysOf(objects: readonly ListedObject[]): string[] {
  return objects.map(({ key }) => key);
}
