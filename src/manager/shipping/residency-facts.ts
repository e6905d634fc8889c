/** THE PUBLIC TYPES about what is on this disk, and what only in the sink. See docs/tiering.md. */
import type { ResidencyStats } from "../../page-store/index.ts";
import type { ReadCounts } from "../../sink/index.ts";

/** Of files of checkpointed pages and of entries of record logs. */
export interface ResidencyFacts extends ResidencyStats {
  /** `limits.diskBytes`. */
  readonly diskBytes: number | undefined;
  /** The last damaged file of this disk that was made whole from the sink. */
  readonly lastHealed:
    | { readonly file: string; readonly why: string; readonly at: Date }
    | undefined;
  /** What was read of the sink to take its store up, if this opening did so. */
  readonly startedFrom: ReadCounts | undefined;
}
