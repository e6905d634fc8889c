/**
 * 2 → 3: rows of the page map have versions; databases have families; chunks count the locations that
 * name them.
 *
 * (1) Every row of the page map becomes the only version of its row, from LSN 0 on: it is what every
 *     moment at or above the checkpoint sees.
 * (2) There are no forks yet: a database is a family of its own.
 * (3) All rows are newest ones, so that pages in use and references are the same. A chunk of records
 *     has the one reference of its log.
 */
import { LSN_ZERO, streamId } from "../../../base/units.ts";
import { Malformed } from "../../rows/bytes.ts";
import { corrupt, type Sealed, unseal } from "../../rows/envelope.ts";
import { KeyReader } from "../../rows/key-bytes.ts";
import { STATE_KEY } from "../../rows/keys.ts";
import type { KeyValueOperation } from "../../stores/key-value.ts";
import { chunks } from "../../tables/chunks.ts";
import { databases } from "../../tables/databases.ts";
import {
  type MapRowChange,
  type MapRowKey,
  pageMap,
  readLocations,
} from "../../tables/page-map.ts";
import { decodeState } from "../../tables/state.ts";
import { type Migrated, type Migration, required, stored } from "./migration.ts";
import { databaseBeforeSchema3 } from "./to-schema-2.ts";

export const toSchema3: Migration = {
  from: 2,
  migrate(store, file): Migrated {
    const old = decodeState(required(store, STATE_KEY, file));
    const generation = old.generation + 1;
    const operations: KeyValueOperation[] = [];
    for (const found of stored(store, databases, file)) {
      const row = databaseBeforeSchema3(found);
      const own = { createdLsn: LSN_ZERO, family: row.stream, flat: true };
      operations.push(databases.encode({ ...row, ...own }, generation));
    }
    for (const found of stored(store, chunks, file)) {
      const row = chunks.decode(found);
      const references = row.kind === "pages" ? row.livePages : 1;
      operations.push(chunks.encode({ ...row, references }, generation));
    }
    for (const found of stored(store, pageMap, file)) {
      operations.push({ key: found.key }, pageMap.encode(mapRowOfSchema2(found), generation));
    }
    return { operations, state: { ...old, generation } }; // As many rows as before.
  },
};

function mapRowOfSchema2(found: Sealed): MapRowChange {
  const key = keyOfSchema2(found);
  return { ...key, locations: unseal(found, { version: 1, parse: readLocations }) };
}

function keyOfSchema2(found: Sealed): MapRowKey {
  try {
    const from = new KeyReader(found.key);
    const key = { stream: streamId(from.u32()), rowIndex: from.u32(), fromLsn: LSN_ZERO };
    from.end();
    return key;
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause;
    throw corrupt(found, "the key is not one of its table", cause);
  }
}
