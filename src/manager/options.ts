/** OPTIONS of a store: each with what it does, its unit, range and default. */
import type { IoChoice } from "../base/driver.ts";
import type { Env } from "../base/env.ts";
import type { OpenKeyValueStore } from "../manifest/index.ts";
import type { ObjectStore } from "../sink/index.ts";
import type { EngineKind } from "../sqlite/index.ts";
import type { RecoveryProgress } from "../write/index.ts";
import type { ChangeLogOptions } from "./changes/change-options.ts";
import type { Durability } from "./gates/durability.ts";
import type { LimitOptions } from "./limit-options.ts";
import type { ScrubOptions } from "./scrub/scrub-options.ts";
import type { RetentionOptions } from "./shipping/sink-options.ts";

export interface ManagerOptions {
  /** Where the store lies. Created if absent. */
  readonly directory: string;

  /** Engine of databases that do not say otherwise when they are created. Default "sqlite". */
  readonly engine?: EngineKind;

  /**
   * Who writes the SQL. `embedded`: this program, which is trusted. `server`: tenants: SQLite's own
   * limits are low, and what shows other files, pages or statements is denied. Default "embedded".
   */
  readonly profile?: "embedded" | "server";

  /**
   * Enforce foreign keys, as better-sqlite3 and libSQL do and the sqlite3 shell does not. A
   * connection changes it for itself with `pragma foreign_keys`. Default true.
   */
  readonly foreignKeys?: boolean;

  /**
   * Memory for checkpointed pages, shared by all databases, with all that is needed to find them:
   * nine tenths of it or more are pages, if these have 2 KiB or more. Pages that are not yet
   * checkpointed come on top: see `overlayBytes`.
   *
   * Bytes, from 1 MiB to 64 GiB. Default 64 MiB.
   */
  readonly cacheBytes?: number;

  /**
   * How checkpoints store pages that shrink by an eighth or more. `none`: as they are. `deflate`:
   * text and JSON take half the disk or less; a page that is not in memory takes some five times as
   * long to read, and a checkpoint 0.1 ms more for each page of 4 KiB. What is stored already stays
   * as it is until it is rewritten, so it can be changed at any time. Default "none".
   */
  readonly compression?: "none" | "deflate";

  /**
   * Memory for pages that were changed since the last checkpoint. Reaching it starts a checkpoint.
   *
   * Bytes, from 64 KiB to 64 GiB. Default 256 MiB.
   */
  readonly overlayBytes?: number;

  /**
   * Log that may gather before a checkpoint lets it go. It bounds the time to reopen after a crash
   * and the space that the log takes.
   *
   * Bytes, from 64 KiB to 64 GiB. Default 256 MiB.
   */
  readonly checkpointLogBytes?: number;

  /**
   * Age of the oldest commit that no checkpoint has folded, at which one does though neither log nor
   * memory asks for it: so that a store with few writes reopens quickly after a crash, too.
   *
   * Milliseconds, from 1,000 to 2,592,000,000 (30 days). Default 600,000 (ten minutes).
   */
  readonly checkpointAgeMs?: number;

  /**
   * How long the past of databases is kept: until then a fork can begin at any commit, not only at
   * snapshots. Checkpoints keep older states of pages and of the log for it. 0 keeps none.
   *
   * Milliseconds, from 0 to 2,592,000,000 (30 days). Default 3,600,000 (an hour).
   */
  readonly historyMs?: number;

  /**
   * Log that is kept for `historyMs` and for nothing else, at most: where more is written in that
   * time, the window is shorter. The past begins at a checkpoint, so less than what
   * `checkpointLogBytes` fills keeps nothing beyond the log that no checkpoint has folded.
   *
   * Bytes, from 0 to 1 TiB. Default 512 MiB.
   */
  readonly historyBytes?: number;

  /**
   * Size of a log segment, a file that is preallocated and recycled.
   *
   * Bytes, a multiple of 4 KiB, from 256 KiB to 1 GiB. Default 64 MiB.
   */
  readonly segmentBytes?: number;

  /**
   * Memory for the pages that one transaction changes. Beyond it they go to files of the store, to
   * which its commit then refers: it takes as long as the device takes for so many bytes, and blocks
   * the event loop meanwhile, as any statement does.
   *
   * Bytes, from 64 KiB to 1 GiB. Default 64 MiB.
   */
  readonly transactionMemoryBytes?: number;

  /**
   * Most that one transaction may change, in memory and on disk together. Beyond it,
   * BOP_TRANSACTION_TOO_LARGE. A disk that is full before is BOP_DISK_FULL.
   *
   * Bytes, from 1 MiB to 1 TiB. Default 64 GiB.
   */
  readonly maxTransactionBytes?: number;

  /**
   * How the log is written. `direct`: past the page cache, a write being its own flush (Linux, and
   * file systems with O_DIRECT); BOP_IO where that cannot be done. `standard`: through the page
   * cache, then fdatasync. `auto`: whichever is the quicker here, tried when the store opens.
   * Diagnostics say which it is, and why. Default "auto".
   */
  readonly io?: IoChoice;

  /**
   * Memory for entries of record logs that lie in chunks already, the newest of each log. Entries
   * that were appended since the last checkpoint come on top, and count towards `overlayBytes`.
   *
   * Bytes, from 0 to 64 GiB. Default 64 MiB.
   */
  readonly logCacheBytes?: number;

  /**
   * Largest payload of an entry of a record log; beyond it, RangeError. An append is held in memory
   * as a whole.
   *
   * Bytes, from 1 KiB to 1 GiB. Default 64 MiB.
   */
  readonly maxEntryBytes?: number;

  /**
   * Log every changed page as a whole instead of what changed in it: for debugging, and to measure
   * what deltas save. A small commit then takes some ten times the log. Default false.
   */
  readonly logFullPages?: boolean;

  /**
   * A commit that nobody shares is flushed within its call, without the trip through the thread
   * pool, while flushes have lately taken less than this. 0 never does. Such a flush blocks the
   * event loop for as long as it takes.
   *
   * Milliseconds, from 0 to 100. Default 1.
   */
  readonly inlineFlushMs?: number;

  /**
   * Connections to databases that are kept open. Beyond it the longest idle are closed, and
   * reopened when they are used again.
   *
   * From 1 to 100,000. Default 2,000.
   */
  readonly maxConnections?: number;

  /**
   * Time after which a database that was created, renamed or dropped is in the manifest, and so in
   * the change log. Nobody waits for it; what comes together within it shares one commit there.
   *
   * Milliseconds, from 0 to 60,000. Default 50.
   */
  readonly catalogueDelayMs?: number;

  /**
   * How long a change of the manifest waits for others to share its commit: a checkpoint, a new
   * segment of the log, an acknowledged change. Commits of databases do not wait for it. 0: until the
   * program has nothing else to do.
   *
   * Milliseconds, from 0 to 1,000. Default 0.
   */
  readonly manifestDelayMs?: number;

  /**
   * Where everything is shipped as it is written, so that it can be restored elsewhere: a folder
   * (`file:///backup`), a bucket (`s3://bucket/prefix?region=…`), or an ObjectStore. One store ships
   * there, and one machine at a time. Default: nowhere; but a store that has shipped keeps what is
   * new for its sink, until `limits.maxUnshippedBytes` wait. `none` gives the sink up, and that with
   * it. See docs/sinks.md and docs/durability.md.
   */
  readonly sink?: string | ObjectStore;

  /**
   * When commits are acknowledged: `local`, once they are durable on this machine; `remote`, once the
   * sink holds them, which takes as long as a request to it, and as long as it cannot be reached.
   * Databases and transactions may have their own. Default "local".
   */
  readonly durability?: Durability;

  /**
   * How long what was committed may wait to be shipped, if nobody waits for it: what a lost machine
   * loses at level `local`, while the sink answers. Less makes more and smaller objects.
   *
   * Milliseconds, from 10 to 3,600,000. Default 1,000.
   */
  readonly flushIntervalMs?: number;

  /**
   * Log that is shipped at once when so much has come together, and the most that one object holds.
   *
   * Bytes, from 64 KiB to 256 MiB. Default 8 MiB.
   */
  readonly flushBytes?: number;

  /**
   * A directory that holds no store takes up the one that the sink holds, if there is one: its rows
   * and its newest log are read, its pages when they are needed. Whoever served it before is fenced.
   * Without this, such a sink refuses a directory that is empty. See docs/tiering.md. Default false.
   */
  readonly startFromSink?: boolean;

  /** What of the past the sink keeps. */
  readonly retention?: RetentionOptions;

  /**
   * Accepts a sink that cannot create objects only if they are absent, which is what keeps two
   * machines from writing there at once. Say so only if nothing else can ever open a store with this
   * sink. Default false.
   */
  readonly singleWriter?: boolean;

  /**
   * How long opening waits for the sink. If it has not answered by then the store goes on without,
   * and keeps trying: commits at level `remote` wait for it.
   *
   * Milliseconds, from 0 to 600,000. Default 5,000.
   */
  readonly sinkTimeoutMs?: number;

  /**
   * How long closing waits until the sink has everything. What it does not have by then stays here,
   * and is shipped when the store is opened again. As long, before that, for room on a full disk.
   *
   * Milliseconds, from 0 to 3,600,000. Default 10,000.
   */
  readonly closeTimeoutMs?: number;

  /** How much of the change log is kept, and for whom. */
  readonly changeLog?: ChangeLogOptions;

  /** How often what was written is read again to see whether it still is that: see docs/scrub.md. */
  readonly scrub?: ScrubOptions;

  /** What may wait in memory, be under way, and hang: see docs/limits.md. */
  readonly limits?: LimitOptions;

  /**
   * Told now and then, while a store that was not closed is opened, how much of its log has been
   * checked. Bytes; the total is an upper bound until the end has been found. Default: nobody.
   */
  readonly onProgress?: (progress: RecoveryProgress) => void;

  /** The world. Default: this machine. Simulations and tests bring their own. */
  readonly env?: Env;
  /** What the manifest lies in. Default: LMDB. Simulations bring the twin in memory. */
  readonly openKeyValueStore?: OpenKeyValueStore;
}
