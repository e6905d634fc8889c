/**
 * THE GATE OF LEVEL `remote`: an answer leaves when the sink holds every commit that it observed.
 *
 * (1) Its LSN is the end of the contiguous log in the sink, so it never passes what is durable here.
 * (2) Whoever has to wait is announced (`wanted`), so that shipping does not wait for its interval.
 * (3) When the log fails, what is not durable here will never be shipped: its waiters are refused at
 *     once. Those of what is durable go on waiting, since shipping goes on.
 */
import type { StorageError } from "../../base/errors.ts";
import type { Lsn } from "../../base/units.ts";
import { type GateWaiter, OutputGate } from "./gate.ts";

export class RemoteGate extends OutputGate {
  /** See (2). */
  readonly #wanted: (lsn: Lsn) => void;
  /** See (3). */
  #end: { readonly lsn: Lsn; readonly error: StorageError } | undefined;

  constructor(remoteLsn: Lsn, wanted: (lsn: Lsn) => void) {
    super(remoteLsn);
    this.#wanted = wanted;
  }

  override pass(lsn: Lsn, waiter: GateWaiter): void {
    if (this.#end !== undefined && lsn > this.#end.lsn) {
      waiter.refuse(this.#end.error);
      return;
    }
    super.pass(lsn, waiter);
    if (!this.isOpen(lsn) && !this.hasFailed) this.#wanted(lsn);
  }

  /** The log ends here for good. See (3). */
  endAt(lsn: Lsn, error: StorageError): void {
    this.#end ??= { lsn, error };
    this.refuseAbove(lsn, error);
  }
}
