/**
 * LIMITS: what one client may cost. Each has a default that suits a server on one machine; past
 * `resolveLimits` every one is present, known and in range.
 */

export interface ServerLimits {
  /** Largest request body; beyond it 413. Bytes, 1 KiB to 256 MiB. Default 16 MiB. */
  readonly requestBytes: number;
  /**
   * Most that the rows of one answer may take. The statement that goes beyond it fails with
   * RESPONSE_TOO_LARGE. A write that has committed by then is answered all the same, once: writes
   * with rows behind it are refused. Bytes, 1 KiB to 256 MiB. Default 16 MiB.
   */
  readonly responseBytes: number;
  /** Requests in one pipeline. 1 to 100,000. Default 1,000. */
  readonly pipelineRequests: number;
  /** Steps in one batch. 1 to 1,000,000. Default 20,000. */
  readonly batchSteps: number;
  /** Nesting of a step's condition. 1 to 1,000. Default 64. */
  readonly conditionDepth: number;
  /** SQL texts stored by one stream. 1 to 10,000. Default 150. */
  readonly storedSqlCount: number;
  /** Longest SQL text that is stored. Bytes, 1 to 16 MiB. Default 64 KiB. */
  readonly storedSqlBytes: number;
  /** Streams that are open at once; beyond it 429. 1 to 1,000,000. Default 10,000. */
  readonly streams: number;
  /** A stream that waits this long for its client is closed. 1 ms to 1 hour. Default 10 s. */
  readonly streamIdleMs: number;
  /** A transaction is rolled back after this time. 1 ms to 1 day. Default 30 s. */
  readonly transactionMs: number;
  /** A statement is ended after this time. 1 ms to 1 day. Default 30 s. */
  readonly statementMs: number;
  /** Sockets that are open at once. 1 to 100,000. Default 4,096. */
  readonly connections: number;
  /** Time in which the head of a request must arrive. 100 ms to 1 hour. Default 10 s. */
  readonly headersMs: number;
  /** Time in which a whole request must arrive. 100 ms to 1 hour. Default 30 s. */
  readonly requestMs: number;
  /** How long an idle connection is kept. 100 ms to 1 hour. Default 5 s. */
  readonly keepAliveMs: number;
  /** How long `close` waits for requests that run. 0 to 1 hour. Default 10 s. */
  readonly drainMs: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND_MS = 1000;
const HOUR_MS = 3600 * SECOND_MS;
const DAY_MS = 24 * HOUR_MS;

type Range = readonly [min: number, max: number, byDefault: number];

const RANGES: Readonly<Record<keyof ServerLimits, Range>> = {
  requestBytes: [KIB, 256 * MIB, 16 * MIB],
  responseBytes: [KIB, 256 * MIB, 16 * MIB],
  pipelineRequests: [1, 100_000, 1000],
  batchSteps: [1, 1_000_000, 20_000],
  conditionDepth: [1, 1000, 64],
  storedSqlCount: [1, 10_000, 150],
  storedSqlBytes: [1, 16 * MIB, 64 * KIB],
  streams: [1, 1_000_000, 10_000],
  streamIdleMs: [1, HOUR_MS, 10 * SECOND_MS],
  transactionMs: [1, DAY_MS, 30 * SECOND_MS],
  statementMs: [1, DAY_MS, 30 * SECOND_MS],
  connections: [1, 100_000, 4096],
  headersMs: [100, HOUR_MS, 10 * SECOND_MS],
  requestMs: [100, HOUR_MS, 30 * SECOND_MS],
  keepAliveMs: [100, HOUR_MS, 5 * SECOND_MS],
  drainMs: [0, HOUR_MS, 10 * SECOND_MS],
};

/** Throws a TypeError for an unknown name, a RangeError for a value out of range. */
export function resolveLimits(limits: Partial<ServerLimits> = {}): ServerLimits {
  const resolved: Record<string, number> = {};
  for (const name of Object.keys(limits)) {
    if (!Object.hasOwn(RANGES, name)) throw new TypeError(`server: unknown limit "${name}"`);
  }
  for (const [name, [min, max, byDefault]] of Object.entries(RANGES)) {
    const value = limits[name as keyof ServerLimits] ?? byDefault;
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new RangeError(`server: ${name} is ${value}; want a whole number, ${min} to ${max}`);
    }
    resolved[name] = value;
  }
  return Object.freeze(resolved) as unknown as ServerLimits;
}
