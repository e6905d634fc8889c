/**
 * MANIFEST: what exists.
 *
 *   key-value  the narrow transactional store beneath
 */
export type {
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  OpenKeyValueStore,
} from "./key-value.ts";
