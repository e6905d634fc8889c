/**
 * THE CONTRACT OF AN OBJECT STORE, as tests for any implementation of ObjectStore and under any
 * runner:
 *
 *     import { runObjectStoreContract } from "bop-storage/contract/object-store";
 *     import { describe, test } from "vitest";
 *     runObjectStoreContract({ describe, test }, "my store", async () => ({ store, another, close }));
 *
 *   writing    what is put, created, deleted
 *   reading    what is got, and which keys there are
 *   ending     signals, closing, damage
 *   harness    what it runs on
 */
import { ending } from "./ending.ts";
import { type ContractRunner, type OpenPlace, suiteOf } from "./harness.ts";
import { listing, reading } from "./reading.ts";
import { creating, deleting, putting } from "./writing.ts";

export type {
  ByteRange,
  CallOptions,
  GetOptions,
  ListedObject,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutOutcome,
  ServiceReport,
  StoredObject,
} from "../object-store.ts";
export type { ContractRunner, ObjectStorePlace, OpenPlace } from "./harness.ts";

/** Defines the tests; the runner runs them. `open` gives an empty place each time. */
export function runObjectStoreContract(
  runner: ContractRunner,
  name: string,
  open: OpenPlace,
): void {
  runner.describe(`object store: ${name}`, () => {
    const suite = suiteOf(runner, open);
    putting(suite);
    creating(suite);
    deleting(suite);
    reading(suite);
    listing(suite);
    ending(suite);
  });
}
