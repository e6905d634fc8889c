/** OPTIONS about the sink that are objects, or need more than a range to be checked. */
import { type ObjectStore, parseLocation } from "../../sink/index.ts";
import { type Durability, durabilityOf } from "../gates/durability.ts";
import type { ResolvedLimits } from "../limit-options.ts";
import { shown, yesOrNo } from "../option-values.ts";

/** Which states of the store the sink keeps, so that they can be restored. */
export interface RetentionOptions {
  /**
   * Any moment of this time can be restored, from now backwards. Objects that no moment of it needs
   * are removed from the sink.
   *
   * Milliseconds, from 0 to 31,622,400,000 (366 days). Default 604,800,000 (7 days).
   */
  readonly keepForMs?: number;

  /** Of so many days before that, one state each. From 0 to 3,660. Default 0. */
  readonly daily?: number;

  /** Of so many weeks before that, one state each. From 0 to 520. Default 0. */
  readonly weekly?: number;
}

export type ResolvedRetention = Required<RetentionOptions>;

export interface ResolvedSink {
  /** Undefined and "none": nothing is shipped. */
  readonly sink: string | ObjectStore | undefined;
  readonly durability: Durability;
  readonly retention: ResolvedRetention;
  readonly singleWriter: boolean;
  readonly startFromSink: boolean;
}

interface GivenSink {
  readonly sink?: unknown;
  readonly durability?: unknown;
  readonly retention?: RetentionOptions;
  readonly singleWriter?: unknown;
  readonly startFromSink?: unknown;
}

const RETENTION = {
  keepForMs: { max: 31_622_400_000, byDefault: 604_800_000 },
  daily: { max: 3660, byDefault: 0 },
  weekly: { max: 520, byDefault: 0 },
} as const satisfies Record<keyof RetentionOptions, { max: number; byDefault: number }>;

/** The store gives up its sink, and what it keeps for it. */
export const NO_SINK = "none";

export const RETENTION_OPTIONS: readonly string[] = Object.keys(RETENTION);

/** Throws a TypeError or a RangeError, before anything is opened. */
export function resolveSink(
  given: GivenSink,
  { diskBytes }: Pick<ResolvedLimits, "diskBytes">,
): ResolvedSink {
  const { durability = "local", retention = {} } = given;
  const sink = checkedSink(given.sink);
  const level = durabilityOf("Manager.open", durability);
  const singleWriter = yesOrNo("Manager.open: singleWriter", given.singleWriter) ?? false;
  const startFromSink = yesOrNo("Manager.open: startFromSink", given.startFromSink) ?? false;
  if (sink === undefined || sink === NO_SINK) {
    if (level === "remote") throw new TypeError('Manager.open: durability "remote" needs a sink');
    if (startFromSink) throw new TypeError("Manager.open: startFromSink needs a sink");
    if (diskBytes !== undefined) throw new TypeError("limits: diskBytes needs a sink");
  }
  const kept = resolveRetention(retention);
  return { sink, durability: level, retention: kept, singleWriter, startFromSink };
}

function checkedSink(sink: unknown): string | ObjectStore | undefined {
  if (sink === undefined) return undefined;
  if (typeof sink === "string") {
    if (sink !== NO_SINK) parseLocation(sink);
    return sink;
  }
  if (typeof sink === "object" && sink !== null && "putIfAbsent" in sink) {
    return sink as ObjectStore;
  }
  throw new TypeError(
    "Manager.open: sink is a URL, as in file:///backup or s3://bucket/prefix, or an ObjectStore",
  );
}

function resolveRetention(given: RetentionOptions): ResolvedRetention {
  const value = (name: keyof RetentionOptions): number => {
    const { max, byDefault } = RETENTION[name];
    const wanted = given[name] ?? byDefault;
    if (Number.isInteger(wanted) && wanted >= 0 && wanted <= max) return wanted;
    throw new RangeError(
      `retention: ${name} is ${shown(wanted)}; want a whole number from 0 to ${max}`,
    );
  };
  return { keepForMs: value("keepForMs"), daily: value("daily"), weekly: value("weekly") };
}
