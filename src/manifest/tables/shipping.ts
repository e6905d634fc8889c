/**
 * TABLE OF SHIPPING: how far this store has come in its bucket. It has one row, or none: a store that
 * ships nowhere.
 *
 *   key    nothing but the table
 *   value  bucket text, epoch u64, wal number u64, shipped lsn u64, manifest number u64,
 *          shipped generation u64, fenced below u64, at ms u64, restored u8, location text
 *
 * (1) It may be behind what the bucket holds, and never ahead of it: it is written afterwards. But the
 *     manifest number is written before: no state from that number on was put by this disk.
 * (2) Restored: this disk was made of the state before the manifest number, in that epoch, and of the
 *     log up to the shipped LSN; it has begun no epoch of its own since.
 * (3) The location is empty in a row of a store of an older schema (5), until it has shipped again.
 */
import { type Lsn, lsn } from "../../base/units.ts";
import { defineTable } from "../rows/table.ts";

/** How far the store has come in its bucket. */
export interface ShippingRow {
  /** Which bucket it is: what is known of another one is of no use here. */
  readonly bucket: string;
  readonly epoch: number;
  /** Next numbers of that epoch. See (1). */
  readonly walNumber: number;
  readonly manifestNumber: number;
  readonly shippedLsn: Lsn;
  readonly shippedGeneration: number;
  /** Every epoch below is fenced. */
  readonly fencedBelow: number;
  readonly atMs: number;
  /** The disk was made of what the row says, and has not shipped since. */
  readonly restored: boolean;
  /** Where the bucket was when that was written: its URL, as far as it is kept; undefined: see (3). */
  readonly location: string | undefined;
}

/** The key of the one row. */
export type ShippingKey = "shipping";
export const SHIPPING: ShippingKey = "shipping";

export const shipping = defineTable({
  name: "shipping",
  version: 2,
  keyOf: (_row: ShippingRow): ShippingKey => SHIPPING,
  writeKey: () => undefined,
  readKey: (): ShippingKey => SHIPPING,
  write(row, into) {
    into.text(row.bucket).u64(row.epoch).u64(row.walNumber).u64(row.shippedLsn);
    into.u64(row.manifestNumber).u64(row.shippedGeneration).u64(row.fencedBelow).u64(row.atMs);
    into.u8(row.restored ? 1 : 0).text(row.location ?? "");
  },
  read: (from): ShippingRow => ({
    bucket: from.text(),
    epoch: from.u64(),
    walNumber: from.u64(),
    shippedLsn: lsn(from.u64()),
    manifestNumber: from.u64(),
    shippedGeneration: from.u64(),
    fencedBelow: from.u64(),
    atMs: from.u64(),
    restored: from.flag(),
    location: from.text() || undefined,
  }),
});
