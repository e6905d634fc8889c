/** THE DISK of a machine in the scenario `fencing`: a log of small batches, and what it knows. */
import type { DiskHistory, EpochRow, PublishedState, ShippedBatch } from "../../src/flush/index.ts";
import { batchBytes } from "../../src/wal/index.ts";

export const endOf = ({ startLsn, payload }: ShippedBatch): number =>
  startLsn + batchBytes(payload.length);

export const stateKey = ({ epoch, number }: Pick<PublishedState, "epoch" | "number">): string =>
  `${epoch}/${number}`;

export class MachineDisk {
  batches: readonly ShippedBatch[] = [];
  rows: readonly EpochRow[] = [];
  shipped: DiskHistory["shipped"];
  /** What a disk notes of states: where those begin that it does not know. */
  nextState: DiskHistory["nextState"];
  /** The truth: those that it was made of, or has put, or was about to put when it died. */
  states: readonly string[] = [];

  get durableLsn(): number {
    const last = this.batches.at(-1);
    return last === undefined ? 0 : endOf(last);
  }

  get history(): DiskHistory {
    const { rows: epochs, durableLsn, shipped, nextState } = this;
    return { epochs, durableLsn, shipped, nextState };
  }

  append(payload: Uint8Array, wallMs: number): void {
    this.batches = [...this.batches, { startLsn: this.durableLsn, payload, wallMs }];
  }

  from(lsn: number): readonly ShippedBatch[] {
    return this.batches.filter(({ startLsn }) => startLsn >= lsn);
  }

  /** An epoch of its own begins. */
  begin(row: EpochRow): void {
    this.rows = [...this.rows, row];
    this.nextState = { epoch: row.epoch, number: 0 };
  }

  /** It is about to put that state, or was made of it. */
  owns({ epoch, number }: Pick<PublishedState, "epoch" | "number">): void {
    this.nextState = { epoch, number: number + 1 };
    this.states = [...this.states, stateKey({ epoch, number })];
  }

  copy(): MachineDisk {
    return Object.assign(new MachineDisk(), this);
  }

  /** As a restore leaves it. */
  static restored(of: {
    readonly batches: readonly ShippedBatch[];
    readonly rows: readonly EpochRow[];
    readonly state: PublishedState | undefined;
  }): MachineDisk {
    const disk = new MachineDisk();
    disk.batches = of.batches;
    disk.rows = of.rows;
    if (of.state !== undefined) disk.owns(of.state);
    return disk;
  }
}
