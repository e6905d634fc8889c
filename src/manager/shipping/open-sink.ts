/**
 * THE SINK OF A STORE, before anything is shipped: opened, and looked at.
 *
 * (1) A bucket that nobody's store lies in is tried out first (probe.ts of the sinks), and refused if
 *     it cannot keep two writers apart: once, since from then on `store.json` is there.
 * (2) A directory without a store never becomes a second store in the bucket of a first one: whoever
 *     wants that one back restores it. So a new store needs an answer of its sink to be made.
 * (3) A store that is there is opened without the sink, if need be; then (1) waits until it answers.
 */
import type { Env } from "../../base/env.ts";
import { isStorageError, StorageError } from "../../base/errors.ts";
import { Bucket, type BucketIdentity, readBucketIdentity, surveyAll } from "../../flush/index.ts";
import {
  assertFit,
  CountedStore,
  listAll,
  type ObjectStore,
  openObjectStore,
  PREFIXES,
  parseKey,
  probe,
  Retrier,
  RetryingStore,
} from "../../sink/index.ts";
import type { ResolvedOptions } from "../resolve-options.ts";
import { NO_SINK } from "./sink-options.ts";

export interface Sink {
  /** Its calls are repeated, and counted. */
  readonly store: CountedStore;
  readonly retrier: Retrier;
  /** Resolves when the bucket is fit; waits for it as long as it takes. See (1) and (3). */
  ready(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
  /** The store was made of what it holds, to go on with it. */
  readonly takesOver?: boolean;
}

/** Between two looks at a sink that does not answer. */
const AGAIN_MS = 1000;
const CREATE_IF_ABSENT = "create-if-absent";

/** Undefined if the store has none. Throws what (1) and (2) say. */
export async function openSink(
  options: ResolvedOptions,
  { env, isNew }: { readonly env: Env; readonly isNew: boolean },
): Promise<Sink | undefined> {
  if (options.sink === undefined || options.sink === NO_SINK) return undefined;
  const { clock, random } = env;
  const { sink: given, singleWriter } = options;
  const opened = typeof given === "string" ? await openObjectStore(given, env) : given;
  const retrier = new Retrier({ clock, random }, { what: opened.location });
  const store = new CountedStore(new RetryingStore(opened, retrier));
  const looking = { store, random, singleWriter };
  const sink: Sink = {
    store,
    retrier,
    ready: async (signal) => {
      // A new one was looked at a moment ago, below.
      if (!isNew) await untilAnswered(() => look(looking, signal), { clock, signal });
    },
    // Who brought a store closes it.
    close: async () => (opened === given ? retrier.close() : store.close()),
  };
  if (!isNew) return sink;
  try {
    const found = await look(looking);
    if (found !== undefined) throw await taken(store, found);
  } catch (error) {
    await sink.close();
    throw error;
  }
  return sink;
}

interface Looking {
  readonly store: ObjectStore;
  readonly random: Env["random"];
  readonly singleWriter: boolean;
}

/** See (1). */
async function look(
  { store, random, singleWriter }: Looking,
  signal?: AbortSignal,
): Promise<BucketIdentity | undefined> {
  const identity = await readBucketIdentity(store, { signal });
  if (identity !== undefined) return identity;
  const report = await probe(store, { random, signal });
  const findings = report.findings.filter(
    ({ name }) => !(singleWriter && name === CREATE_IF_ABSENT),
  );
  assertFit({ ...report, findings });
  return undefined;
}

/** See (2). */
async function taken(store: ObjectStore, { storeId }: BucketIdentity): Promise<StorageError> {
  const { location } = store;
  const message =
    `there is no store in this directory, and ${location} holds one: ` +
    `restore it with \`bop restore --from ${location}\`, or give this one a place of its own`;
  const bucketLsn = await endOf(new Bucket(store, storeId));
  return new StorageError("BOP_SINK_AHEAD", message, { details: { bucketLsn, diskLsn: 0 } });
}

/** Of the log in a bucket; 0 if that cannot be told. */
async function endOf(bucket: Bucket): Promise<number> {
  let newest = 0;
  for await (const { key } of listAll(bucket.store, PREFIXES.epoch)) {
    const parsed = parseKey(key);
    if (parsed?.kind === "epoch") newest = Math.max(newest, parsed.epoch);
  }
  const { endLsn } = await surveyAll(bucket, { newest });
  return endLsn ?? 0;
}

async function untilAnswered(
  work: () => Promise<unknown>,
  { clock, signal }: { readonly clock: Env["clock"]; readonly signal: AbortSignal },
): Promise<void> {
  while (true) {
    try {
      await work();
      return;
    } catch (error) {
      if (!isAway(error)) throw error;
    }
    await clock.sleep(AGAIN_MS, signal);
  }
}

/** The sink did not answer, or not clearly: it will. */
function isAway(error: unknown): boolean {
  return (
    isStorageError(error, "BOP_SINK_UNAVAILABLE") ||
    isStorageError(error, "BOP_SINK_UNKNOWN") ||
    isStorageError(error, "BOP_SINK_CORRUPT")
  );
}
