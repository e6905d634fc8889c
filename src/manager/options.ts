/**
 * OPTIONS of a store. Past `resolveManagerOptions` every option is present, known and in range;
 * nothing below checks again.
 */
import type { Env } from "../base/env.ts";
import { GIB, KIB, MIB } from "../base/units.ts";
import type { OpenKeyValueStore } from "../manifest/index.ts";
import type { EngineKind } from "../sqlite/index.ts";

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
   * Memory for checkpointed pages, shared by all databases. Pages that are not yet checkpointed
   * come on top: see `overlayBytes`.
   *
   * Bytes, from 1 MiB to 64 GiB. Default 64 MiB.
   */
  readonly cacheBytes?: number;

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
   * Size of a log segment, a file that is preallocated and recycled.
   *
   * Bytes, a multiple of 4 KiB, from 256 KiB to 1 GiB. Default 64 MiB.
   */
  readonly segmentBytes?: number;

  /**
   * Most that one transaction may change: its pages stay in memory until it commits. Beyond it,
   * BOP_TRANSACTION_TOO_LARGE.
   *
   * Bytes, from 1 MiB to 1 GiB. Default 256 MiB.
   */
  readonly maxTransactionBytes?: number;

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

  /** The world. Default: this machine. Simulations and tests bring their own. */
  readonly env?: Env;
  /** What the manifest lies in. Default: LMDB. Simulations bring the twin in memory. */
  readonly openKeyValueStore?: OpenKeyValueStore;
}

export type ResolvedOptions = Required<Omit<ManagerOptions, "env" | "openKeyValueStore">> &
  Pick<ManagerOptions, "env" | "openKeyValueStore">;

interface Range {
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly byDefault: number;
}

const RANGES = {
  cacheBytes: { min: MIB, max: 64 * GIB, step: 1, byDefault: 64 * MIB },
  overlayBytes: { min: 64 * KIB, max: 64 * GIB, step: 1, byDefault: 256 * MIB },
  checkpointLogBytes: { min: 64 * KIB, max: 64 * GIB, step: 1, byDefault: 256 * MIB },
  segmentBytes: { min: 256 * KIB, max: GIB, step: 4 * KIB, byDefault: 64 * MIB },
  maxTransactionBytes: { min: MIB, max: GIB, step: 1, byDefault: 256 * MIB },
  inlineFlushMs: { min: 0, max: 100, step: 0, byDefault: 1 },
  maxConnections: { min: 1, max: 100_000, step: 1, byDefault: 2000 },
} as const satisfies Record<string, Range>;

const OTHERS = [
  "directory",
  "engine",
  "profile",
  "foreignKeys",
  "env",
  "openKeyValueStore",
] as const;

/** Throws a TypeError for an unknown name or kind, a RangeError for a value out of range. */
export function resolveManagerOptions(options: ManagerOptions): ResolvedOptions {
  refuseUnknown("Manager.open", options, [...OTHERS, ...Object.keys(RANGES)]);
  if (typeof options.directory !== "string" || options.directory === "") {
    throw new TypeError("Manager.open: directory must be a path, as in { directory: './data' }");
  }
  const numbers = Object.fromEntries(
    Object.entries(RANGES).map(([name, range]) => [
      name,
      inRange(name, options[name as keyof typeof RANGES] ?? range.byDefault, range),
    ]),
  ) as Record<keyof typeof RANGES, number>;
  const { engine = "sqlite", profile = "embedded", foreignKeys = true } = options;
  if (profile !== "embedded" && profile !== "server") {
    throw new TypeError(`Manager.open: profile is ${profile}; want "embedded" or "server"`);
  }
  if (typeof foreignKeys !== "boolean") {
    throw new TypeError("Manager.open: foreignKeys must be true or false");
  }
  const chosen = { engine: engineKind(engine), profile, foreignKeys };
  return Object.freeze({ ...options, ...numbers, ...chosen });
}

export function engineKind(engine: unknown): EngineKind {
  if (engine === "sqlite" || engine === "libsql") return engine;
  throw new TypeError(`engine is ${JSON.stringify(engine)}; want "sqlite" or "libsql"`);
}

/** A misspelt option must not be silently without effect: it is refused by name. */
export function refuseUnknown(what: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`${what}: options must be an object`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`${what}: unknown option "${name}"; known are ${known.join(", ")}`);
    }
  }
}

function inRange(name: string, value: number, { min, max, step }: Range): number {
  const whole = step === 0 || (Number.isInteger(value) && value % step === 0);
  if (typeof value === "number" && whole && value >= min && value <= max) return value;
  const multiple = step > 1 ? `, a multiple of ${step}` : "";
  throw new RangeError(`Manager.open: ${name} is ${value}; want ${min} to ${max}${multiple}`);
}
