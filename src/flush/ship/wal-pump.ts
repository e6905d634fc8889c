/**
 * THE LOG, OBJECT BY OBJECT, in one epoch: reads what is durable, makes an object of it, puts it
 * under the next number, and says so.
 *
 * (1) An object that was made is put before anything else, however often that takes: same body, same
 *     number. What becomes durable meanwhile goes with the next one.
 * (2) Chunks that commits in an object name are in the bucket before the object is.
 * (3) Every 257th number is an index of the 256 objects before it. It is put like them.
 * (4) Only the first object of an epoch may begin behind what was shipped before: that is a gap, and
 *     its header says so.
 */
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/env.ts";
import type { Lsn } from "../../base/units.ts";
import { isIndexNumber, LogIndexBuilder } from "../format/index-object.ts";
import { logObjectSteps } from "../format/log-object.ts";
import type { NumberedWriter } from "../lineage/numbered-writer.ts";
import { paced } from "./paced.ts";
import type { LocalRange, LogToShip, ManifestPump, WalPosition } from "./ports.ts";

export interface WalPumpOptions {
  readonly clock: Pick<Clock, "monotonicMs" | "turn">;
  readonly storeId: Uint8Array;
  readonly log: LogToShip;
  readonly writer: NumberedWriter;
  readonly chunks: Pick<ManifestPump, "ensureChunks">;
  readonly flushBytes: number;
  /** Where the log in the bucket ends; undefined if there is none. */
  readonly bucketLsn: Lsn | undefined;
  /** Where this epoch begins to read. */
  readonly fromLsn: Lsn;
  /** The newest object of the epochs before. */
  readonly lastWal: WalPosition | undefined;
}

/** What one step has come to. */
export type WalStep =
  | {
      readonly type: "log";
      readonly endLsn: Lsn;
      readonly settledLsn: Lsn | undefined;
      bytes: number;
    }
  | { readonly type: "index"; readonly bytes: number }
  /** Nothing is to be shipped of what was durable. */
  | { readonly type: "nothing"; readonly settledLsn: Lsn | undefined };

interface LogDraft {
  readonly body: Uint8Array;
  readonly range: NonNullable<LocalRange["range"]>;
  readonly settledLsn: Lsn | undefined;
}

export class WalPump {
  readonly #options: WalPumpOptions;
  readonly #index = new LogIndexBuilder();
  #fromLsn: Lsn;
  #newest: WalPosition | undefined;
  /** See (1). */
  #draft: LogDraft | undefined;
  #indexBody: Uint8Array | undefined;

  constructor(options: WalPumpOptions) {
    this.#options = options;
    this.#fromLsn = options.fromLsn;
    this.#newest = options.lastWal;
  }

  /** The newest log object. */
  get newest(): WalPosition | undefined {
    return this.#newest;
  }

  /** An object was begun whose outcome is not known. */
  get isPending(): boolean {
    return this.#options.writer.pending !== undefined;
  }

  /** Some log of this epoch is there. */
  get hasShipped(): boolean {
    return this.#options.writer.number > 0;
  }

  /** Ships one object, if there is something for it. After a failure the next call goes on. */
  async step(floorLsn: Lsn, signal: AbortSignal): Promise<WalStep> {
    const { writer, storeId } = this.#options;
    if (isIndexNumber(writer.number)) {
      const { epoch, number } = writer;
      this.#indexBody ??= this.#index.finish({ storeId, epoch, number });
      await writer.append(this.#indexBody, { signal });
      const bytes = this.#indexBody.length;
      this.#indexBody = undefined;
      return { type: "index", bytes };
    }
    if (this.#draft === undefined) {
      const found = await this.#read(floorLsn);
      if (found?.range === undefined) return { type: "nothing", settledLsn: found?.settledLsn };
      const { range, settledLsn } = found;
      this.#draft = await this.#make(range, settledLsn, signal);
    }
    return await this.#put(this.#draft, signal);
  }

  async #read(floorLsn: Lsn): Promise<LocalRange | undefined> {
    const { log, flushBytes } = this.#options;
    const { durableLsn } = log;
    const fromLsn = this.#fromLsn;
    const found = await log.shipping.shippable({ fromLsn, maxBytes: flushBytes, floorLsn });
    // There is nothing behind it, so what was durable is what was shipped.
    return found ?? { range: undefined, settledLsn: durableLsn };
  }

  async #make(
    range: NonNullable<LocalRange["range"]>,
    settledLsn: Lsn | undefined,
    signal: AbortSignal,
  ): Promise<LogDraft> {
    const { clock, storeId, writer, chunks, bucketLsn } = this.#options;
    const { epoch, number } = writer;
    const { batches, streams, firstLsn, endLsn } = range;
    const isFirst = number === 0;
    assert(isFirst || firstLsn === this.#fromLsn, "the log has a gap within an epoch");
    const gap = isFirst && bucketLsn !== undefined && firstLsn > bucketLsn;
    const { spilled: named } = range;
    const spilled = named.length === 0 ? [] : await chunks.ensureChunks(named, endLsn, signal);
    const object = { storeId, epoch, number, gap, batches, streams, spilled };
    const body = await paced(logObjectSteps(object), clock);
    return { body, range, settledLsn };
  }

  async #put({ body, range, settledLsn }: LogDraft, signal: AbortSignal): Promise<WalStep> {
    const { writer } = this.#options;
    const { firstLsn, endLsn, batches, streams } = range;
    const number = await writer.append(body, { signal });
    const firstWallMs = batches[0]?.wallMs ?? 0;
    const lastWallMs = batches.at(-1)?.wallMs ?? 0;
    this.#index.add({ firstLsn, endLsn, firstWallMs, lastWallMs }, streams.index());
    this.#draft = undefined;
    this.#fromLsn = endLsn;
    this.#newest = { epoch: writer.epoch, number, endLsn };
    return { type: "log", endLsn, settledLsn, bytes: body.length };
  }
}
