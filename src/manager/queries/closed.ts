/** WHAT IS SAID OF A HANDLE that has ended, whatever was held by it. */
import { StorageError } from "../../base/errors.ts";

/** The error of a handle, connection or transaction that has ended. */
export function closedError(what: string): StorageError {
  return new StorageError("BOP_CLOSED", `the ${what} is closed`, { details: { what } });
}

/** Made when it is asked for, which is rarely: an error with its stack costs as much as a statement. */
export const transactionClosed = (): StorageError => closedError("transaction");

/** Of a nested transaction that nobody waited for. */
export function leftOpen(): StorageError {
  const message =
    "the function around it returned before the nested transaction had ended, so it was rolled back; " +
    "await it there";
  return new StorageError("BOP_CLOSED", message, { details: { what: "transaction" } });
}
