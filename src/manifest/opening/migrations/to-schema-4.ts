/**
 * 3 → 4: tables of what lies in a bucket. A store of before has shipped nothing: they are empty, and
 * nothing else changes.
 */
import { STATE_KEY } from "../../rows/keys.ts";
import { decodeState } from "../../tables/state.ts";
import { type Migrated, type Migration, required } from "./migration.ts";

export const toSchema4: Migration = {
  from: 3,
  migrate(store, file): Migrated {
    const old = decodeState(required(store, STATE_KEY, file));
    return { operations: [], state: { ...old, generation: old.generation + 1 } };
  },
};
