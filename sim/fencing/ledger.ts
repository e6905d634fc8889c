/**
 * THE ORACLE of the scenario `fencing`: what was acknowledged and by whom, and what is in the bucket
 * in truth. It looks into the service itself, past all faults.
 *
 * (1) No LSN is acknowledged by two epochs.
 * (2) What was acknowledged is in the chain, with the same bytes, in the same place.
 * (3) What a writer was told to be fenced out is not.
 * (4) What garbage collection takes from an older epoch is remembered: it was in the chain.
 */
import { decodeLogTables, decodeObjectHeader, type ShippedBatch } from "../../src/flush/index.ts";
import { bucketKey, type SimulatedService } from "../../src/sink/index.ts";
import { promise } from "../failure.ts";
import { endOf } from "./machine-disk.ts";

interface Acknowledged {
  readonly epoch: number;
  readonly batch: ShippedBatch;
}

export interface ChainLink extends ShippedBatch {
  readonly epoch: number;
}

export class Ledger {
  readonly #service: SimulatedService;
  readonly #nowMs: () => number;
  readonly #acknowledged = new Map<number, Acknowledged>();
  readonly #fencedOut: Acknowledged[] = [];
  readonly #collected = new Map<string, Uint8Array>();

  constructor(service: SimulatedService, nowMs: () => number) {
    this.#service = service;
    this.#nowMs = nowMs;
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.size;
  }

  /** Epochs that have acknowledged something. */
  get epochCount(): number {
    return new Set([...this.#acknowledged.values()].map(({ epoch }) => epoch)).size;
  }

  acknowledge(epoch: number, batches: readonly ShippedBatch[]): void {
    for (const batch of batches) {
      const { startLsn } = batch;
      const other = this.#acknowledged.get(startLsn);
      promise(
        other === undefined || other.epoch === epoch,
        () => `${startLsn} is acknowledged by epoch ${epoch}, and was by ${other?.epoch}`,
      );
      this.#acknowledged.set(startLsn, { epoch, batch });
    }
  }

  fencedOut(epoch: number, batches: readonly ShippedBatch[]): void {
    for (const batch of batches) this.#fencedOut.push({ epoch, batch });
  }

  collect(key: string): void {
    const found = this.#find(key);
    if (found !== undefined) this.#collected.set(key, found);
  }

  /** All of the log that epochs below this one have shipped, in order. */
  chain(belowEpoch = Number.POSITIVE_INFINITY): readonly ChainLink[] {
    const links: ChainLink[] = [];
    for (let epoch = 1; epoch < belowEpoch; epoch++) {
      if (this.#find(bucketKey({ kind: "epoch", epoch })) === undefined) break;
      for (let number = 0; ; number++) {
        const batches = this.#batches(epoch, number);
        if (batches === undefined) break;
        for (const batch of batches) {
          const last = links.at(-1);
          const end = last === undefined ? 0 : endOf(last);
          promise(batch.startLsn === end, () => {
            return `wal ${number} of epoch ${epoch} begins at ${batch.startLsn}, and not at ${end}`;
          });
          links.push({ ...batch, epoch });
        }
      }
    }
    return links;
  }

  /** When nothing is under way any more. */
  check(): void {
    const chain = new Map(this.chain().map((link) => [link.startLsn, link]));
    const isThere = ({ epoch, batch }: Acknowledged) => {
      const link = chain.get(batch.startLsn);
      return link?.epoch === epoch && Buffer.compare(link.payload, batch.payload) === 0;
    };
    for (const each of this.#acknowledged.values()) {
      const { epoch, batch } = each;
      promise(isThere(each), () => `${batch.startLsn}, acknowledged by ${epoch}, is not there`);
    }
    for (const each of this.#fencedOut) {
      const { epoch, batch } = each;
      promise(!isThere(each), () => `${batch.startLsn}, refused to ${epoch}, is there`);
    }
  }

  #batches(epoch: number, number: number): readonly ShippedBatch[] | undefined {
    const bytes = this.#find(bucketKey({ kind: "wal", epoch, number }));
    if (bytes === undefined) return undefined;
    const answer = decodeObjectHeader(bytes);
    if (answer.type === "header" && answer.header.kind === "fence") return undefined;
    const tables = decodeLogTables(bytes, bytes.length);
    promise(tables.type === "log", () => `wal ${number} of epoch ${epoch} is no log object`);
    return tables.batches.map(({ startLsn, wallMs, offset, payloadBytes }) => {
      return { startLsn, wallMs, payload: bytes.slice(offset, offset + payloadBytes) };
    });
  }

  #find(key: string): Uint8Array | undefined {
    return this.#collected.get(key) ?? this.#service.bucket.find(key, this.#nowMs())?.body;
  }
}
