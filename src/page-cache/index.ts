/**
 * PAGE CACHE: images of checkpointed pages in memory. Knows no disk and no database.
 *
 *   page-cache  look up, insert, evict within a byte budget
 */
export { PageCache, type PageCacheStats } from "./page-cache.ts";
