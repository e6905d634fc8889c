/** OPTIONS of what takes long and moves bytes: import, export, restore. */

export const TRANSFER_OPTIONS: readonly string[] = ["onProgress", "signal"];

export interface TransferOptions {
  /** Called now and then with bytes done and in all. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** Stops the transfer and leaves nothing of it when it aborts. */
  readonly signal?: AbortSignal;
}
