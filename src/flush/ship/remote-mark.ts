/**
 * HOW FAR THE BUCKET IS, as decided by what was confirmed. Pure.
 *
 *     shippedLsn   bytes of the log that are there         ─┐
 *     settledLsn   commits that are wholly in them          ├─► remoteLsn
 *     anchored     a state from which that log is reached  ─┘
 *
 * (1) No mark falls.
 * (2) `remoteLsn` follows `settledLsn` only while the bucket is anchored. A bucket that is new, or
 *     whose log has a gap, is not until a state is there whose checkpoint lies behind the gap.
 */
import { assert } from "../../base/assert.ts";
import { LSN_ZERO, type Lsn, laterLsn } from "../../base/units.ts";

export class RemoteMark {
  #remoteLsn: Lsn;
  #shippedLsn: Lsn = LSN_ZERO;
  #waitsFromLsn: Lsn;
  #settledLsn: Lsn = LSN_ZERO;
  /** A state must have its checkpoint here or above; undefined once one has. */
  #anchorLsn: Lsn | undefined = LSN_ZERO;

  /** What an earlier process is known to have reached, and where the log begins that waits. */
  constructor(remoteLsn: Lsn, waitsFromLsn: Lsn = LSN_ZERO) {
    this.#remoteLsn = remoteLsn;
    this.#waitsFromLsn = waitsFromLsn;
  }

  get remoteLsn(): Lsn {
    return this.#remoteLsn;
  }

  get shippedLsn(): Lsn {
    return this.#shippedLsn;
  }

  /** Log from here on waits for the bucket: until an epoch begins, as far as is remembered. */
  get waitsFromLsn(): Lsn {
    return this.#waitsFromLsn;
  }

  get isAnchored(): boolean {
    return this.#anchorLsn === undefined;
  }

  /** An epoch ships from here on. `anchorLsn`: where the log in the bucket begins, if not here. */
  begin(
    fromLsn: Lsn,
    { isAnchored, anchorLsn = fromLsn }: { readonly isAnchored: boolean; readonly anchorLsn?: Lsn },
  ): void {
    assert(fromLsn >= this.#shippedLsn, "an epoch begins below what was shipped");
    this.#shippedLsn = fromLsn;
    this.#waitsFromLsn = fromLsn;
    this.#anchorLsn = isAnchored ? undefined : anchorLsn;
    this.#follow();
  }

  /** The bucket has the log up to an LSN, and every commit up to another. */
  shipped(endLsn: Lsn | undefined, settledLsn: Lsn | undefined): void {
    if (endLsn !== undefined) {
      assert(endLsn >= this.#shippedLsn, "what was shipped falls");
      this.#shippedLsn = endLsn;
      this.#waitsFromLsn = endLsn;
    }
    if (settledLsn !== undefined) this.#settledLsn = laterLsn(this.#settledLsn, settledLsn);
    this.#follow();
  }

  /** A whole state is there. */
  stateShipped(checkpointLsn: Lsn): void {
    if (this.#anchorLsn === undefined || checkpointLsn < this.#anchorLsn) return;
    this.#anchorLsn = undefined;
    this.#follow();
  }

  /** See (2). */
  #follow(): void {
    if (this.isAnchored) this.#remoteLsn = laterLsn(this.#remoteLsn, this.#settledLsn);
  }
}
