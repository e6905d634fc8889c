/**
 * THE OPTIONS OF A SEED. Every seed draws its own (swarm testing): a run in which everything may
 * happen rarely gets far in any direction, so each seed leaves some kinds of work out and takes
 * others often.
 *
 * (1) Limits are small, so that segments rotate and are recycled, checkpoints run by themselves and
 *     the cache is too small within a few hundred simulated milliseconds.
 */
import { KIB, MIB } from "../src/base/units.ts";
import type { EngineKind } from "../src/index.ts";
import type { SeededRandom } from "../src/io/index.ts";
import { OPERATION_KINDS, type OperationKind } from "./operations.ts";

export interface SwarmOptions {
  readonly engine: EngineKind;
  readonly pageBytes: number;
  readonly segmentBytes: number;
  readonly checkpointLogBytes: number;
  readonly overlayBytes: number;
  readonly inlineFlushMs: number;
  readonly maxConnections: number;
  readonly databases: number;
  readonly clients: number;
  /** Operations of one client in one life. */
  readonly operations: number;
  /** Times that the store is opened, worked with, and ended. */
  readonly lives: number;
  /** Changes of the catalogue, and calls for a checkpoint, in one life, at most. */
  readonly administration: number;
  readonly checkpoints: number;
  /** Longest pause of a client between two operations. */
  readonly thinkMs: number;
  /** Share of lives whose crash is aimed at recovery. */
  readonly crashInRecovery: number;
  /** Changes of the disk after which a life is cut off, at most. */
  readonly changesMax: number;
  /** How often each kind is drawn. */
  readonly weights: Readonly<Record<OperationKind, number>>;
  readonly io: "standard" | "direct";
  readonly writeTimeoutMs: number;
  readonly transactionMemoryBytes: number;
  /** The past that is kept; by default that of the store. */
  readonly historyMs?: number;
  readonly historyBytes?: number;
  readonly checkpointAgeMs?: number;
  readonly compression?: "none" | "deflate";
  /** Entries of record logs that stay in memory; by default that of the store, which is all of them. */
  readonly logCacheBytes?: number;
  /** The work of `families`, where a scenario lets a seed draw that. */
  readonly families?: boolean;
  /** Further images of each crash: see echoes.ts. Not of the dice, so that they move nothing. */
  readonly echoes?: number;
}

const LIBSQL_SHARE = 0.1;
const KIND_LEFT_OUT = 0.3;
const WEIGHTS = [1, 1, 2, 5] as const;

export function swarm(random: SeededRandom): SwarmOptions {
  return {
    engine: random.chance(LIBSQL_SHARE) ? "libsql" : "sqlite",
    pageBytes: random.pick([512, 1024, 4096, 4096, 4096, 16_384]),
    segmentBytes: random.pick([256, 256, 256, 512]) * KIB,
    checkpointLogBytes: random.pick([64, 64, 128, 256, 1024]) * KIB,
    overlayBytes: random.pick([64, 256, 1024, 64 * 1024]) * KIB,
    inlineFlushMs: random.pick([0, 1, 1, 100]),
    maxConnections: random.pick([1, 4, 1000]),
    databases: 1 + random.below(4),
    clients: 1 + random.below(6),
    operations: 2 + random.below(9),
    lives: 1 + random.below(4),
    administration: random.pick([0, 0, 4, 20]),
    checkpoints: random.pick([0, 0, 4, 20]),
    thinkMs: random.pick([0, 0, 2, 120]),
    crashInRecovery: random.pick([0, 0.2, 0.6]),
    changesMax: random.pick([20, 100, 100, 400]),
    weights: weights(random),
    transactionMemoryBytes: random.pick([64, 256, 64 * 1024]) * KIB,
    io: random.pick(["standard", "direct"]),
    writeTimeoutMs: 30_000,
  };
}

/** More than what a busy database grows to (some 10 MiB), which vacuums and loads rewrite. */
const TRANSACTION_BYTES_MAX = 64 * MIB;
const NEVER = { localEveryMs: 0, remoteEveryMs: 0, sampleEveryMs: 0 };

/** What `Manager.open` is given of them. */
export function storeLimits(options: SwarmOptions) {
  const { engine, segmentBytes, checkpointLogBytes, overlayBytes } = options;
  const { inlineFlushMs, maxConnections, transactionMemoryBytes, io, writeTimeoutMs } = options;
  const { historyMs, historyBytes, checkpointAgeMs, compression, logCacheBytes } = options;
  const limits = { engine, segmentBytes, checkpointLogBytes, overlayBytes };
  return {
    ...limits,
    ...(historyMs !== undefined && { historyMs }),
    ...(historyBytes !== undefined && { historyBytes }),
    ...(checkpointAgeMs !== undefined && { checkpointAgeMs }),
    ...(compression !== undefined && { compression }),
    ...(logCacheBytes !== undefined && { logCacheBytes }),
    inlineFlushMs,
    maxConnections,
    transactionMemoryBytes,
    io,
    limits: { writeTimeoutMs },
    cacheBytes: MIB,
    maxTransactionBytes: TRANSACTION_BYTES_MAX,
    scrub: NEVER, // Its reads would stand between those of the others; it has a scenario of its own.
  };
}

function weights(random: SeededRandom): Record<OperationKind, number> {
  const drawn = OPERATION_KINDS.map((kind) => {
    const weight = random.chance(KIND_LEFT_OUT) ? 0 : random.pick(WEIGHTS);
    return [kind, weight] as const;
  });
  if (drawn.every(([, weight]) => weight === 0)) drawn.push(["insert", 1]);
  return Object.fromEntries(drawn) as Record<OperationKind, number>;
}
