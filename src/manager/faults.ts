/** The last thing that went wrong where nobody waited for the answer; diagnostics show it. */
import type { Clock } from "../base/env.ts";
import { StorageError } from "../base/errors.ts";
import type { FaultContext } from "./api/diagnostics.ts";

export class FaultKeeper {
  readonly #clock: Clock;
  #last: FaultContext | undefined;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get last(): FaultContext | undefined {
    return this.#last;
  }

  record(where: string, fault: unknown): void {
    const error = fault instanceof Error ? fault : new Error(String(fault));
    this.#count++;
    this.#last = {
      kind: error instanceof StorageError ? error.code : error.name,
      where,
      message: error.message,
      stack: error.stack ?? "",
      location: locationIn(error.stack ?? ""),
      at: new Date(this.#clock.wallMs()),
      count: this.#count,
    };
  }
}

/** The first place that a stack names: `file:line:column`. */
function locationIn(stack: string): string {
  const frame = stack.split("\n").find((line) => line.trimStart().startsWith("at ")) ?? "";
  return /\(?((?:file:\/\/|\/|[A-Z]:\\|node:).*:\d+:\d+)\)?$/.exec(frame)?.[1] ?? "unknown";
}
