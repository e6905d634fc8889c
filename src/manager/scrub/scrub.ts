/** THE PUBLIC TYPES about scrubbing: what it found, how far it is, and how a pass is asked for. */

export interface ScrubFinding {
  readonly part: "local" | "remote" | "sample";
  /** As seen from the store's directory; of the sink, the key of an object; or a database. */
  readonly what: string;
  /** Bytes from its beginning, where that is known. */
  readonly offset: number | undefined;
  readonly why: string;
  /**
   * `healed`: it is again what was written. `reported`: it is not; `why` says what that means, and
   * what was done so that nothing more comes of it.
   */
  readonly outcome: "healed" | "reported";
  /** Names of databases that have something in it, as far as that can be told. */
  readonly databases: readonly string[];
  readonly at: Date;
}

/** A pass over this disk, or over the sink. */
export interface ScrubPass {
  /** Milliseconds between two readings of a piece; 0 if it never runs by itself. */
  readonly everyMs: number;
  /** End of the last pass after which everything was as it was written; undefined if there is none. */
  readonly lastGoodAt: Date | undefined;
  /** End of the last pass. */
  readonly lastAt: Date | undefined;
  /** Since when the pass under way runs; undefined while it rests. */
  readonly since: Date | undefined;
  /** How much of it is done, from 0 to 1. */
  readonly done: number;
  /** The first thing found by the pass under way, or else the last one, that could not be healed. */
  readonly problem: string | undefined;
}

export interface ScrubSamples {
  readonly everyMs: number;
  readonly lastAt: Date | undefined;
  /** Databases that were restored and found whole, of those that there are. */
  readonly goodDatabases: number;
  /** Those for which it is longest ago that this was so; those never tried first. At most ten. */
  readonly oldest: readonly ScrubbedDatabase[];
}

export interface ScrubbedDatabase {
  readonly name: string;
  readonly lastGoodAt: Date | undefined;
  readonly problem: string | undefined;
}

export interface ScrubFacts {
  readonly local: ScrubPass;
  /** Undefined without a sink. */
  readonly remote: ScrubPass | undefined;
  readonly samples: ScrubSamples | undefined;
  /** Since the store was opened. */
  readonly readBytes: number;
  readonly healed: number;
  /** The newest, at most 100, since the store was opened. */
  readonly findings: readonly ScrubFinding[];
}

export interface ScrubRequest {
  /** What to read: by default all that there is. */
  readonly parts?: readonly ("local" | "remote" | "sample")[];
  /** Which database is restored to try it; by default the one for which that is longest ago. */
  readonly database?: string;
  /** Bytes per second, from 64 KiB to 16 GiB. Default: `scrub.maxBytesPerSecond` of the store. */
  readonly maxBytesPerSecond?: number;
  /** Told after each piece. */
  readonly onProgress?: (progress: ScrubProgress) => void;
  readonly signal?: AbortSignal;
}

export interface ScrubProgress {
  readonly part: "local" | "remote" | "sample";
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface ScrubReport {
  /** Nothing was found that is still not what was written. */
  readonly isSound: boolean;
  readonly checked: {
    readonly chunks: number;
    readonly segments: number;
    /** In the sink. */
    readonly objects: number;
    readonly bytes: number;
    /** Restored from the sink and looked through. */
    readonly databases: readonly string[];
  };
  readonly findings: readonly ScrubFinding[];
}
