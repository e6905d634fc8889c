/**
 * 4 → 5: tables of lost windows and of scrubs, which are empty; dead letters say how many bytes wait.
 *
 * (1) Until now only the journal had dead letters: what waits behind one is its own batch.
 */
import { unseal } from "../../rows/envelope.ts";
import { STATE_KEY } from "../../rows/keys.ts";
import type { Pair } from "../../rows/table.ts";
import { deadLetters, KINDS } from "../../tables/dead-letters.ts";
import { decodeState } from "../../tables/state.ts";
import { keyOf, type Migrated, type Migration, required, stored } from "./migration.ts";

export const toSchema5: Migration = {
  from: 4,
  migrate(store, file): Migrated {
    const old = decodeState(required(store, STATE_KEY, file));
    const generation = old.generation + 1;
    const operations: Pair[] = [];
    for (const found of stored(store, deadLetters, file)) {
      const row = unseal(found, {
        version: 1,
        parse: (from) => ({
          kind: from.oneOf(KINDS, "kind of dead letter"),
          atMs: from.u64(),
          attempts: from.u32(),
          subject: from.text(),
          reason: from.text(),
          body: from.raw(from.u32()),
        }),
      });
      const sequence = keyOf(deadLetters, found);
      const bytes = row.body.length;
      operations.push(deadLetters.encode({ sequence, ...row, bytes }, generation));
    }
    return { operations, state: { ...old, generation } }; // As many rows as before.
  },
};
