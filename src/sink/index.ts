/**
 * SINKS: objects in a folder or in a bucket. Bytes under keys; what they mean is known above.
 *
 *   object-store     what every store promises; contract/ holds it against each of them
 *   open             a store from its URL
 *   location         that URL
 *   keys             what lies where in a bucket
 *   object-key       which keys there can be
 *   metadata         what an object says of itself
 *   sink-error       what an answer means to who asked
 *   probe            does this place do what is needed?
 *   forwarding-store a store over another one; counted-store: how often it is asked
 *   digest, permits, call-signal
 *
 *   folder/          a store in a folder
 *   s3/              a store in a bucket, over the AWS SDK
 *   simulated/       a store in memory, with everything that can go wrong
 *   retry/           how calls are repeated: backoff, budget, breaker, one timer
 */
export { CallSignal } from "./call-signal.ts";
export { CountedStore, type ReadCounts, type RequestCounts } from "./counted-store.ts";
export { decodeTrailer, OBJECT_TRAILER as OBJECT_FILE_TRAILER } from "./folder/object-file.ts";
export { ForwardingStore, type StoreCall } from "./forwarding-store.ts";
export { type BucketKey, bucketKey, epochPrefix, PREFIXES, parseKey } from "./keys.ts";
export { parseLocation } from "./location.ts";
export {
  type ByteRange,
  type CallOptions,
  type GetOptions,
  type ListedObject,
  type ListOptions,
  type ListPage,
  listAll,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
  type PutOutcome,
  type ServiceReport,
  type StoredObject,
} from "./object-store.ts";
export { openObjectStore } from "./open.ts";
export { Permits } from "./permits.ts";
export {
  assertFit,
  type ProbeFinding,
  type ProbeOptions,
  type ProbeReport,
  probe,
} from "./probe.ts";
export { backoffMs } from "./retry/backoff.ts";
export type { BreakerState } from "./retry/breaker.ts";
export { Retrier, type RetryStats } from "./retry/retrier.ts";
export { RetryingStore } from "./retry/retrying-store.ts";
export { type SimulatedService, simulatedService } from "./simulated/service.ts";
export { SimulatedStore } from "./simulated/simulated-store.ts";
