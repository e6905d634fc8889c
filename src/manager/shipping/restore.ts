/**
 * RESTORE, from where a store is opened or open: a whole one into a directory of its own, or one
 * database into the store.
 *
 *   a new name     an import, as of a file: nothing can be seen of it before it is complete
 *   over a live    the same; then, in one entry of the log, the old one takes another name and the
 *     database     new one its own. Who had the old one open is told BOP_CLOSED and opens it again
 *
 * (1) A restore that fails, or that a crash cuts off, leaves everything as it was.
 * (2) What is replaced stays, with every commit up to the exchange: to undo it, drop the new one and
 *     rename the old one back.
 * (3) The bucket is only read, so whoever ships there is not disturbed.
 */
import type { Env } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { MIB, type StreamId } from "../../base/units.ts";
import { systemEnv } from "../../io/index.ts";
import { openLmdbStore } from "../../manifest/index.ts";
import {
  momentGiven,
  openBucket,
  openPastDatabase,
  type PastDatabase,
  type RestorePoints,
  restorePoints,
  restoreStore,
} from "../../restore/index.ts";
import type { ObjectStore } from "../../sink/index.ts";
import { nameTaken } from "../catalogue/catalogue-row.ts";
import { type DatabaseName, databaseName, NAME_BYTES_MAX } from "../catalogue/names.ts";
import { refuseUnknown } from "../refuse-unknown.ts";
import type { StoreGround } from "../store-ground.ts";
import { importFile } from "../transfer/import.ts";
import { TRANSFER_OPTIONS } from "../transfer/transfer-options.ts";
import type {
  DatabaseRestoreOptions,
  DatabaseRestoreReport,
  RestoreOptions,
  RestoreReport,
} from "./restore-options.ts";
import { NO_SINK } from "./sink-options.ts";

const SEGMENT_BYTES = 64 * MIB;
const SEGMENT_BYTES_MIN = MIB;
const SEGMENT_BYTES_MAX = 1024 * MIB;
const SEGMENT_STEP = 4096;
const UNIQUE_BYTES = 4;
const STORE_OPTIONS = ["from", "directory", "at", "lazy", "dryRun", "segmentBytes", "env"];

/** See Manager.restore. */
export async function restoreWhole(options: RestoreOptions): Promise<RestoreReport> {
  refuseUnknown("restore", options, [...STORE_OPTIONS, ...TRANSFER_OPTIONS, "openKeyValueStore"]);
  const { directory, from, lazy = false, dryRun, onProgress, signal } = options;
  if (typeof lazy !== "boolean") throw new TypeError("restore: lazy must be true or false");
  if (lazy && options.at !== undefined) {
    throw new TypeError("restore: lazy is of the newest moment; leave out `at`, or `lazy`");
  }
  if (typeof directory !== "string" || directory === "") {
    throw new TypeError("restore: directory is where the store is to lie");
  }
  const at = momentGiven(options.at);
  const segmentBytes = segmentBytesGiven(options.segmentBytes);
  const env = options.env ?? systemEnv({ scratchDirectory: `${directory}/tmp` });
  const openKeyValueStore = options.openKeyValueStore ?? openLmdbStore;
  const opened = await openBucket(fromGiven(from), { env, signal });
  try {
    const place = { env, openKeyValueStore, directory, segmentBytes };
    return await restoreStore({ ...place, ...opened, at, lazy, dryRun, onProgress, signal });
  } finally {
    await opened.close();
  }
}

/** See Manager.restorePoints. */
export async function pointsOf(
  from: string | ObjectStore,
  options: { readonly env?: Env; readonly signal?: AbortSignal } = {},
): Promise<RestorePoints> {
  refuseUnknown("restorePoints", options, ["env", "signal"]);
  const { signal, env = systemEnv({ scratchDirectory: "." }) } = options;
  const opened = await openBucket(fromGiven(from), { env, signal });
  try {
    return await restorePoints(opened.bucket);
  } finally {
    await opened.close();
  }
}

/** See manager.restore. */
export async function restoreInto(
  store: StoreGround,
  options: DatabaseRestoreOptions,
): Promise<DatabaseRestoreReport> {
  const known = ["database", "at", "as", "from", "dryRun", ...TRANSFER_OPTIONS];
  refuseUnknown("restore", options, known);
  const { as, signal, dryRun = false } = options;
  const database = databaseName(options.database);
  const name = as === undefined ? database : databaseName(as);
  const at = momentGiven(options.at);
  const { env } = store;
  store.lifecycle.assertWritable();
  const found = store.catalogue.databases.find(name);
  if (found !== undefined && (as !== undefined || found.state !== "live")) throw nameTaken(name);
  const opened = await openBucket(fromGiven(options.from ?? sinkOf(store)), { env, signal });
  try {
    const past = await openPastDatabase({ env, ...opened, database, at, signal });
    try {
      const { location } = opened.bucket;
      const source = { file: past, path: `${database} in ${location}` };
      const previous = dryRun ? undefined : await put(store, { source, past, name }, options);
      return reportOf(past, { database: name, previous, dryRun });
    } finally {
      await past.close();
    }
  } finally {
    await opened.close();
  }
}

interface Putting {
  readonly source: Parameters<typeof importFile>[0];
  readonly past: PastDatabase;
  readonly name: DatabaseName;
}

/** Resolves when it is durable, with the name that what was replaced has now. */
async function put(
  store: StoreGround,
  { source, past, name }: Putting,
  { onProgress, signal }: DatabaseRestoreOptions,
): Promise<DatabaseName | undefined> {
  const { engine, pageBytes } = past;
  await enter(store);
  const isThere = store.catalogue.databases.find(name) !== undefined;
  const { stream } = store.catalogue.create({
    name: isThere ? freeName(store, name, "restoring") : name,
    ...{ engine, pageBytes },
    createdAtMs: store.env.clock.wallMs(),
    importing: true,
  });
  try {
    const target = await store.importTarget(stream);
    await importFile(source, target, {
      ...(onProgress && { onProgress }),
      ...(signal && { signal }),
    });
    store.lifecycle.assertWritable();
    await enter(store);
    signal?.throwIfAborted();
    return await publish(store, stream, name);
  } catch (error) {
    const isMade = store.catalogue.databases.row(stream)?.state === "live";
    if (store.lifecycle.state === "open" && !isMade) store.drop(stream, "");
    throw error;
  }
}

/** It gets its name, or the one of the database that has it. */
async function publish(
  store: StoreGround,
  stream: StreamId,
  name: DatabaseName,
): Promise<DatabaseName | undefined> {
  const { catalogue } = store;
  if (catalogue.databases.row(stream)?.name === name) {
    await store.durable(catalogue.publish(stream));
    return undefined;
  }
  const replaced = catalogue.databases.find(name);
  if (replaced?.state === "live") {
    const previous = freeName(store, name, `before-${stampOf(store)}`);
    const lsn = catalogue.replace({ stream, replaced: replaced.stream, name: previous });
    store.fleet.close(replaced.stream, replacedError(name));
    await store.durable(lsn);
    return previous;
  }
  if (replaced !== undefined) throw nameTaken(name);
  catalogue.rename(stream, name); // The other one was dropped or renamed meanwhile.
  await store.durable(catalogue.publish(stream));
  return undefined;
}

/** For who has it open. */
function replacedError(name: DatabaseName): StorageError {
  const what = `database ${JSON.stringify(name)}`;
  const message = `${what} was restored to another moment; open it again`;
  return new StorageError("BOP_CLOSED", message, { details: { what } });
}

async function enter(store: StoreGround): Promise<void> {
  const opened = store.door.enter();
  if (opened !== undefined) await opened;
}

/** A name made of another, which nobody has. */
function freeName({ catalogue, env }: StoreGround, name: DatabaseName, what: string): DatabaseName {
  for (
    let unique = "";
    ;
    unique = `-${Buffer.from(env.random.bytes(UNIQUE_BYTES)).toString("hex")}`
  ) {
    let stem: string = name;
    while (Buffer.byteLength(`${stem}.${what}${unique}`) > NAME_BYTES_MAX) {
      stem = [...stem].slice(0, -1).join("");
    }
    const made = databaseName(`${stem}.${what}${unique}`.normalize("NFC"));
    if (catalogue.databases.find(made) === undefined) return made;
  }
}

/** `20261122-120000`, in UTC. */
function stampOf({ env }: StoreGround): string {
  const text = new Date(env.clock.wallMs()).toISOString();
  return text.slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
}

function reportOf(
  past: PastDatabase,
  done: Pick<DatabaseRestoreReport, "database" | "previous" | "dryRun">,
): DatabaseRestoreReport {
  const { lsn, pageCount, pageBytes, reads } = past;
  return { ...done, lsn, sizeBytes: pageCount * pageBytes, reads, chunks: past.plan() };
}

function sinkOf({ options }: StoreGround): string | ObjectStore {
  const { sink } = options;
  if (sink !== undefined && sink !== NO_SINK) return sink;
  throw new TypeError("restore: this store has no sink; say where to restore from");
}

function fromGiven(from: unknown): string | ObjectStore {
  if (typeof from === "string") return from;
  if (typeof from === "object" && from !== null && "get" in from) return from as ObjectStore;
  throw new TypeError("restore: from is a URL, as in file:///backup, or an ObjectStore");
}

function segmentBytesGiven(bytes: unknown = SEGMENT_BYTES): number {
  const isWhole = typeof bytes === "number" && Number.isInteger(bytes / SEGMENT_STEP);
  if (isWhole && bytes >= SEGMENT_BYTES_MIN && bytes <= SEGMENT_BYTES_MAX) return bytes;
  const range = `${SEGMENT_BYTES_MIN} to ${SEGMENT_BYTES_MAX}, a multiple of ${SEGMENT_STEP}`;
  throw new RangeError(`restore: segmentBytes is ${String(bytes)}; want ${range}`);
}
