/**
 * RESOLVED OPTIONS: past `resolveManagerOptions` every option is present, known and in range; nothing
 * below checks again.
 */
import type { IoChoice } from "../base/driver.ts";
import { GIB, KIB, MIB } from "../base/units.ts";
import type { EngineKind } from "../sqlite/index.ts";
import {
  CHANGE_LOG_OPTIONS,
  type ResolvedChangeLog,
  resolveChangeLogOptions,
} from "./changes/change-options.ts";
import { LIMIT_OPTIONS, type ResolvedLimits, resolveLimits } from "./limit-options.ts";
import { shown, yesOrNo } from "./option-values.ts";
import type { ManagerOptions } from "./options.ts";
import { refuseUnknown } from "./refuse-unknown.ts";
import { type ResolvedScrub, resolveScrub, SCRUB_OPTIONS } from "./scrub/scrub-options.ts";
import { RETENTION_OPTIONS, type ResolvedSink, resolveSink } from "./shipping/sink-options.ts";

export type ResolvedOptions = Required<
  Omit<
    ManagerOptions,
    | "env"
    | "openKeyValueStore"
    | "changeLog"
    | "limits"
    | "scrub"
    | "onProgress"
    | keyof ResolvedSink
  >
> & {
  readonly changeLog: ResolvedChangeLog;
  readonly limits: ResolvedLimits;
  readonly scrub: ResolvedScrub;
} & ResolvedSink &
  Pick<ManagerOptions, "env" | "openKeyValueStore" | "onProgress">;

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
  checkpointAgeMs: { min: 1000, max: 2_592_000_000, step: 0, byDefault: 600_000 },
  historyMs: { min: 0, max: 2_592_000_000, step: 0, byDefault: 3_600_000 },
  historyBytes: { min: 0, max: 1024 * GIB, step: 1, byDefault: 512 * MIB },
  segmentBytes: { min: 256 * KIB, max: GIB, step: 4 * KIB, byDefault: 64 * MIB },
  transactionMemoryBytes: { min: 64 * KIB, max: GIB, step: 1, byDefault: 64 * MIB },
  maxTransactionBytes: { min: MIB, max: 1024 * GIB, step: 1, byDefault: 64 * GIB },
  logCacheBytes: { min: 0, max: 64 * GIB, step: 1, byDefault: 64 * MIB },
  maxEntryBytes: { min: KIB, max: GIB, step: 1, byDefault: 64 * MIB },
  inlineFlushMs: { min: 0, max: 100, step: 0, byDefault: 1 },
  catalogueDelayMs: { min: 0, max: 60_000, step: 0, byDefault: 50 },
  manifestDelayMs: { min: 0, max: 1000, step: 0, byDefault: 0 },
  flushIntervalMs: { min: 10, max: 3_600_000, step: 0, byDefault: 1000 },
  flushBytes: { min: 64 * KIB, max: 256 * MIB, step: 1, byDefault: 8 * MIB },
  sinkTimeoutMs: { min: 0, max: 600_000, step: 0, byDefault: 5000 },
  closeTimeoutMs: { min: 0, max: 3_600_000, step: 0, byDefault: 10_000 },
  maxConnections: { min: 1, max: 100_000, step: 1, byDefault: 2000 },
} as const satisfies Record<string, Range>;

const OTHERS = [
  "directory",
  "io",
  "engine",
  "profile",
  "foreignKeys",
  "logFullPages",
  "compression",
  "sink",
  "durability",
  "retention",
  "singleWriter",
  "startFromSink",
  "changeLog",
  "limits",
  "scrub",
  "onProgress",
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
  const { engine = "sqlite", profile = "embedded", compression = "none" } = options;
  if (profile !== "embedded" && profile !== "server") {
    throw new TypeError(`Manager.open: profile is ${shown(profile)}; want "embedded" or "server"`);
  }
  if (options.onProgress !== undefined && typeof options.onProgress !== "function") {
    throw new TypeError("Manager.open: onProgress must be a function");
  }
  const foreignKeys = yesOrNo("Manager.open: foreignKeys", options.foreignKeys) ?? true;
  const logFullPages = yesOrNo("Manager.open: logFullPages", options.logFullPages) ?? false;
  if (compression !== "none" && compression !== "deflate") {
    throw new TypeError(
      `Manager.open: compression is ${shown(compression)}; want "none" or "deflate"`,
    );
  }
  const modes = { foreignKeys, logFullPages, compression, io: ioChoice(options.io) };
  const chosen = { engine: engineKind(engine), profile, ...modes };
  refuseUnknown("changeLog", options.changeLog ?? {}, CHANGE_LOG_OPTIONS);
  const changeLog = resolveChangeLogOptions(options.changeLog ?? {});
  refuseUnknown("limits", options.limits ?? {}, LIMIT_OPTIONS);
  const limits = resolveLimits(options.limits ?? {}, numbers);
  refuseUnknown("scrub", options.scrub ?? {}, SCRUB_OPTIONS);
  const scrub = resolveScrub(options.scrub ?? {});
  refuseUnknown("retention", options.retention ?? {}, RETENTION_OPTIONS);
  const shipped = resolveSink(options, limits);
  return Object.freeze({ ...options, ...numbers, ...chosen, ...shipped, changeLog, limits, scrub });
}

export function engineKind(engine: unknown): EngineKind {
  if (engine === "sqlite" || engine === "libsql") return engine;
  throw new TypeError(`engine is ${shown(engine)}; want "sqlite" or "libsql"`);
}

function ioChoice(io: unknown = "auto"): IoChoice {
  if (io === "auto" || io === "direct" || io === "standard") return io;
  throw new TypeError(`Manager.open: io is ${shown(io)}; want "auto", "direct" or "standard"`);
}

function inRange(name: string, value: number, { min, max, step }: Range): number {
  const whole = step === 0 || (Number.isInteger(value) && value % step === 0);
  if (typeof value === "number" && whole && value >= min && value <= max) return value;
  const what = step === 0 ? "" : "a whole number from ";
  const multiple = step > 1 ? `, a multiple of ${step}` : "";
  const wanted = `${what}${min} to ${max}${multiple}`;
  throw new RangeError(`Manager.open: ${name} is ${shown(value)}; want ${wanted}`);
}
