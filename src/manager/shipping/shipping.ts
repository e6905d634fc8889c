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
 * (3) A store that starts from its sink is not served before it has claimed its epoch: until then
 *     somebody else may go on in the bucket, or begin there (opening/starting.ts).
 * (4) A store that an earlier process left with dead letters is opened without waiting for its sink:
 *     it is there for whoever is to decide.
 */
import type { Clock } from "../../base/env.ts";
import { isStorageError, StorageError } from "../../base/errors.ts";
import type { FaultKeeper } from "../faults.ts";
import type { RemoteGate } from "../gates/remote-gate.ts";
import type { Shipped, Shipper } from "./shipper.ts";

interface ShippingGround extends Shipped {
  readonly gate: RemoteGate;
  readonly clock: Clock;
  readonly faults: FaultKeeper;
  readonly lost: (error: StorageError) => void;
  /** What the sink holds may go from this disk. */
  readonly shippedState: () => void;
  readonly checkpoint: () => void;
}

/** For as long as that, at least. */
const ANSWER_MS_MIN = 30_000;
const LOST = ["BOP_FENCED", "BOP_DIVERGED", "BOP_SINK_AHEAD", "BOP_SINK_FOREIGN"] as const;

export class Shipping {
  readonly shipper: Shipper;
  readonly #ground: ShippingGround;
  #isOffline = false;

  constructor(ground: ShippingGround) {
    const { shipper, gate, faults, lost, shippedState, checkpoint } = ground;
    this.#ground = ground;
    this.shipper = shipper;
    shipper.onRemote((lsn) => gate.advance(lsn));
    shipper.onState(shippedState);
    shipper.onBaseWanted(checkpoint);
    shipper.onLost(lost);
    shipper.onFault(({ where, error }) => faults.record(where, error));
  }

  /** Throws what is in the way. See (1). With `mustAnswer` the store does not go on without: see (3). */
  async open(
    timeoutMs: number,
    { mustAnswer = false }: { readonly mustAnswer?: boolean } = {},
  ): Promise<void> {
    const { clock } = this.#ground;
    const started = this.shipper.start();
    started.catch((error: unknown) => this.#failedLater(error));
    const waits = this.shipper.deadLetters.length === 0 && timeoutMs > 0; // See (4).
    if (!waits && !mustAnswer) {
      this.#isOffline = true;
      return;
    }
    const waitMs = mustAnswer ? Math.max(timeoutMs, ANSWER_MS_MIN) : timeoutMs;
    await new Promise<void>((resolve, reject) => {
      const timer = clock.after(waitMs, () => {
        if (mustAnswer) return reject(this.#silent(waitMs));
        this.#isOffline = true;
        resolve();
      });
      started.then(resolve, reject).finally(() => timer.dispose());
    });
  }

  async close(timeoutMs: number): Promise<void> {
    await this.shipper.close({ timeoutMs });
    await this.#ground.sink.close();
  }

  #silent(waitedMs: number): StorageError {
    const { location: store, lastError } = this.shipper.facts;
    const why = lastError === undefined ? "" : `: ${lastError}`;
    const message =
      `${store} did not let this store begin within ${waitedMs} ms${why}; ` +
      "it is begun again when it is opened again";
    const details = { store, operation: "claim", key: "epoch/", retryAfterMs: undefined };
    return new StorageError("BOP_SINK_UNAVAILABLE", message, { details });
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
