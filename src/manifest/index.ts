/**
 * MANIFEST: what exists.
 *
 *   manifest   what is known, and how it is changed
 *   key-value  the narrow transactional store beneath
 */
export type {
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  OpenKeyValueStore,
} from "./key-value.ts";
export type {
  ChunkRow,
  DatabaseRow,
  Manifest,
  ManifestChange,
  ManifestState,
  MapRowChange,
} from "./manifest.ts";
export { MAP_ROW_PAGES } from "./manifest.ts";
