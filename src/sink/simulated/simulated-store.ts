/**
 * AN OBJECT STORE IN MEMORY: the client of a simulated service, one for each process. Without faults
 * it is the store for tests that want no folder.
 *
 * (1) It tells its caller what S3Store would: the same statuses pass through the same table
 *     (sink-error.ts), and what is read is checked in the same way.
 * (2) Every call takes time, drawn by seed, so that calls overtake each other; what it does, it
 *     does at one moment in between.
 * (3) A call that gets no answer ends after `timeoutMs`, or when its signal is aborted.
 */
import { setMaxListeners } from "node:events";
import type { Clock } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { CallSignal } from "../call-signal.ts";
import { sha256Of } from "../digest.ts";
import { decodeMetadata, encodeMetadata } from "../metadata.ts";
import { assertKey, assertPut, assertRange, listed } from "../object-key.ts";
import type {
  CallOptions,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutOutcome,
  ServiceReport,
  StoredObject,
} from "../object-store.ts";
import { corruptObject, type ServiceAnswer, type SinkOperation, sinkError } from "../sink-error.ts";
import { type BucketObject, type PutRequest, partOf } from "./bucket.ts";
import type { SinkFault } from "./faults.ts";
import type { SimulatedService } from "./service.ts";

export interface SimulatedStoreOptions {
  readonly service: SimulatedService;
  readonly clock: Clock;
  /** How long a call takes at most. Default 0: it takes turns of the loop and no time. */
  readonly latencyMsMax?: number;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 30_000;
/** A put that is delayed lands up to so much later. */
const DELAY_MS_MAX = 10 * 60 * 1000;
const RETRY_AFTER_MS = 500;

interface Call<T> extends CallOptions {
  readonly operation: SinkOperation;
  readonly key: string;
  readonly act: () => T;
  /** What is sent, if it is a put: it may land late or twice. */
  readonly put?: PutRequest;
}

interface Answered<T> {
  readonly value: T;
  readonly fault: SinkFault | undefined;
}

export class SimulatedStore implements ObjectStore {
  readonly location: string;
  readonly #service: SimulatedService;
  readonly #clock: Clock;
  readonly #latencyMsMax: number;
  readonly #timeoutMs: number;
  readonly #closing = new AbortController();

  constructor({ service, clock, latencyMsMax = 0, timeoutMs = TIMEOUT_MS }: SimulatedStoreOptions) {
    this.location = service.location;
    this.#service = service;
    this.#clock = clock;
    this.#latencyMsMax = latencyMsMax;
    this.#timeoutMs = timeoutMs;
    setMaxListeners(0, this.#closing.signal); // One for each call under way, and no leak.
  }

  async put(key: string, body: Uint8Array, options: PutOptions): Promise<void> {
    await this.#put("put", { key, body, ...options });
  }

  async putIfAbsent(key: string, body: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    const status = await this.#put("putIfAbsent", { key, body, ...options });
    if (status === 200) return { type: "created" };
    const info = await this.head(key, options);
    if (info === undefined) {
      const call = { store: this.location, operation: "putIfAbsent", key } as const;
      throw sinkError(call, { status: 409, word: "it was there, and is not any more" });
    }
    return info.putId === options.putId ? { type: "created" } : { type: "exists", info };
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<StoredObject | undefined> {
    assertKey(key);
    if (range !== undefined) assertRange(range);
    const act = () => this.#find(key);
    const { value: found, fault } = await this.#call({ operation: "get", key, act, signal });
    if (found === undefined || fault === "missing") return undefined;
    const info = infoOf(key, found);
    const bytes = new Uint8Array(partOf(found.body, range)); // A Buffer's slice would share.
    const call = { store: this.location, operation: "get", key } as const;
    if (fault === "truncated" && bytes.length > 0) {
      throw sinkError(call, { status: undefined, word: "the body ended too soon" });
    }
    if (fault === "damaged") this.#flip(bytes);
    const whole = range === undefined && info.sha256 !== undefined;
    if (whole && (await sha256Of(bytes, this.#clock)) !== info.sha256) {
      throw corruptObject(call, "its SHA-256 does not match");
    }
    return { info, bytes };
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<ObjectInfo | undefined> {
    assertKey(key);
    const act = () => this.#find(key);
    const { value: found, fault } = await this.#call({ operation: "head", key, act, signal });
    return found === undefined || fault === "missing" ? undefined : infoOf(key, found);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const { after, limit } = listed(prefix, options);
    const { bucket, faults } = this.#service;
    const act = () => {
      const { listLagMs, skewMs } = faults.state;
      const all = bucket.list(prefix, { nowMs: this.#now(), lagMs: listLagMs });
      return all
        .filter(([key]) => key > after)
        .map(([key, { body, changedAtMs }]) => {
          return { key, sizeBytes: body.length, modifiedAtMs: Math.floor(changedAtMs + skewMs) };
        });
    };
    const { signal } = options;
    const { value: found } = await this.#call({ operation: "list", key: prefix, act, signal });
    const objects = found.slice(0, limit);
    return { objects, next: found.length > limit ? objects.at(-1)?.key : undefined };
  }

  async delete(key: string, { signal }: CallOptions = {}): Promise<void> {
    assertKey(key);
    const act = () => this.#service.bucket.delete(key, this.#now());
    await this.#call({ operation: "delete", key, act, signal });
  }

  /** What the simulated service can do is what is asked of one, and no more. */
  async inspect(): Promise<ServiceReport> {
    return { compareAndSwap: "no", refusesDamage: true };
  }

  async close(): Promise<void> {
    const details = { what: "sink" };
    this.#closing.abort(new StorageError("BOP_CLOSED", "the sink was closed", { details }));
  }

  #now(): number {
    return this.#clock.monotonicMs();
  }

  #find(key: string): BucketObject | undefined {
    const nowMs = this.#now();
    const found = this.#service.bucket.find(key, nowMs);
    const { missingMs } = this.#service.faults.state;
    const hidden = found !== undefined && nowMs < found.changedAtMs + missingMs;
    return hidden ? undefined : found;
  }

  async #put(
    operation: "put" | "putIfAbsent",
    { key, body, ...options }: PutOptions & { readonly key: string; readonly body: Uint8Array },
  ): Promise<200 | 412> {
    assertPut(key, options);
    const sha256 = await sha256Of(body, this.#clock);
    if (options.sha256 !== undefined && options.sha256 !== sha256) {
      const call = { store: this.location, key };
      throw corruptObject(call, "the body is not what it was said to be");
    }
    const metadata = encodeMetadata({ putId: options.putId, sha256 });
    const put = {
      key,
      body: new Uint8Array(body),
      metadata,
      ifAbsent: operation === "putIfAbsent",
    };
    const act = () => this.#service.bucket.put(put, this.#now());
    const { signal } = options;
    return (await this.#call({ operation, key, act, put, signal })).value;
  }

  async #call<T>(call: Call<T>): Promise<Answered<T>> {
    const { signal } = call;
    this.#closing.signal.throwIfAborted();
    signal?.throwIfAborted();
    const { faults, random } = this.#service;
    this.#service.calls += 1;
    await this.#wait(random.below(this.#latencyMsMax + 1), signal);
    this.#assertReachable(call);
    const fault = faults.next(call.operation, call.key);
    const value = this.#act(call, fault);
    const lost = fault === "delayed" || fault?.startsWith("timeout");
    await this.#wait(lost ? this.#timeoutMs : random.below(this.#latencyMsMax + 1), signal);
    const answer = answerOf(fault);
    if (answer !== undefined) throw sinkError({ store: this.location, ...named(call) }, answer);
    return { value: value as T, fault };
  }

  /** What the service does, whatever its client learns of it. */
  #act<T>({ act, put }: Call<T>, fault: SinkFault | undefined): T | undefined {
    const { bucket, random } = this.#service;
    const late = () => this.#now() + this.#timeoutMs + random.below(DELAY_MS_MAX);
    switch (fault) {
      case undefined:
      case "error-after":
      case "slow-down-after":
      case "timeout-after":
      case "truncated":
      case "damaged":
      case "missing":
        return act();
      case "twice":
        if (put !== undefined) bucket.later(put, late());
        return act();
      case "delayed":
        if (put !== undefined) bucket.later(put, late());
        return undefined;
      default:
        return undefined;
    }
  }

  #assertReachable<T>(call: Call<T>): void {
    const { denied, gone, down } = this.#service.faults.state;
    const at = { store: this.location, ...named(call) };
    if (down) throw sinkError(at, { status: undefined, word: "ECONNREFUSED" });
    if (denied) throw sinkError(at, { status: 403, word: "AccessDenied" });
    if (gone) throw sinkError(at, { status: 404, word: "NoSuchBucket" });
  }

  #flip(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const at = this.#service.random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#service.random.below(8));
  }

  /** Until then, or until either signal is aborted. */
  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const either = new CallSignal([signal, this.#closing.signal]);
    try {
      if (ms > 0) await this.#clock.sleep(ms, either.signal);
      else await nextTurn(this.#clock);
      either.signal.throwIfAborted();
    } finally {
      either.dispose();
    }
  }
}

function named<T>({ operation, key }: Call<T>): { operation: SinkOperation; key: string } {
  return { operation, key };
}

/** What the client learns of a fault; undefined if it gets a proper answer. */
function answerOf(fault: SinkFault | undefined): ServiceAnswer | undefined {
  switch (fault) {
    case "error-before":
    case "error-after":
      return { status: 500, word: "InternalError" };
    case "slow-down":
    case "slow-down-after":
      return { status: 503, word: "SlowDown", retryAfterMs: RETRY_AFTER_MS };
    case "throttled":
      return { status: 429, word: "TooManyRequests", retryAfterMs: RETRY_AFTER_MS };
    case "timeout-before":
    case "timeout-after":
    case "delayed":
      return { status: undefined, word: "no answer in time" };
    case "conflict":
      return { status: 409, word: "ConditionalRequestConflict" };
    case "refused":
      return { status: undefined, word: "ECONNREFUSED" };
    case "reset":
      return { status: undefined, word: "ECONNRESET" };
    case "damaged-put":
      return { status: 400, word: "XAmzContentSHA256Mismatch" };
    default:
      return undefined;
  }
}

function infoOf(key: string, { body, metadata }: BucketObject): ObjectInfo {
  return { key, sizeBytes: body.length, ...decodeMetadata(metadata) };
}
