/**
 * MIGRATIONS: what makes a store of an older schema one of this.
 *
 *   1 → 2  chunks say their kind and their references; names have a table; the state says how far
 *          the catalogue is, and counts rows
 *   2 → 3  the page map has versions, databases have families; chunks count what names them
 *   3 → 4  tables of what lies in a bucket
 *   4 → 5  tables of lost windows and of scrubs; dead letters say how many bytes wait
 *   5 → 6  the row of shipping says where its bucket was
 *
 * (1) Forward only, one after the other, each in one commit together with the new version: a crash
 *     leaves the old schema or the new one.
 * (2) A migration reads with decoders of its own: those of the tables know today's payloads only.
 * (3) A store of a newer schema is refused as such, and nothing of it is touched.
 * (4) What waits in the journal is about jobs, cursors and the like, whose payloads are those of
 *     schema 1 to this day. A batch that cannot be read any more becomes a dead letter.
 */
import { StorageError } from "../../base/errors.ts";
import { STORE_KEY } from "../rows/keys.ts";
import { SCHEMA_VERSION } from "../schema.ts";
import type { KeyValueStore } from "../stores/key-value.ts";
import { decodeStore, encodeState, encodeStore } from "../tables/state.ts";
import { type Migration, required } from "./migrations/migration.ts";
import { toSchema2 } from "./migrations/to-schema-2.ts";
import { toSchema3 } from "./migrations/to-schema-3.ts";
import { toSchema4 } from "./migrations/to-schema-4.ts";
import { toSchema5 } from "./migrations/to-schema-5.ts";
import { toSchema6 } from "./migrations/to-schema-6.ts";

const MIGRATIONS: readonly Migration[] = [toSchema2, toSchema3, toSchema4, toSchema5, toSchema6];

/** Brings the store up to SCHEMA_VERSION. Throws BOP_FORMAT for a newer one, and BOP_CORRUPT. */
export async function migrate(store: KeyValueStore, file: string): Promise<void> {
  while (true) {
    const { schemaVersion, storeId } = decodeStore(required(store, STORE_KEY, file));
    if (schemaVersion === SCHEMA_VERSION) return;
    const migration = MIGRATIONS.find(({ from }) => from === schemaVersion);
    if (migration === undefined) throw unknownSchema(schemaVersion, file);
    const { operations, state } = migration.migrate(store, file);
    const schema = encodeStore({ schemaVersion: schemaVersion + 1, storeId }, state.generation);
    await store.commit([...operations, schema, encodeState(state)]);
  }
}

function unknownSchema(found: number, file: string): StorageError {
  return new StorageError("BOP_FORMAT", `the manifest in ${file} has an unknown schema`, {
    details: { file, found: `schema ${found}`, supported: `schema ${SCHEMA_VERSION}` },
  });
}
