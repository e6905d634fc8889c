/** THE DISK of a machine in the scenario `fencing`: a log of small batches, and what it knows. */
import type { DiskHistory, EpochRow, PublishedState, ShippedBatch } from "../../src/flush/index.ts";
import { batchBytes } from "../../src/wal/index.ts";

export const endOf = ({ startLsn, payload }: ShippedBatch): number =>
  startLsn + batchBytes(payload.length);

export class MachineDisk {
  batches: readonly ShippedBatch[] = [];
  rows: readonly EpochRow[] = [];
  shipped: DiskHistory["shipped"];
  restoredFrom: DiskHistory["restoredFrom"];

  get durableLsn(): number {
    const last = this.batches.at(-1);
    return last === undefined ? 0 : endOf(last);
  }

  get history(): DiskHistory {
    const { rows: epochs, durableLsn, shipped, restoredFrom } = this;
    return { epochs, durableLsn, shipped, restoredFrom };
  }

  append(payload: Uint8Array, wallMs: number): void {
    this.batches = [...this.batches, { startLsn: this.durableLsn, payload, wallMs }];
  }

  from(lsn: number): readonly ShippedBatch[] {
    return this.batches.filter(({ startLsn }) => startLsn >= lsn);
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
    disk.restoredFrom = of.state && { epoch: of.state.epoch, number: of.state.number };
    return disk;
  }
}
