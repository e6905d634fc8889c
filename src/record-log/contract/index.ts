/**
 * THE CONTRACT OF A LOG STORE, as tests for any implementation of RecordLog and under any runner:
 *
 *     import { runLogStoreContract } from "bop-storage/contract";
 *     import { describe, test } from "vitest";
 *     runLogStoreContract({ describe, test }, "my store", async () => ({ log, reopen, close, … }));
 *
 *   entries    what is appended, and how it is read
 *   removal    what is truncated, compacted, cleared
 *   state      hard state, stable keys, snapshot metadata
 *   survival   after a close, a crash, a failed write; one change over several logs
 *   harness    what it runs on
 *
 * (1) Every property that the suites of openraft, raft-wal and etcd check of a log store is here or
 *     named in docs/log-stores.md as not one of a log store.
 */
import { appending, reading } from "./entries.ts";
import { type ContractRunner, type OpenLogStore, suiteOf } from "./harness.ts";
import { compacting, truncating } from "./removal.ts";
import { keeping } from "./state.ts";
import { failing, grouping, surviving } from "./survival.ts";

export type { ContractRunner, LogStore, OpenLogStore } from "./harness.ts";

/** Defines the tests; the runner runs them. `open` gives an empty store each time. */
export function runLogStoreContract(
  runner: ContractRunner,
  name: string,
  open: OpenLogStore,
): void {
  runner.describe(`log store: ${name}`, () => {
    const suite = suiteOf(runner, open);
    appending(suite);
    reading(suite);
    truncating(suite);
    compacting(suite);
    keeping(suite);
    surviving(suite);
    grouping(suite);
    failing(suite);
  });
}
