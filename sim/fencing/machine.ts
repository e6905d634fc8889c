/**
 * A MACHINE of the scenario `fencing`: a disk, and processes on it that claim the bucket, take it
 * over, compare, ship and acknowledge; one after the other, until they are killed or replaced.
 *
 * (1) It uses what a store uses: Bucket, claimEpoch, takeOver, compareHistories, NumberedWriter, over
 *     a store whose calls are repeated. Only log and manifest are simpler.
 * (2) It goes on only if its comparison says so, and that is checked against the truth. A disk that
 *     may not go on is made anew from the bucket. An older one is not called diverged, but for objects
 *     that were collected, or of which the service said once that they are not there.
 * (3) A killed process acknowledges nothing more; what it has sent may still land.
 */
import type { Env } from "../../src/base/env.ts";
import {
  Bucket,
  claimEpoch,
  compareHistories,
  encodeLogObject,
  encodeManifestObject,
  FENCE_BYTES,
  type Lineage,
  NumberedWriter,
  type ShippedBatch,
  sharedContent,
  surveyLineage,
  takeOver,
} from "../../src/flush/index.ts";
import { isStorageError, StorageError } from "../../src/index.ts";
import type { SeededRandom } from "../../src/io/index.ts";
import {
  bucketKey,
  Retrier,
  RetryingStore,
  type SimulatedService,
  SimulatedStore,
} from "../../src/sink/index.ts";
import { SegmentIndexBuilder } from "../../src/wal/index.ts";
import { promise } from "../failure.ts";
import type { Tally } from "../tally.ts";
import type { Trace } from "../trace.ts";
import type { Ledger } from "./ledger.ts";
import { endOf, MachineDisk, stateKey } from "./machine-disk.ts";
import { StallingStore } from "./stalling-store.ts";

export const STORE_ID = new Uint8Array(16).fill(0xb0);
const PAYLOAD_BYTES_MAX = 9000;
const OBJECT_BATCHES_MAX = 3;
const PAUSE_MS_MAX = 5000;
const AGAIN_MS_MAX = 20_000;

export interface Surroundings {
  readonly env: Env;
  readonly service: SimulatedService;
  readonly ledger: Ledger;
  readonly random: SeededRandom;
  readonly tally: Tally;
  readonly trace: Trace;
  readonly latencyMsMax: number;
  readonly stallChance: number;
  readonly stallMsMax: number;
  /** Objects of older epochs are deleted. */
  readonly collects: boolean;
}

class Killed extends Error {}

interface Life {
  readonly bucket: Bucket;
  readonly store: RetryingStore;
  readonly signal: AbortSignal;
}

interface Reign extends Life {
  readonly epoch: number;
  readonly wal: NumberedWriter;
  readonly manifest: NumberedWriter;
  shippedLsn: number;
  lastWal: Lineage["lastWal"];
  generation: number;
}

export class Machine {
  disk = new MachineDisk();
  readonly #name: string;
  readonly #in: Surroundings;
  #written = 0;

  constructor(name: string, surroundings: Surroundings) {
    this.#name = name;
    this.#in = surroundings;
  }

  /** One process, for so many steps of work at most. */
  async live({
    steps,
    lifeMs,
  }: {
    readonly steps: number;
    readonly lifeMs: number;
  }): Promise<void> {
    const { env, random, tally } = this.#in;
    const killing = new AbortController();
    const kill = env.clock.after(lifeMs, () => killing.abort(new Killed()));
    const life = this.#start(killing.signal);
    if (random.chance(0.3)) this.#write(); // Before it has heard of any bucket.
    try {
      const reign = await this.#enter(life);
      if (reign !== undefined) await this.#work(reign, steps);
      tally.add("lives that ended by themselves");
    } catch (error) {
      if (error instanceof Killed) tally.add("lives that were killed");
      else if (isStorageError(error, "BOP_FENCED")) tally.add("lives that were fenced");
      else throw error;
    } finally {
      kill.dispose();
      await life.store.close();
    }
  }

  /** A backup of that machine's disk is put into this one. */
  copyFrom(other: Machine): void {
    this.disk = other.disk.copy();
    this.#in.tally.add("disks copied");
  }

  #start(signal: AbortSignal): Life {
    const { env, service, random, latencyMsMax, stallChance: chance, stallMsMax } = this.#in;
    const { clock } = env;
    const client = new SimulatedStore({ service, clock, latencyMsMax });
    const stalls = { clock, random, chance, msMax: stallMsMax };
    const retrier = new Retrier(env, { what: client.location, attemptsMax: 1 + random.below(4) });
    const store = new RetryingStore(new StallingStore(client, stalls), retrier);
    return { bucket: new Bucket(store, STORE_ID), store, signal };
  }

  /** Undefined if this disk may not go on; it is then made anew. */
  async #enter(life: Life): Promise<Reign | undefined> {
    const { env, random, ledger, tally, trace } = this.#in;
    const { bucket, signal } = life;
    const dice = { random: env.random, wallMs: Math.floor(env.clock.wallMs()), signal };
    await this.#patiently(life, () => bucket.identify(dice));
    const epoch = await this.#patiently(life, () => claimEpoch(bucket, dice));
    trace.note(`${this.#name} claims ${epoch}`);
    if (random.chance(0.3)) {
      const survey = await this.#patiently(life, () => surveyLineage(bucket, { epoch, signal }));
      await this.#patiently(life, () => this.#compare(life, survey));
    }
    const lineage = await this.#patiently(life, () => takeOver(bucket, { epoch, ...dice }));
    const found = await this.#patiently(life, () => this.#compare(life, lineage));
    trace.note(`${this.#name} ${found.type}: ${found.diskLsn} of ${found.bucketLsn}`);
    tally.add(`disks found: ${found.type}`);
    this.#checkComparison(found.type, { epoch, lineage });
    if (found.type === "older" || found.type === "diverged") {
      this.#restore(epoch, lineage);
      return undefined;
    }
    const startLsn = lineage.endLsn ?? 0;
    promise(startLsn === endLsnOf(ledger.chain(epoch)), "the lineage's end is not the chain's");
    this.disk.begin({ epoch, startLsn });
    const of = { bucket, epoch, random: env.random };
    const wal = new NumberedWriter({ ...of, kind: "wal" });
    const manifest = new NumberedWriter({ ...of, kind: "manifest" });
    const generation = lineage.newestState?.generation ?? 0;
    const { lastWal } = lineage;
    return { ...life, epoch, wal, manifest, shippedLsn: startLsn, lastWal, generation };
  }

  #compare({ bucket, signal }: Life, lineage: Lineage) {
    const { history: disk } = this.disk;
    const log = async (fromLsn: number) => this.disk.from(fromLsn);
    const content = sharedContent({ bucket, lineage, disk, log, signal });
    return compareHistories(disk, lineage, content);
  }

  #checkComparison(type: string, of: { readonly epoch: number; readonly lineage: Lineage }): void {
    const { ledger, collects, service } = this.#in;
    const { batches, states } = this.disk;
    const chain = ledger.chain(of.epoch);
    let shared = 0;
    while (shared < chain.length && isSame(chain[shared], batches[shared])) shared += 1;
    const goesOn = type === "same" || type === "ahead";
    promise(!goesOn || shared === chain.length, () => {
      return `${this.#name} goes on, though only ${shared} of ${chain.length} batches are shared`;
    });
    const isOlder = shared === batches.length && shared < chain.length;
    const mayMissMuch = collects || service.faults.injected.has("missing"); // See (2).
    promise(!isOlder || type !== "diverged" || mayMissMuch, "an older disk is called diverged");
    const { newestState: state } = of.lineage;
    const isKnown = state === undefined || states.includes(stateKey(state));
    promise(!goesOn || isKnown, () => `${this.#name} goes on over a state that it did not make`);
    const mayGoOn = shared === chain.length && isKnown;
    promise(!mayGoOn || goesOn || collects, () => `a disk that may go on is called ${type}`);
  }

  /** From the bucket; the chain up to here does not change any more. */
  #restore(epoch: number, { newestState: state }: Lineage): void {
    const chain = this.#in.ledger.chain(epoch);
    const starts = new Map<number, number>();
    for (const link of chain) {
      if (!starts.has(link.epoch)) starts.set(link.epoch, link.startLsn);
    }
    if (state !== undefined && !starts.has(state.epoch)) starts.set(state.epoch, endLsnOf(chain));
    const rows = [...starts].map(([each, startLsn]) => ({ epoch: each, startLsn }));
    rows.sort((a, b) => a.epoch - b.epoch);
    const batches = chain.map(({ startLsn, wallMs, payload }) => ({ startLsn, wallMs, payload }));
    this.disk = MachineDisk.restored({ batches, rows, state });
    this.#in.tally.add("disks restored");
  }

  async #work(reign: Reign, steps: number): Promise<void> {
    const { env, random, collects } = this.#in;
    for (let left = steps; left > 0; left--) {
      reign.signal.throwIfAborted();
      if (random.chance(0.7)) this.#write();
      if (reign.shippedLsn < this.disk.durableLsn) await this.#ship(reign);
      if (random.chance(0.15)) await this.#publish(reign);
      if (collects && reign.manifest.number > 0 && random.chance(0.2)) await this.#collect(reign);
      if (random.chance(0.3)) await env.clock.sleep(random.fraction() * PAUSE_MS_MAX);
    }
  }

  #write(): void {
    const { env, random } = this.#in;
    this.#written += 1;
    const payload = Buffer.alloc(20 + random.below(PAYLOAD_BYTES_MAX));
    payload.write(`${this.#name} ${this.#written}`);
    this.disk.append(new Uint8Array(payload), Math.floor(env.clock.wallMs()));
  }

  async #ship(reign: Reign): Promise<void> {
    const { random, ledger, tally, trace } = this.#in;
    const { epoch, wal } = reign;
    const count = 1 + random.below(OBJECT_BATCHES_MAX);
    const batches = this.disk.from(reign.shippedLsn).slice(0, count);
    const { number } = wal;
    const streams = new SegmentIndexBuilder(reign.shippedLsn);
    const identity = { storeId: STORE_ID, epoch, number };
    const body = encodeLogObject({ ...identity, gap: false, batches, streams, spilled: [] });
    try {
      await this.#patiently(reign, () => wal.append(body, reign));
    } catch (error) {
      if (isStorageError(error, "BOP_FENCED")) ledger.fencedOut(epoch, batches);
      throw error;
    }
    ledger.acknowledge(epoch, batches);
    tally.add("objects acknowledged");
    trace.note(`${this.#name} ships ${epoch}/${number}`);
    reign.shippedLsn = endLsnOf(batches);
    reign.lastWal = { epoch, number, endLsn: reign.shippedLsn };
    // A process that dies before it has noted that finds it out by comparing.
    if (random.chance(0.7)) this.disk.shipped = { lsn: reign.shippedLsn, epoch, number };
  }

  /** A base of one part, and the batch that makes it whole. */
  async #publish(reign: Reign): Promise<void> {
    const { env, tally } = this.#in;
    const { epoch, manifest, lastWal } = reign;
    reign.generation += 1;
    const baseNumber = manifest.number;
    const marks = {
      ...{ storeId: STORE_ID, epoch, generation: reign.generation, baseNumber, part: 0 },
      ...{ checkpointLsn: 0, maxLsn: reign.shippedLsn, wallMs: Math.floor(env.clock.wallMs()) },
      ...{ fencedBelow: epoch, walEpoch: lastWal?.epoch ?? 0, walNumber: lastWal?.number ?? 0 },
      walEndLsn: lastWal?.endLsn ?? 0,
    };
    for (const kind of ["base", "batch"] as const) {
      const { number } = manifest;
      const object = { ...marks, kind, number, whole: kind === "batch", rows: [] };
      if (kind === "batch") this.disk.owns({ epoch, number });
      const body = encodeManifestObject(object);
      await this.#patiently(reign, () => manifest.append(body, reign));
    }
    tally.add("states published");
  }

  /** All that older epochs have put, but for fences and the newest log object of each. */
  async #collect(reign: Reign): Promise<void> {
    const { ledger, tally, service, env } = this.#in;
    if (reign.manifest.number < 2) return; // Its first state is not there yet.
    const there = service.bucket.keys(env.clock.monotonicMs());
    for (let epoch = 1; epoch < reign.epoch; epoch++) {
      for (const kind of ["wal", "manifest"] as const) {
        const prefix = bucketKey({ kind, epoch, number: 0 }).slice(0, -20);
        const data = there.filter((key) => key.startsWith(prefix) && !this.#isFence(key));
        for (const key of kind === "wal" ? data.slice(0, -1) : data) {
          ledger.collect(key);
          await this.#patiently(reign, () => reign.store.delete(key, reign));
          tally.add("objects collected");
        }
      }
    }
  }

  #isFence(key: string): boolean {
    const { service, env } = this.#in;
    return service.bucket.find(key, env.clock.monotonicMs())?.body.length === FENCE_BYTES;
  }

  /** Again, until the sink answers clearly or the process dies. */
  async #patiently<T>({ signal }: Life, run: () => Promise<T>): Promise<T> {
    const { env, random } = this.#in;
    while (true) {
      signal.throwIfAborted();
      try {
        const value = await run();
        signal.throwIfAborted();
        return value;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof StorageError) || !error.retryable) throw error;
        this.#in.tally.add(`unclear: ${error.code}`);
      }
      await env.clock.sleep(random.fraction() * AGAIN_MS_MAX);
    }
  }
}

function endLsnOf(batches: readonly ShippedBatch[]): number {
  const last = batches.at(-1);
  return last === undefined ? 0 : endOf(last);
}

const isSame = (a: ShippedBatch | undefined, b: ShippedBatch | undefined): boolean =>
  a !== undefined &&
  b !== undefined &&
  a.startLsn === b.startLsn &&
  Buffer.compare(a.payload, b.payload) === 0;
