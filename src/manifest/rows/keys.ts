/**
 * KEYS OF THE MANIFEST. The first byte is the table; what follows says the table's own file.
 *
 *   1   meta       name (ASCII): rows of the store itself, one each
 *   2   databases
 *   3   chunks
 *   4   segments
 *   5   map rows
 *   6   record logs
 *   7   changes
 *   8   cursors
 *   9   jobs
 *   10  pending jobs
 *   11  names
 *   12  snapshots
 *   13  pending batches
 *   14  dead letters
 *   15  watermarks
 *   16  map versions
 *   17  history
 *   18  forks
 *   19  shipping
 *   20  epochs
 *   21  remote chunks
 *   22  remote garbage
 *   23  remote chains
 *   24  lost windows
 *   25  scrubs
 *
 * (1) Persistent: a table's number is never changed or used again.
 */
export const TABLE = {
  meta: 1,
  databases: 2,
  chunks: 3,
  segments: 4,
  mapRows: 5,
  recordLogs: 6,
  changes: 7,
  cursors: 8,
  jobs: 9,
  pendingJobs: 10,
  names: 11,
  snapshots: 12,
  pendingBatches: 13,
  deadLetters: 14,
  watermarks: 15,
  mapVersions: 16,
  history: 17,
  forks: 18,
  shipping: 19,
  epochs: 20,
  remoteChunks: 21,
  remoteGarbage: 22,
  remoteChains: 23,
  lostWindows: 24,
  scrubs: 25,
} as const;
export type TableName = keyof typeof TABLE;

export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** What the store is: written once, and when its schema changes. */
export const STORE_KEY = metaKey("store");
/** How far things are: written by every commit. */
export const STATE_KEY = metaKey("state");
/** Who owns the directory: see owner.ts. */
export const OWNER_KEY = metaKey("owner");
/** How far the change log has come. */
export const CHANGE_LOG_KEY = metaKey("change-log");

/** The table that a key belongs to; undefined if it is one of none. */
export function tableOfKey(key: Uint8Array): TableName | undefined {
  const tables = Object.keys(TABLE) as TableName[];
  return tables.find((table) => TABLE[table] === key[0]);
}

/** The smallest key of the same length behind all that begin with `prefix`. */
export function nextAfter(prefix: Uint8Array): Uint8Array {
  const next = prefix.slice();
  for (let at = next.length - 1; at >= 0; at--) {
    const value = next[at] as number;
    next[at] = value + 1; // 255 wraps to 0, and the carry goes on.
    if (value < 255) break;
  }
  return next;
}

function metaKey(name: string): Uint8Array {
  return Uint8Array.of(TABLE.meta, ...Buffer.from(name, "latin1"));
}
