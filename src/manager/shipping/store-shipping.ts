/** SHIPPING A STORE: what becomes of a store when its sink has all, or is lost; dead letters. */
import { present } from "../../base/assert.ts";
import type { StorageError } from "../../base/errors.ts";
import { lettersOfRows } from "../../flush/index.ts";
import { bucketLost } from "../opening/read-only.ts";
import type { StoreGround } from "../store-ground.ts";
import type { Shipped, Shipper } from "./shipper.ts";
import { Shipping } from "./shipping.ts";
import type { DeadLetterInfo } from "./sink-facts.ts";

/** Shipping for a store, which hears of what becomes of it. */
export function shippingOf(store: StoreGround, shipped: Shipped): Shipping {
  const { faults, parts, env, levels } = store;
  const gate = present(levels.remote, "a store with a sink has a gate for it");
  const lost = (error: StorageError) => bucketLost(store, parts.log, error);
  const shippedState = () => {
    parts.pages.residency.evict().catch((error: unknown) => faults.record("residency", error));
  };
  const checkpoint = () => {
    store.checkpointer.now().catch((error: unknown) => faults.record("checkpoint", error));
  };
  const { clock } = env;
  return new Shipping({ ...shipped, gate, clock, faults, lost, shippedState, checkpoint });
}

/** What the sink refused; without the sink, what is known here of that. */
export function deadLettersOf({ shipping, parts }: StoreGround): readonly DeadLetterInfo[] {
  if (shipping !== undefined) return shipping.shipper.deadLetters;
  return lettersOfRows(parts.manifest.opened.deadLetters).map(({ letter }) => letter);
}

/** Who can retry or discard that letter. Throws a RangeError if there is none. */
export function letterKeeper(store: StoreGround, letter: number): Shipper {
  store.lifecycle.assertOpen();
  if (deadLettersOf(store).every(({ id }) => id !== letter)) {
    throw new RangeError(`there is no dead letter ${letter}; deadLetters() tells which there are`);
  }
  if (store.shipping !== undefined) return store.shipping.shipper;
  throw new RangeError(`dead letter ${letter} is about a sink: open the store with it to decide`);
}
