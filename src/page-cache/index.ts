/**
 * PAGE CACHE: images of checkpointed pages in memory. Knows no disk and no database.
 *
 *   page-cache      look up, insert, pin; makes room within a byte budget
 *   location-table  location → frame
 *   slab            the memory of the frames
 *   sieve           which frame goes next
 *   observers       who is told of pages that come and go
 */
export { PageCache, type PageCacheStats } from "./page-cache.ts";
