/** SCRUBBING A STORE: what scrubbing asks of the layers, what diagnostics tell of it, a pass on demand. */
import type { ChunkId, StreamId } from "../../base/units.ts";
import type { ChunkRow } from "../../manifest/index.ts";
import { chunkPath } from "../../page-store/index.ts";
import type { ObjectStore } from "../../sink/index.ts";
import { databaseName } from "../catalogue/names.ts";
import { notFound } from "../catalogue/refusals.ts";
import { refuseUnknown } from "../refuse-unknown.ts";
import type { StoreGround } from "../store-ground.ts";
import { BucketArea, type BucketGround } from "./bucket-area.ts";
import { healSegment } from "./heal-segment.ts";
import { LocalArea, type LocalGround } from "./local-area.ts";
import { trySample } from "./sample.ts";
import type {
  ScrubbedDatabase,
  ScrubFacts,
  ScrubPass,
  ScrubReport,
  ScrubRequest,
  ScrubSamples,
} from "./scrub.ts";
import { scrubRate } from "./scrub-options.ts";
import type { PassName } from "./scrub-rows.ts";
import { type RemoteScrub, Scrubber } from "./scrubber.ts";

const REQUEST = ["parts", "database", "maxBytesPerSecond", "onProgress", "signal"];
const PARTS = ["local", "remote", "sample"] as const;
const OLDEST_MAX = 10;
/** The bucket is this store's. */
const ITS_OWN = ["shipping", "halted"];
/** It never will be again, or nobody asks it any more. */
const LOST = ["fenced", "diverged", "closed"];

export function scrubberOf(store: StoreGround): Scrubber {
  const { env, options, parts, catalogue, faults } = store;
  const { clock, random, storage } = env;
  return new Scrubber({
    ...{ clock, random, storage, options: options.scrub, manifest: parts.manifest },
    local: new LocalArea(localGround(store)),
    remote: parts.hold.bucket && remoteScrub(store, parts.hold.bucket),
    isWritable: () => store.lifecycle.state !== "closed" && !store.levels.local.hasFailed,
    databases: function* (): Generator<readonly [StreamId, string]> {
      for (const { stream, state, name } of catalogue.databases.all()) {
        if (state === "live") yield [stream, name];
      }
    },
    hasDatabases: () => catalogue.databases.count > 0,
    onFault: (error) => faults.record("scrub", error),
  });
}

function localGround(store: StoreGround): LocalGround {
  const { env, options, parts, catalogue, checkpointer } = store;
  const { pages, recordLogs, log, hold, mirror, storeId } = parts;
  const { directory } = options;
  const inStore = (path: string) => path.slice(directory.length + 1);
  const pathOf = (chunk: ChunkId) => chunkPath(directory, chunk);
  return {
    ...{ clock: env.clock, directory, storeId, mirror, pathOf },
    residency: pages.residency,
    chunks: () => namedChunks(store),
    fileOf: (chunk) => inStore(pathOf(chunk)),
    isNamed: (chunk) => pages.chunks.row(chunk) !== undefined || recordLogs.chunks.has(chunk),
    isRemote: (chunk) => parts.remote?.find(chunk) !== undefined,
    databasesOf: (families) =>
      [...catalogue.databases.all()].flatMap(({ state, family, name }) =>
        state === "live" && families.has(family) ? [name] : [],
      ),
    segments: () => log.history.ended,
    hold: (lsn) => log.history.hold(lsn),
    segmentFile: ({ path }) => inStore(path),
    healSegment: async (segment) => {
      const { bucket } = hold;
      const shippedLsn = store.shipping?.shipper.remoteLsn ?? 0;
      if (bucket === undefined || segment.endLsn > shippedLsn) return false;
      return healSegment(segment, { env, directory, storeId, bucket, shippedLsn });
    },
    checkpoint: async () => {
      store.lifecycle.assertWritable();
      await checkpointer.now();
    },
    superblockWrites: parts.superblockWrites,
    rewriteSuperblock: async () => {
      store.lifecycle.assertWritable();
      pages.oweSuperblock();
      await checkpointer.now();
    },
  };
}

function* namedChunks({
  parts,
}: StoreGround): Generator<Pick<ChunkRow, "chunk" | "kind" | "fileBytes">> {
  yield* parts.pages.chunks.rows();
  yield* parts.recordLogs.chunks.values();
}

function remoteScrub(store: StoreGround, bucket: ObjectStore): RemoteScrub {
  return {
    area: new BucketArea(bucketGround(store, bucket)),
    isThere: () => !LOST.includes(stateOf(store)),
    trySample: (stream, reads) => trySample(store, { stream, bucket }, reads),
  };
}

const stateOf = ({ shipping }: StoreGround): string => shipping?.shipper.facts.state ?? "closed";

function bucketGround(store: StoreGround, bucket: ObjectStore): BucketGround {
  const { env, options, parts } = store;
  const { hold, log, storeId } = parts;
  const { directory } = options;
  return {
    ...{ store: bucket, storeId, random: env.random, shipping: log.shipping },
    pathOf: (chunk) => chunkPath(directory, chunk),
    get isWriter() {
      return ITS_OWN.includes(stateOf(store));
    },
    get epoch() {
      return store.shipping?.shipper.facts.epoch;
    },
    remoteChunks: function* () {
      for (const { chunk } of namedChunks(store)) {
        const place = hold.remote?.isNamed(chunk) === true ? hold.remote.find(chunk) : undefined;
        if (place !== undefined) yield { chunk, ...place };
      }
    },
    isNamed: (chunk, epoch) =>
      hold.remote?.isNamed(chunk) === true && hold.remote.find(chunk)?.epoch === epoch,
    epochOf: (chunk) => hold.remote?.find(chunk)?.epoch,
    beginAnew: async ({ base }) => {
      store.lifecycle.assertWritable();
      if (base) store.shipping?.shipper.newBase();
      await store.checkpointer.now();
    },
  };
}

/** See Manager.scrub. */
export async function scrubNow(store: StoreGround, request: ScrubRequest): Promise<ScrubReport> {
  refuseUnknown("scrub", request, REQUEST);
  const { database, onProgress, signal, maxBytesPerSecond } = request;
  store.lifecycle.assertOpen();
  const hasSink = store.parts.hold.bucket !== undefined;
  const parts = request.parts ?? (hasSink ? PARTS : ["local" as const]);
  const unknown = parts.find((part) => !PARTS.includes(part));
  if (unknown !== undefined) {
    throw new TypeError(`scrub: parts has ${JSON.stringify(unknown)}; want ${PARTS.join(", ")}`);
  }
  if (!hasSink && parts.some((part) => part !== "local")) {
    throw new TypeError("scrub: this store has no sink; there is only its disk to read");
  }
  const stream = database === undefined ? undefined : liveStream(store, database);
  const rate = maxBytesPerSecond ?? store.options.scrub.maxBytesPerSecond;
  const bytesPerSecond = scrubRate(rate);
  return store.scrubber.now({ parts, stream, bytesPerSecond, onProgress, signal });
}

function liveStream({ catalogue }: StoreGround, name: string): StreamId {
  const row = catalogue.databases.find(databaseName(name));
  if (row?.state === "live") return row.stream;
  throw notFound(name);
}

/** For diagnostics. */
export function scrubFacts(store: StoreGround): ScrubFacts {
  const { scrubber, options, parts } = store;
  const { localEveryMs, remoteEveryMs } = options.scrub;
  const hasSink = parts.hold.bucket !== undefined;
  return {
    local: passFacts(scrubber, { name: "local", everyMs: localEveryMs }),
    remote: hasSink ? passFacts(scrubber, { name: "remote", everyMs: remoteEveryMs }) : undefined,
    samples: hasSink ? sampleFacts(store) : undefined,
    ...scrubber.counts,
    findings: [...scrubber.findings],
  };
}

/** When a database was last restored from the sink and found whole. */
export function lastGoodSample({ scrubber }: StoreGround, stream: StreamId): Date | undefined {
  return dateOf(scrubber.samples.get(stream)?.lastGoodMs ?? 0);
}

function passFacts(
  scrubber: Scrubber,
  { name, everyMs }: { readonly name: PassName; readonly everyMs: number },
): ScrubPass {
  const plan = scrubber.pass(name)?.plan;
  const { lastGoodMs = 0, lastTriedMs = 0, beganMs = 0, problem = "" } = plan?.row ?? {};
  return {
    everyMs,
    lastGoodAt: dateOf(lastGoodMs),
    lastAt: dateOf(lastTriedMs),
    since: dateOf(beganMs),
    done: plan?.share ?? 0,
    problem: problem === "" ? undefined : problem,
  };
}

function sampleFacts({ scrubber, catalogue, options }: StoreGround): ScrubSamples {
  let [lastMs, goodDatabases] = [0, 0];
  const all: (ScrubbedDatabase & { readonly atMs: number })[] = [];
  for (const { stream, state, name } of catalogue.databases.all()) {
    if (state !== "live") continue;
    const { lastGoodMs = 0, lastTriedMs = 0, problem = "" } = scrubber.samples.get(stream) ?? {};
    lastMs = Math.max(lastMs, lastTriedMs);
    if (lastGoodMs > 0 && problem === "") goodDatabases += 1;
    const why = problem === "" ? undefined : problem;
    all.push({ name, lastGoodAt: dateOf(lastGoodMs), problem: why, atMs: lastGoodMs });
    if (all.length > 2 * OLDEST_MAX) keepOldest(all);
  }
  keepOldest(all);
  const oldest = all.map(({ atMs: _, ...database }) => database);
  const everyMs = options.scrub.sampleEveryMs;
  return { everyMs, lastAt: dateOf(lastMs), goodDatabases, oldest };
}

function keepOldest(all: { readonly atMs: number; readonly name: string }[]): void {
  all.sort((a, b) => a.atMs - b.atMs || (a.name < b.name ? -1 : 1)).splice(OLDEST_MAX);
}

const dateOf = (ms: number): Date | undefined => (ms === 0 ? undefined : new Date(ms));
