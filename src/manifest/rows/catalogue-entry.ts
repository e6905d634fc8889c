/**
 * ENTRIES OF THE CATALOGUE: the payloads of frames of stream 0. Little-endian; text is UTF-8 behind
 * its length as a u16. Frames carry the checksum.
 *
 *   version u8 = 1, type u8, stream u32, then by type:
 *
 *   1  create     engine u8, importing u8, page bytes u32, created at ms u64, name text
 *   2  drop       the database or record log
 *   3  rename     name text
 *   4  publish    the import of this database is complete
 *   5  createLog  created at ms u64, name text: a record log
 *   6  fork       origin: stream u32 and lsn u64, family u32, engine u8, importing u8,
 *                 page bytes u32, created at ms u64, name text
 *   7  snapshot   lsn u64, created at ms u64, name text; stream 0 is every database
 *   8  dropSnapshot  name text
 *
 * (1) Persistent: the number of a type is never changed or used again.
 * (2) The decoder takes any bytes and throws nothing but BOP_CORRUPT and BOP_FORMAT.
 */
import { StorageError } from "../../base/errors.ts";
import { type Lsn, lsn, type StreamId, streamId } from "../../base/units.ts";
import { ENGINES } from "../tables/databases.ts";
import { ByteReader, ByteWriter, Malformed } from "./bytes.ts";
import { unknownVersion } from "./envelope.ts";
import type { Moment } from "./moment.ts";

const VERSION = 1;
const TYPES = {
  create: 1,
  drop: 2,
  rename: 3,
  publish: 4,
  createLog: 5,
  fork: 6,
  snapshot: 7,
  dropSnapshot: 8,
} as const;
const FILE = "catalogue (stream 0)";

export type CatalogueEntry =
  | {
      readonly type: "create";
      readonly stream: StreamId;
      readonly name: string;
      readonly engine: "sqlite" | "libsql";
      readonly pageBytes: number;
      readonly createdAtMs: number;
      /** Not to be seen before its `publish`; removed when the store opens without one. */
      readonly importing: boolean;
    }
  | { readonly type: "drop"; readonly stream: StreamId }
  | { readonly type: "rename"; readonly stream: StreamId; readonly name: string }
  | { readonly type: "publish"; readonly stream: StreamId }
  | {
      readonly type: "createLog";
      readonly stream: StreamId;
      readonly name: string;
      readonly createdAtMs: number;
    }
  | {
      readonly type: "fork";
      readonly stream: StreamId;
      readonly name: string;
      /** What it is a copy of. The origin's commits above this LSN are not in it. */
      readonly origin: Moment;
      /** Root of the origin's family, and so of its own. */
      readonly family: StreamId;
      readonly engine: "sqlite" | "libsql";
      readonly pageBytes: number;
      readonly createdAtMs: number;
      /** As of `create`: not complete before its `publish`. */
      readonly importing: boolean;
    }
  | {
      readonly type: "snapshot";
      /** 0: of every database that there is. */
      readonly stream: StreamId;
      readonly name: string;
      readonly lsn: Lsn;
      readonly createdAtMs: number;
    }
  | { readonly type: "dropSnapshot"; readonly stream: StreamId; readonly name: string };

export function encodeCatalogueEntry(entry: CatalogueEntry): Uint8Array {
  const into = new ByteWriter().u8(VERSION).u8(TYPES[entry.type]).u32(entry.stream);
  if (entry.type === "create") {
    into.u8(ENGINES[entry.engine]).u8(entry.importing ? 1 : 0);
    into.u32(entry.pageBytes).u64(entry.createdAtMs).text(entry.name);
  }
  if (entry.type === "createLog") into.u64(entry.createdAtMs).text(entry.name);
  if (entry.type === "rename" || entry.type === "dropSnapshot") into.text(entry.name);
  if (entry.type === "fork") {
    into.u32(entry.origin.stream).u64(entry.origin.lsn).u32(entry.family);
    into.u8(ENGINES[entry.engine]).u8(entry.importing ? 1 : 0);
    into.u32(entry.pageBytes).u64(entry.createdAtMs).text(entry.name);
  }
  if (entry.type === "snapshot") {
    into.u64(entry.lsn).u64(entry.createdAtMs).text(entry.name);
  }
  return into.finish();
}

export function decodeCatalogueEntry(bytes: Uint8Array): CatalogueEntry {
  const from = new ByteReader(bytes);
  try {
    const version = from.u8();
    if (version > VERSION) throw unknownVersion({ file: FILE, found: version, supported: VERSION });
    if (version < VERSION) throw new Malformed(`version ${version}`);
    const entry = parse(from);
    from.end();
    return entry;
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause;
    const details = { file: FILE, offset: 0, why: cause.message };
    const message = `an entry of the catalogue is damaged: ${cause.message}`;
    throw new StorageError("BOP_CORRUPT", message, { details, cause });
  }
}

function parse(from: ByteReader): CatalogueEntry {
  const type = from.oneOf(TYPES, "type of entry");
  const stream = streamId(from.u32());
  switch (type) {
    case "create":
      return {
        type,
        stream,
        engine: from.oneOf(ENGINES, "engine"),
        importing: from.flag(),
        pageBytes: from.u32(),
        createdAtMs: from.u64(),
        name: from.text(),
      };
    case "createLog":
      return { type, stream, createdAtMs: from.u64(), name: from.text() };
    case "fork":
      return {
        type,
        stream,
        origin: { stream: streamId(from.u32()), lsn: lsn(from.u64()) },
        family: streamId(from.u32()),
        engine: from.oneOf(ENGINES, "engine"),
        importing: from.flag(),
        pageBytes: from.u32(),
        createdAtMs: from.u64(),
        name: from.text(),
      };
    case "snapshot":
      return { type, stream, lsn: lsn(from.u64()), createdAtMs: from.u64(), name: from.text() };
    case "rename":
    case "dropSnapshot":
      return { type, stream, name: from.text() };
    case "drop":
    case "publish":
      return { type, stream };
  }
}
