/**
 * MANIFEST: what exists.
 *
 *   manifest         what is known, and how it is changed
 *   open-manifest    the same over a key-value store: reading it all, changing it in one commit
 *   owner            whose directory it is
 *   catalogue-entry  the payloads of stream 0
 *   keys             where each row lies
 *   values           what each row holds
 *   envelope         version, generation and checksum around every value
 *   bytes            fields of payloads
 *   key-value        the narrow transactional store beneath
 *   handle           queue and refusal, common to all stores
 *   lmdb-store       on disk
 *   memory-store     in a simulated world
 */
export {
  type CatalogueEntry,
  decodeCatalogueEntry,
  encodeCatalogueEntry,
} from "./catalogue-entry.ts";
export type {
  KeyValueOperation,
  KeyValuePair,
  KeyValueStore,
  OpenKeyValueStore,
} from "./key-value.ts";
export { openLmdbStore } from "./lmdb-store.ts";
export type {
  ChunkRow,
  DatabaseRow,
  Manifest,
  ManifestChange,
  ManifestState,
  MapRowChange,
} from "./manifest.ts";
export { MAP_ROW_PAGES } from "./manifest.ts";
export { type CommitFault, type MemoryStores, memoryStores } from "./memory-store.ts";
export { type ManifestOptions, openManifest } from "./open-manifest.ts";
export { claimOwnership, type Ownership, type OwnershipOptions } from "./owner.ts";
