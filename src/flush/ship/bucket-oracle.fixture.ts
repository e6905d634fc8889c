/**
 * WHAT A BUCKET REALLY HOLDS, read from its objects alone, by one who knows nothing but their formats:
 * which states it has, and what a restore of each would miss.
 *
 * (1) An object never changes under its key, so that each is decoded once; but it may go.
 */
import { present } from "../../base/assert.ts";
import type { ChunkId } from "../../base/units.ts";
import { type KeyValueOperation, type RemoteFact, remoteFactOf } from "../../manifest/index.ts";
import { bucketKey, PREFIXES, parseKey, type SimulatedService } from "../../sink/index.ts";
import { decodeLogTables, type LogTables } from "../format/log-object.ts";
import { decodeManifestIndex } from "../format/manifest-object.ts";
import type { ManifestHeader } from "../format/object-header.ts";
import { decodeBlock } from "../format/row-blocks.ts";

/** A state of the bucket, and whether it can be restored. */
export interface FoundState {
  readonly header: ManifestHeader;
  readonly rows: ReadonlyMap<string, KeyValueOperation>;
  /** Undefined if everything is there. */
  readonly lacks: string | undefined;
}

interface DecodedObject {
  readonly header: ManifestHeader;
  readonly rows: readonly (readonly [key: string, row: KeyValueOperation])[];
}

export class BucketOracle {
  readonly #service: SimulatedService;
  readonly #nowMs: () => number;
  readonly #objects = new Map<string, DecodedObject>();
  readonly #facts = new WeakMap<KeyValueOperation, RemoteFact | undefined>();
  #seen: { readonly calls: number; readonly logs: readonly LogTables[] } | undefined;
  readonly #logs = new Map<string, LogTables | undefined>();

  constructor(service: SimulatedService, nowMs: () => number) {
    this.#service = service;
    this.#nowMs = nowMs;
  }

  /** The objects of the bucket, as they lie there. */
  object(key: string): Uint8Array | undefined {
    return this.#service.bucket.find(key, this.#nowMs())?.body;
  }

  keys(): string[] {
    return this.#service.bucket.keys(this.#nowMs());
  }

  /** Every state that a reader would find in the bucket, oldest first. */
  states(): FoundState[] {
    const states: FoundState[] = [];
    const rows = new Map<string, KeyValueOperation>();
    let chain: { epoch: number; baseNumber: number; next: number } | undefined;
    for (const key of this.keys()) {
      const place = parseKey(key);
      if (place?.kind !== "manifest") continue;
      const object = this.#decoded(key);
      if (object === undefined) continue; // A fence.
      const { header } = object;
      if (header.kind === "base" && header.part === 0) {
        rows.clear();
        chain = { epoch: header.epoch, baseNumber: header.number, next: header.number };
      }
      const follows = chain?.epoch === header.epoch && chain.baseNumber === header.baseNumber;
      if (chain === undefined || !follows || chain.next !== header.number) continue;
      chain.next += 1;
      for (const [text, row] of object.rows) {
        if (row.value === undefined) rows.delete(text);
        else rows.set(text, row);
      }
      if (header.kind === "base") continue;
      const state = { header, rows: new Map(rows) };
      states.push({ ...state, lacks: this.lacks(state, header.maxLsn) });
    }
    return states;
  }

  /** See (1). */
  #decoded(key: string): DecodedObject | undefined {
    const known = this.#objects.get(key);
    if (known !== undefined) return known;
    const bytes = present(this.object(key), "a key has an object");
    const index = decodeManifestIndex(bytes, bytes.length);
    if (index.type !== "manifest") return undefined;
    const rows = index.blocks.flatMap((entry) => {
      const block = decodeBlock(bytes.subarray(entry.offset, entry.offset + entry.bytes), entry);
      return present(block, "a block is as it was written");
    });
    const named = rows.map((row) => [Buffer.from(row.key).toString("hex"), row] as const);
    const object = { header: index.header, rows: named };
    this.#objects.set(key, object);
    return object;
  }

  /** What a restore of a state and of the log up to an LSN would miss. */
  lacks({ header, rows }: Omit<FoundState, "lacks">, upToLsn: number): string | undefined {
    const facts = [...rows.values()].map((row) => this.#fact(row));
    const epochs = new Map<ChunkId, number>();
    for (const fact of facts) {
      if (fact?.of === "remote chunk" && fact.row) epochs.set(fact.key, fact.row.epoch);
    }
    for (const fact of facts) {
      if (fact?.of !== "chunk") continue;
      const epoch = epochs.get(fact.key);
      if (epoch === undefined) return `chunk ${fact.key} has no row`;
      const key = bucketKey({ kind: "chunk", id: fact.key, epoch });
      if (this.object(key) === undefined) return `${key} is not there`;
    }
    return this.#lacksLog(header.checkpointLsn, upToLsn);
  }

  #fact(row: KeyValueOperation): RemoteFact | undefined {
    if (!this.#facts.has(row)) this.#facts.set(row, remoteFactOf(row, ""));
    return this.#facts.get(row);
  }

  #log(key: string): LogTables | undefined {
    if (this.#logs.has(key)) return this.#logs.get(key);
    const bytes = present(this.object(key), "a key has an object");
    const tables = decodeLogTables(bytes, bytes.length);
    this.#logs.set(key, tables.type === "log" ? tables : undefined);
    return this.#logs.get(key);
  }

  /** Log objects in order; read again when somebody has called the service since. */
  #allLogs(): readonly LogTables[] {
    const { calls } = this.#service;
    if (this.#seen?.calls !== calls) {
      const keys = this.keys().filter((key) => key.startsWith(PREFIXES.wal));
      this.#seen = { calls, logs: keys.flatMap((key) => this.#log(key) ?? []) };
    }
    return this.#seen.logs;
  }

  #lacksLog(fromLsn: number, upToLsn: number): string | undefined {
    let at = fromLsn;
    for (const tables of this.#allLogs()) {
      if (at >= upToLsn) break;
      const { firstLsn, endLsn } = tables.header;
      if (firstLsn > at || endLsn <= at) continue;
      for (const { chunk, epoch } of tables.spilled) {
        const name = bucketKey({ kind: "chunk", id: chunk, epoch });
        if (this.object(name) === undefined) return `${name}, which the log names, is not there`;
      }
      at = endLsn;
    }
    return at >= upToLsn ? undefined : `the log ends at ${at} of ${upToLsn}`;
  }
}
