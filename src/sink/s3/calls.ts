/**
 * ONE REQUEST TO THE SERVICE: a connection's turn, a deadline, an error that means something.
 *
 * (1) At most `connections` requests are under way; the deadline begins when one has its turn.
 * (2) A body has a second more for each `minBytesPerSecond` of it. One that is received has its
 *     length in the head of the answer, and gets its time then.
 * (3) What ends a call is told as it is: the reason of the caller's signal, or that of closing.
 */
import { setMaxListeners } from "node:events";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Clock } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { CallSignal, TimeIsUp } from "../call-signal.ts";
import type { ResolvedS3Parameters } from "../location.ts";
import { Permits } from "../permits.ts";
import { type SinkCall, sinkError } from "../sink-error.ts";
import { answerOf } from "./answer.ts";

export interface Request {
  readonly call: SinkCall;
  readonly bodyBytes: number;
  readonly signal: AbortSignal | undefined;
}

export interface Line {
  readonly client: S3Client;
  readonly signal: AbortSignal;
  /** The answer has a body of this length, which takes its time. */
  expect(bytes: number): void;
}

export class S3Calls {
  readonly #client: S3Client;
  readonly #clock: Clock;
  readonly #parameters: ResolvedS3Parameters;
  readonly #permits: Permits;
  readonly #closing = new AbortController();

  constructor(
    client: S3Client,
    { clock, parameters }: { clock: Clock; parameters: ResolvedS3Parameters },
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#parameters = parameters;
    this.#permits = new Permits(parameters.connections);
    setMaxListeners(0, this.#closing.signal); // One for each call under way, and no leak.
  }

  /** `send` sees errors of the SDK before they are told, and may make values of them. */
  async make<T>(
    { call, bodyBytes, signal }: Request,
    send: (line: Line) => Promise<T>,
  ): Promise<T> {
    const either = new CallSignal([signal, this.#closing.signal]);
    try {
      return await this.#permits.during(() => {
        either.limit(this.#clock, this.#timeMs(bodyBytes));
        const expect = (bytes: number) => either.limit(this.#clock, this.#timeMs(bytes));
        return send({ client: this.#client, signal: either.signal, expect });
      }, either.signal);
    } catch (error) {
      if (error instanceof StorageError) throw error;
      const { aborted, reason } = either.signal;
      if (aborted && !(reason instanceof TimeIsUp)) throw reason;
      throw sinkError(call, answerOf(aborted ? reason : error));
    } finally {
      either.dispose();
    }
  }

  close(): void {
    const details = { what: "sink" };
    this.#closing.abort(new StorageError("BOP_CLOSED", "the sink was closed", { details }));
    this.#client.destroy();
  }

  #timeMs(bodyBytes: number): number {
    const { timeoutMs, minBytesPerSecond } = this.#parameters;
    return timeoutMs + Math.ceil((bodyBytes / minBytesPerSecond) * 1000);
  }
}
