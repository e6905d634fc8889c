/**
 * A TABLE OF THE MANIFEST: rows of one kind, each under the key that it names.
 *
 *   key    number of the table u8, then the fields of the key (key-bytes.ts)
 *   value  an envelope (envelope.ts) around the payload of the row (bytes.ts)
 *
 * (1) What a table is stands in one file of tables/: how keys and payloads are written and read.
 *     Everything else (reading, writing, checking, listing, migrating) goes through this interface
 *     and the list of all tables in schema.ts.
 * (2) The key is a function of the row: a row is put under the key that it names and no other.
 * (3) Decoders take any bytes and throw nothing but BOP_CORRUPT and BOP_FORMAT.
 */
import { ByteReader, ByteWriter, Malformed } from "./bytes.ts";
import { corrupt, type Sealed, seal, unseal } from "./envelope.ts";
import { KeyReader, KeyWriter } from "./key-bytes.ts";
import { type KeyRange, nextAfter, TABLE, type TableName } from "./keys.ts";

/** A row as it lies in the store: where, and what. */
export interface Pair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface TableSpec<Key, Row> {
  readonly name: TableName;
  /** Of the payload. */
  readonly version: number;
  readonly keyOf: (row: Row) => Key;
  readonly writeKey: (key: Key, into: KeyWriter) => void;
  readonly readKey: (from: KeyReader) => Key;
  readonly write: (row: Row, into: ByteWriter) => void;
  readonly read: (from: ByteReader, key: Key) => Row;
}

/** Methods, not properties: so that tables of all kinds of rows fit one list. */
export interface Table<Key, Row> {
  readonly name: TableName;
  /** The first byte of its keys. Persistent. */
  readonly number: number;
  readonly version: number;
  keyOf(row: Row): Key;
  encodeKey(key: Key): Uint8Array;
  /** Throws Malformed. */
  decodeKey(key: Uint8Array): Key;
  encode(row: Row, generation: number): Pair;
  decode(found: Sealed): Row;
  /** Without an envelope: for what has a checksum of its own. */
  encodePayload(row: Row): Uint8Array;
  /** Throws Malformed. */
  decodePayload(payload: Uint8Array, key: Uint8Array): Row;
  /** All keys, or those that begin with the fields that are written. */
  range(prefix?: (into: KeyWriter) => void): KeyRange;
}

/** Tables of all kinds of rows. */
export type AnyTable = Table<unknown, unknown>;

/** Put a row, remove one, or remove all in a range. Made by `put`, `remove` and `removeRange`. */
export type Operation =
  | { readonly table: AnyTable; readonly row: unknown }
  | { readonly table: AnyTable; readonly key: unknown }
  | { readonly table: AnyTable; readonly range: KeyRange };

export function put<Key, Row>(table: Table<Key, Row>, row: Row): Operation {
  return { table, row };
}

export function remove<Key, Row>(table: Table<Key, Row>, key: Key): Operation {
  return { table, key };
}

export function removeRange<Key, Row>(table: Table<Key, Row>, range: KeyRange): Operation {
  return { table, range };
}

export function defineTable<Key, Row>(spec: TableSpec<Key, Row>): Table<Key, Row> {
  const { name, version, keyOf } = spec;
  const number = TABLE[name];
  const writer = new KeyWriter();
  const encodeKey = (key: Key): Uint8Array => {
    spec.writeKey(key, writer.begin(number));
    return writer.finish();
  };
  const decodeKey = (key: Uint8Array): Key => {
    if (key[0] !== number) throw new Malformed(`a key of ${name} begins with ${key[0]}`);
    const from = new KeyReader(key);
    const decoded = spec.readKey(from);
    from.end();
    return decoded;
  };
  const payload = new ByteWriter();
  /** In bytes that the next row will take. */
  const written = (row: Row): Uint8Array => {
    spec.write(row, payload.reset());
    return payload.finish();
  };
  return Object.freeze({
    name,
    number,
    version,
    keyOf,
    encodeKey,
    decodeKey,
    encodePayload: (row: Row): Uint8Array => written(row).slice(),
    encode(row: Row, generation: number): Pair {
      const key = encodeKey(keyOf(row));
      return { key, value: seal(written(row), { key, version, generation }) };
    },
    decode(found: Sealed): Row {
      return unseal(found, { version, parse: (from) => spec.read(from, keyOfFound(found)) });
    },
    decodePayload(payload: Uint8Array, key: Uint8Array): Row {
      const from = new ByteReader(payload);
      const row = spec.read(from, decodeKey(key));
      from.end();
      return row;
    },
    range(prefix?: (into: KeyWriter) => void): KeyRange {
      writer.begin(number);
      prefix?.(writer);
      const from = writer.finish();
      return { from, to: nextAfter(from) };
    },
  });

  function keyOfFound(found: Sealed): Key {
    try {
      return decodeKey(found.key);
    } catch (cause) {
      if (!(cause instanceof Malformed)) throw cause;
      throw corrupt(found, "the key is not one of its table", cause);
    }
  }
}
