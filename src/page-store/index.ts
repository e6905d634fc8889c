/**
 * PAGE STORE: numbered pages through time.
 *
 *   page-space  the seam to SQLite: pin, read, stage, seal
 */
export type {
  PageSetChange,
  PageSpace,
  Snapshot,
  StagedCommit,
} from "./page-space.ts";
