/**
 * THE MANIFEST READ ROW BY ROW, for verification: what can be believed, and every row that cannot.
 * Opening a manifest stops at the first damaged row; this goes on.
 *
 * (1) Nothing is written, no matter what is found.
 * (2) Rows of tables that are not looked into here are still decoded, and so verified.
 */
import { isStorageError, type StorageError } from "../../base/errors.ts";
import { checkEnvelope, type Sealed } from "../rows/envelope.ts";
import { STATE_KEY, STORE_KEY, type TableName, tableOfKey } from "../rows/keys.ts";
import { tableOf } from "../schema.ts";
import type { KeyValueStore } from "../stores/key-value.ts";
import { type ChunkRow, chunks } from "../tables/chunks.ts";
import { type DatabaseRow, databases } from "../tables/databases.ts";
import { type ForkRow, forks } from "../tables/forks.ts";
import { type HistoryRow, history } from "../tables/history.ts";
import { type MapVersionRow, mapVersions } from "../tables/map-versions.ts";
import { type MapRowChange, pageMap } from "../tables/page-map.ts";
import { type RecordLogRow, recordLogs } from "../tables/record-logs.ts";
import { type RemoteChunkRow, remoteChunks } from "../tables/remote-chunks.ts";
import { segments } from "../tables/segments.ts";
import { type ShippingRow, shipping } from "../tables/shipping.ts";
import { type SnapshotRow, snapshots } from "../tables/snapshots.ts";
import { decodeState, decodeStore, type StateValue, type StoreValue } from "../tables/state.ts";

export interface ManifestAudit {
  readonly rows: number;
  /** Undefined if the row is missing or damaged. */
  readonly store: StoreValue | undefined;
  readonly state: StateValue | undefined;
  readonly databases: readonly DatabaseRow[];
  readonly recordLogs: readonly RecordLogRow[];
  readonly chunks: readonly ChunkRow[];
  readonly segments: readonly number[];
  readonly history: readonly HistoryRow[];
  readonly mapVersions: readonly MapVersionRow[];
  readonly snapshots: readonly SnapshotRow[];
  readonly forks: readonly ForkRow[];
  /** Where the store is shipped to; undefined if it never was. */
  readonly shipping: ShippingRow | undefined;
  readonly remoteChunks: readonly RemoteChunkRow[];
  readonly problems: readonly RowProblem[];
}

export interface RowProblem {
  /** In hexadecimal. */
  readonly key: string;
  readonly why: string;
}

export interface AuditOptions {
  /** Where the key-value store lies, for messages. */
  readonly file: string;
  /** Rows of the page map are handed out rather than kept: there may be very many. */
  readonly onMapRow: (row: MapRowChange) => void;
}

const FIRST_KEY = Uint8Array.of(0);
const BEYOND_KEYS = Uint8Array.of(255);

export function auditManifest(store: KeyValueStore, options: AuditOptions): ManifestAudit {
  const found = new Findings(options);
  for (const { key, value } of store.range(FIRST_KEY, BEYOND_KEYS)) {
    found.take({ key, value, file: options.file });
  }
  if (found.store === undefined) found.problem(STORE_KEY, "the row that says what the store is");
  if (found.state === undefined) found.problem(STATE_KEY, "the row that says how far things are");
  return found;
}

class Findings implements ManifestAudit {
  rows = 0;
  store: StoreValue | undefined;
  state: StateValue | undefined;
  readonly databases: DatabaseRow[] = [];
  readonly recordLogs: RecordLogRow[] = [];
  readonly chunks: ChunkRow[] = [];
  readonly segments: number[] = [];
  readonly history: HistoryRow[] = [];
  readonly mapVersions: MapVersionRow[] = [];
  readonly snapshots: SnapshotRow[] = [];
  readonly forks: ForkRow[] = [];
  shipping: ShippingRow | undefined;
  readonly remoteChunks: RemoteChunkRow[] = [];
  readonly problems: RowProblem[] = [];
  readonly #options: AuditOptions;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  take(found: Sealed): void {
    this.rows += 1;
    try {
      this.#read(found, tableOfKey(found.key));
    } catch (error) {
      const { key } = found;
      if (isStorageError(error, "BOP_CORRUPT")) this.#refuse(key, error.details.why);
      else if (isStorageError(error, "BOP_FORMAT"))
        this.#refuse(key, (error as StorageError).message);
      else throw error;
    }
  }

  /** A row that should be there and is not. */
  problem(key: Uint8Array, what: string): void {
    const isDamaged = this.problems.some((each) => each.key === hex(key));
    if (!isDamaged) this.#refuse(key, `${what} is missing`);
  }

  #refuse(key: Uint8Array, why: string): void {
    this.problems.push({ key: hex(key), why });
  }

  #read(found: Sealed, table: TableName | undefined): void {
    switch (table) {
      case "databases":
        this.databases.push(databases.decode(found));
        return;
      case "recordLogs":
        this.recordLogs.push(recordLogs.decode(found));
        return;
      case "chunks":
        this.chunks.push(chunks.decode(found));
        return;
      case "segments":
        this.segments.push(segments.decode(found));
        return;
      case "history":
        this.history.push(history.decode(found));
        return;
      case "mapVersions":
        this.mapVersions.push(mapVersions.decode(found));
        return;
      case "snapshots":
        this.snapshots.push(snapshots.decode(found));
        return;
      case "shipping":
        this.shipping = shipping.decode(found);
        return;
      case "remoteChunks":
        this.remoteChunks.push(remoteChunks.decode(found));
        return;
      case "forks":
        this.forks.push(forks.decode(found));
        return;
      case "mapRows":
        this.#options.onMapRow(pageMap.decode(found));
        return;
      default:
        if (same(found.key, STORE_KEY)) this.store = decodeStore(found);
        else if (same(found.key, STATE_KEY)) this.state = decodeState(found);
        else if (table === undefined || table === "meta") checkEnvelope(found);
        else tableOf(found.key[0] as number)?.decode(found);
    }
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
