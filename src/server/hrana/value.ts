/**
 * VALUES IN JSON: `{"type":"integer","value":"1"}` ↔ SQLite's values.
 *
 * (1) Integers travel as strings, for JSON's numbers end at 2^53. Ours are bigint on both ways.
 * (2) A float stays one: 1.0 is not stored as the integer 1. One that JSON cannot carry (infinity)
 *     is sent as null.
 * (3) Blobs are sent as base64 without padding, which every client reads; both forms are accepted.
 */
import { type SqlInput, SqlReal, type SqlValue } from "../../sqlite/index.ts";
import { protocolError } from "./error.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const INTEGER = /^[+-]?[0-9]{1,19}$/;

export function decodeValue(json: unknown, path: string): SqlInput {
  if (typeof json !== "object" || json === null) throw protocolError(`${path} is not a value`);
  const { type, value, base64 } = json as Record<string, unknown>;
  switch (type) {
    case "null":
      return null;
    case "integer":
      return decodeInteger(value, path);
    case "float":
      if (typeof value === "number") return Number.isInteger(value) ? new SqlReal(value) : value;
      break;
    case "text":
      if (typeof value === "string") return value;
      break;
    case "blob":
      if (typeof base64 === "string") return decodeBase64(base64, path);
      break;
    default:
      throw protocolError(`${path} has an unknown type`);
  }
  throw protocolError(`${path} is not a valid ${type}`);
}

function decodeInteger(value: unknown, path: string): bigint {
  if (typeof value === "string" && INTEGER.test(value)) {
    const integer = BigInt(value);
    if (integer >= INT64_MIN && integer <= INT64_MAX) return integer;
  }
  throw protocolError(`${path} is not a string with a 64-bit integer`);
}

/** Node skips what is not base64, so a bad text shows by decoding to fewer bytes than it should. */
function decodeBase64(text: string, path: string): Uint8Array {
  const unpadded = text.replace(/={1,2}$/, "");
  const bytes = Buffer.from(unpadded, "base64");
  const expectedBytes = Math.floor((unpadded.length * 3) / 4);
  if (unpadded.length % 4 === 1 || bytes.length !== expectedBytes) {
    throw protocolError(`${path} is not base64`);
  }
  return bytes;
}

export function encodeValue(value: SqlValue): string {
  switch (typeof value) {
    case "string":
      return `{"type":"text","value":${JSON.stringify(value)}}`;
    case "bigint":
      return `{"type":"integer","value":"${value}"}`;
    case "number":
      return Number.isFinite(value) ? `{"type":"float","value":${value}}` : NULL;
    default:
      return value === null ? NULL : `{"type":"blob","base64":"${base64(value)}"}`;
  }
}

const NULL = '{"type":"null"}';

function base64(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
  return text.replace(/={1,2}$/, "");
}

/** What a value takes in an answer, escapes in texts not counted. */
export function encodedBytes(value: SqlValue): number {
  if (typeof value === "string") return FRAME_BYTES + Buffer.byteLength(value);
  if (value instanceof Uint8Array) return FRAME_BYTES + Math.ceil((value.length * 4) / 3);
  return FRAME_BYTES + NUMBER_BYTES_MAX;
}

/** `{"type":"integer","value":""}` and the comma behind it. */
const FRAME_BYTES = 32;
const NUMBER_BYTES_MAX = 24;
