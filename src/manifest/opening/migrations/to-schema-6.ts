/**
 * 5 → 6: the row of shipping says where its bucket was.
 *
 * (1) Nobody knows where that was before: until the store has shipped again, the sink that it is
 *     opened with is taken for the one that is remembered, as it was by older versions.
 */
import { lsn } from "../../../base/units.ts";
import { unseal } from "../../rows/envelope.ts";
import { STATE_KEY } from "../../rows/keys.ts";
import type { Pair } from "../../rows/table.ts";
import { shipping } from "../../tables/shipping.ts";
import { decodeState } from "../../tables/state.ts";
import { type Migrated, type Migration, required, stored } from "./migration.ts";

export const toSchema6: Migration = {
  from: 5,
  migrate(store, file): Migrated {
    const old = decodeState(required(store, STATE_KEY, file));
    const generation = old.generation + 1;
    const operations: Pair[] = [];
    for (const found of stored(store, shipping, file)) {
      const row = unseal(found, {
        version: 1,
        parse: (from) => ({
          bucket: from.text(),
          epoch: from.u64(),
          walNumber: from.u64(),
          shippedLsn: lsn(from.u64()),
          manifestNumber: from.u64(),
          shippedGeneration: from.u64(),
          fencedBelow: from.u64(),
          atMs: from.u64(),
          restored: from.flag(),
        }),
      });
      operations.push(shipping.encode({ ...row, location: undefined }, generation));
    }
    return { operations, state: { ...old, generation } }; // As many rows as before.
  },
};
