/**
 * SHIPPING, as an open store sees it: what it asks of whoever carries its log, its chunks and its
 * manifest to the sink (Shipper), and how that begins and ends with the store.
 *
 *   open     the shipper claims its epoch, ends those before it, and compares the histories of disk
 *            and bucket; for at most `sinkTimeoutMs`, then the store goes on without and it keeps
 *            trying
 *   serve    commits become durable here → it ships them → those who wait for `remote` are released
 *   close    it ships what is left, for at most `closeTimeoutMs`
 *
 * (1) A bucket that answers and is not this store's to write to ends the opening: nothing is served.
 *     Found out later it makes the store read-only (read-only.ts).
 * (2) Whatever becomes of the sink, level `local` goes on until `limits.maxUnshippedBytes` wait.
 */
import { present } from "../../base/assert.ts";
import type { Clock } from "../../base/env.ts";
import { isStorageError, StorageError } from "../../base/errors.ts";
import type { Lsn } from "../../base/units.ts";
import type { FaultKeeper } from "../faults.ts";
import type { RemoteGate } from "../gates/remote-gate.ts";
import type { Parts } from "../opening/open-store.ts";
import { bucketLost } from "../opening/read-only.ts";
import { closedError } from "../queries/seat-runner.ts";
import type { Store } from "../store.ts";
import type { Sink } from "./open-sink.ts";
import type { DeadLetterInfo, SinkFacts } from "./sink-facts.ts";

export interface Shipper {
  /** End of the contiguous log in the sink, as far as is known here. */
  readonly remoteLsn: Lsn;
  readonly facts: SinkFacts;
  readonly deadLetters: readonly DeadLetterInfo[];
  /**
   * Resolves when it ships for the first time. Rejects when it never will, with what is in the way;
   * goes on trying while the sink cannot be reached. Called once.
   */
  start(): Promise<void>;
  /** The sink holds the log up to here. */
  onRemote(listener: (lsn: Lsn) => void): void;
  /** The bucket turned out not to be this store's any more: nothing is shipped from here on. */
  onLost(listener: (error: StorageError) => void): void;
  onFault(listener: (fault: { readonly where: string; readonly error: unknown }) => void): void;
  /** Somebody waits until the sink holds the log up to here. Cheap. */
  wanted(lsn: Lsn): void;
  /** There is a checkpoint that is not shipped. */
  checkpointed(): void;
  retryDeadLetter(id: number): Promise<void>;
  discardDeadLetter(id: number): Promise<void>;
  /** Ships what is durable; gives up after the time, and does not throw. */
  close(options: { readonly timeoutMs: number }): Promise<void>;
}

/** Makes who ships for a store whose parts are there; starts nothing. */
export type ShipperOf = (parts: Parts, sink: Sink) => Shipper;

/** A sink, and who ships there. */
export interface Shipped {
  readonly shipper: Shipper;
  readonly sink: Pick<Sink, "ready" | "close">;
}

interface ShippingGround extends Shipped {
  readonly gate: RemoteGate;
  readonly clock: Clock;
  readonly faults: FaultKeeper;
  readonly lost: (error: StorageError) => void;
}

/** Shipping for a store, which hears of what becomes of it. */
export function shippingOf(store: Store, shipped: Shipped): Shipping {
  const { faults, parts, env, levels } = store;
  const gate = present(levels.remote, "a store with a sink has a gate for it");
  const lost = (error: StorageError) => bucketLost(store, parts.log, error);
  return new Shipping({ ...shipped, gate, clock: env.clock, faults, lost });
}

/** Who can retry or discard that letter. Throws a RangeError if there is none. */
export function letterKeeper({ lifecycle, shipping }: Store, letter: number): Shipper {
  lifecycle.assertOpen();
  const shipper = shipping?.shipper;
  if (shipper?.deadLetters.some(({ id }) => id === letter)) return shipper;
  throw new RangeError(`there is no dead letter ${letter}`);
}

const LOST = ["BOP_FENCED", "BOP_DIVERGED", "BOP_SINK_AHEAD", "BOP_SINK_FOREIGN"] as const;

export class Shipping {
  readonly shipper: Shipper;
  readonly #ground: ShippingGround;
  readonly #ended = new AbortController();
  #isOffline = false;

  constructor(ground: ShippingGround) {
    const { shipper, gate, faults, lost } = ground;
    this.#ground = ground;
    this.shipper = shipper;
    shipper.onRemote((lsn) => gate.advance(lsn));
    shipper.onLost(lost);
    shipper.onFault(({ where, error }) => faults.record(where, error));
  }

  /** Throws what is in the way. See (1). */
  async open(timeoutMs: number): Promise<void> {
    const { clock, sink } = this.#ground;
    const started = sink.ready(this.#ended.signal).then(() => this.shipper.start());
    started.catch((error: unknown) => this.#failedLater(error));
    if (timeoutMs === 0) {
      this.#isOffline = true;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const timer = clock.after(timeoutMs, () => {
        this.#isOffline = true;
        resolve();
      });
      started.then(resolve, reject).finally(() => timer.dispose());
    });
  }

  async close(timeoutMs: number): Promise<void> {
    this.#ended.abort(closedError("store"));
    await this.shipper.close({ timeoutMs });
    await this.#ground.sink.close();
  }

  /** Whoever opened the store without the sink hears of it when it next looks, or writes. */
  #failedLater(error: unknown): void {
    if (!this.#isOffline) return;
    const { lost, faults } = this.#ground;
    if (error instanceof StorageError && LOST.some((code) => isStorageError(error, code))) {
      lost(error);
    } else if (!isStorageError(error, "BOP_CLOSED")) {
      faults.record("sink", error);
    }
  }
}
