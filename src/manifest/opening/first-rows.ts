/** THE ROWS OF A STORE IN WHICH NOTHING HAS HAPPENED: all that there is of its manifest. */
import { chunkId, LSN_ZERO, streamId } from "../../base/units.ts";
import { SCHEMA_VERSION } from "../schema.ts";
import type { KeyValuePair } from "../stores/key-value.ts";
import { encodeState, encodeStore } from "../tables/state.ts";

/** That of the store, and that of its marks. */
export function firstRows(storeId: Uint8Array): readonly [KeyValuePair, KeyValuePair] {
  const state = encodeState({
    generation: 1,
    checkpointLsn: LSN_ZERO,
    durableLsn: LSN_ZERO,
    nextStreamId: streamId(1), // 0 is the catalogue.
    nextChunkId: chunkId(1),
    clean: true,
    catalogueLsn: LSN_ZERO,
    rows: new Map(),
  });
  return [encodeStore({ schemaVersion: SCHEMA_VERSION, storeId }, 1), state];
}
