/**
 * OPERATIONS AS BYTES, for batches that wait in the journal. Little-endian.
 *
 *   count u32, then for each: what u8, table u8, and
 *
 *   1  put     version u8, key: length u16 and bytes, payload: length u32 and bytes
 *   2  remove  key: length u16 and bytes
 *   3  range   from: length u16 and bytes, to: length u16 and bytes
 *
 * (1) Persistent: the number of an operation is never changed or used again.
 * (2) Whoever changes the payload of a table migrates what waits in the journal too, so that a
 *     decoder meets its own version and no other.
 */
import type { ByteReader, ByteWriter } from "../rows/bytes.ts";
import { Malformed } from "../rows/bytes.ts";
import type { AnyTable, Operation } from "../rows/table.ts";
import { tableOf } from "../schema.ts";

const WHAT = { put: 1, remove: 2, range: 3 } as const;

export function encodeOperations(operations: Iterable<Operation>, into: ByteWriter): ByteWriter {
  const all = [...operations];
  into.u32(all.length);
  for (const operation of all) encodeOperation(operation, into);
  return into;
}

/** Throws Malformed. */
export function decodeOperations(from: ByteReader): Operation[] {
  const count = from.u32();
  const operations: Operation[] = [];
  for (let n = 0; n < count; n++) operations.push(decodeOperation(from));
  from.end();
  return operations;
}

function encodeOperation(operation: Operation, into: ByteWriter): void {
  const { table } = operation;
  if ("row" in operation) {
    const key = table.encodeKey(table.keyOf(operation.row));
    const payload = table.encodePayload(operation.row);
    into.u8(WHAT.put).u8(table.number).u8(table.version);
    into.u16(key.length).raw(key).u32(payload.length).raw(payload);
  } else if ("key" in operation) {
    const key = table.encodeKey(operation.key);
    into.u8(WHAT.remove).u8(table.number).u16(key.length).raw(key);
  } else {
    const { from, to } = operation.range;
    into.u8(WHAT.range).u8(table.number).u16(from.length).raw(from).u16(to.length).raw(to);
  }
}

function decodeOperation(from: ByteReader): Operation {
  const what = from.oneOf(WHAT, "operation");
  const table = readTable(from);
  switch (what) {
    case "put": {
      const version = from.u8();
      if (version !== table.version) throw new Malformed(`${table.name} of version ${version}`);
      const key = from.raw(from.u16());
      return { table, row: table.decodePayload(from.raw(from.u32()), key) };
    }
    case "remove":
      return { table, key: table.decodeKey(from.raw(from.u16())) };
    case "range":
      return { table, range: { from: from.raw(from.u16()), to: from.raw(from.u16()) } };
  }
}

function readTable(from: ByteReader): AnyTable {
  const number = from.u8();
  const table = tableOf(number);
  if (table === undefined) throw new Malformed(`there is no table ${number}`);
  return table;
}
