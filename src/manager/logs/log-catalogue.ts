/**
 * WHICH RECORD LOGS THERE ARE. In memory here, in the log as frames of stream 0 beside those of
 * databases, and, as of the last checkpoint, in the manifest.
 *
 * (1) Every change is a frame of stream 0 first and shows in memory at once; whoever is told of it
 *     has waited for its LSN.
 * (2) Names of record logs and names of databases do not meet; stream ids are common, and never
 *     used again.
 * (3) A dropped log leaves no tombstone: the checkpoint that takes its row out of the manifest lets
 *     all log go that may hold frames of it.
 * (4) Lists show what is durable: a log from the LSN of its creation on, until that of its drop.
 */
import { assert, present } from "../../base/assert.ts";
import { StorageError } from "../../base/errors.ts";
import { CATALOGUE_STREAM, LSN_ZERO, type Lsn, type StreamId } from "../../base/units.ts";
import {
  type CatalogueEntry,
  decodeCatalogueEntry,
  encodeCatalogueEntry,
  type ManifestState,
} from "../../manifest/index.ts";
import type { Log } from "../../write/index.ts";
import type { Catalogue } from "../catalogue/catalogue.ts";

export interface NameSince {
  readonly lsn: Lsn;
  readonly name: string;
}

export interface LogRow {
  readonly stream: StreamId;
  readonly name: string;
  readonly createdAtMs: number;
  readonly createdLsn: Lsn;
  /** Of the entry that made the row what it is; of one in the manifest, of its newest commit there. */
  readonly lsn: Lsn;
  /** Since when it has which: the newest that was durable at its last rename, and those after it. */
  readonly names: readonly NameSince[];
  readonly droppedLsn: Lsn | undefined;
}

export class LogCatalogue {
  readonly #streams: Pick<Catalogue, "takeStream" | "noteStream" | "tell">;
  readonly #rows = new Map<StreamId, LogRow>();
  readonly #byName = new Map<string, LogRow>();
  #log: Log | undefined;

  constructor(
    opened: Pick<ManifestState, "recordLogs">,
    streams: Pick<Catalogue, "takeStream" | "noteStream" | "tell">,
  ) {
    this.#streams = streams;
    for (const { stream, name, createdAtMs, state, lsn } of opened.recordLogs) {
      if (state !== "live") continue;
      const names = [{ lsn: LSN_ZERO, name }];
      const at = { createdLsn: LSN_ZERO, lsn, names, droppedLsn: undefined };
      this.#put({ stream, name, createdAtMs, ...at });
    }
  }

  attach(log: Log): void {
    this.#log = log;
  }

  find(name: string): LogRow | undefined {
    return this.#byName.get(name);
  }

  /** Undefined for a stream that is no record log, or is one that was dropped. */
  live(stream: StreamId): LogRow | undefined {
    const row = this.#rows.get(stream);
    return row?.droppedLsn === undefined ? row : undefined;
  }

  /** It was a record log: its commits are nobody's. */
  isDropped(stream: StreamId): boolean {
    return this.#rows.get(stream)?.droppedLsn !== undefined;
  }

  nameOf(stream: StreamId): string {
    return this.#rows.get(stream)?.name ?? String(stream);
  }

  /** See (4). In order of name. */
  liveAt(durableLsn: Lsn): { readonly name: string; readonly row: LogRow }[] {
    return [...this.#rows.values()]
      .filter(({ createdLsn, droppedLsn }) => {
        return createdLsn <= durableLsn && (droppedLsn === undefined || droppedLsn > durableLsn);
      })
      .map((row) => ({ name: nameAt(row, durableLsn), row }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  create(name: string, createdAtMs: number): LogRow {
    const stream = this.#streams.takeStream();
    this.#append({ type: "createLog", stream, name, createdAtMs });
    return present(this.#byName.get(name), "a created record log has a row");
  }

  rename(stream: StreamId, name: string): Lsn {
    if (this.#byName.has(name)) throw logNameTaken(name);
    return this.#append({ type: "rename", stream, name });
  }

  drop(stream: StreamId): Lsn {
    return this.#append({ type: "drop", stream });
  }

  /** Takes an entry that recovery met; undefined if it is not about a record log. */
  replay(payload: Uint8Array, lsn: Lsn): CatalogueEntry | undefined {
    const entry = decodeCatalogueEntry(payload);
    if (entry.type !== "createLog" && !this.#rows.has(entry.stream)) return undefined;
    if (entry.type === "createLog") this.#streams.noteStream(entry.stream);
    this.#apply(entry, lsn);
    return entry;
  }

  /** Dropped ones, whose rows a checkpoint that begins now removes. */
  dropped(): StreamId[] {
    return [...this.#rows.values()].flatMap(({ stream, droppedLsn }) =>
      droppedLsn === undefined ? [] : [stream],
    );
  }

  /** They are gone from the manifest. */
  removed(streams: readonly StreamId[]): void {
    for (const stream of streams) this.#rows.delete(stream);
  }

  #append(entry: CatalogueEntry): Lsn {
    const log = present(this.#log, "the catalogue is changed after the log was attached");
    const frames = log.stage(CATALOGUE_STREAM);
    frames.entry(encodeCatalogueEntry(entry));
    const lsn = frames.seal({ pageCount: 0, pageBytes: 0 });
    this.#apply(entry, lsn);
    return lsn;
  }

  #apply(entry: CatalogueEntry, lsn: Lsn): void {
    if (entry.type === "createLog") {
      const { stream, name, createdAtMs } = entry;
      const at = { createdLsn: lsn, lsn, names: [{ lsn, name }], droppedLsn: undefined };
      this.#put({ stream, name, createdAtMs, ...at });
      this.#streams.tell({ kind: "log-created", lsn, stream, name });
      return;
    }
    const row = this.#rows.get(entry.stream);
    assert(row !== undefined, () => `catalogue: no record log ${entry.stream} to ${entry.type}`);
    if (this.#byName.get(row.name)?.stream === row.stream) this.#byName.delete(row.name);
    const { stream, name } = row;
    if (entry.type === "drop") {
      this.#put({ ...row, droppedLsn: lsn });
      this.#streams.tell({ kind: "log-dropped", lsn, stream, name });
    }
    if (entry.type === "rename") {
      const renamed = { lsn, stream, name: entry.name, previousName: name };
      this.#streams.tell({ kind: "log-renamed", ...renamed });
      const durableLsn = this.#log?.durableLsn ?? lsn; // What recovery reads is durable.
      const known = row.names.findLastIndex((since) => since.lsn <= durableLsn);
      const names = [...row.names.slice(Math.max(0, known)), { lsn, name: entry.name }];
      this.#put({ ...row, name: entry.name, names, lsn });
    }
  }

  #put(row: LogRow): void {
    this.#rows.set(row.stream, row);
    if (row.droppedLsn === undefined) this.#byName.set(row.name, row);
  }
}

/** The newest that is durable. */
function nameAt({ names, name }: LogRow, durableLsn: Lsn): string {
  return names.findLast(({ lsn }) => lsn <= durableLsn)?.name ?? name;
}

export function logNameTaken(name: string): StorageError {
  return new StorageError("BOP_EXISTS", `there is a record log named ${JSON.stringify(name)}`, {
    details: { name },
  });
}
