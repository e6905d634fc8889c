/**
 * A CHUNK THAT WAS FETCHED, OR FOUND: is it whole, and is it the one that is wanted? Pure.
 *
 * (1) Every byte is covered by a checksum, which is seeded with the store and the chunk's id. So what
 *     passes is a chunk of this id of this store; that it is of this history says its key.
 */
import type { ChunkId } from "../base/units.ts";
import { decodeChunk, decodeFileHeader, decodeRecordChunk } from "../chunk/index.ts";

export interface ExpectedChunk {
  readonly chunk: ChunkId;
  readonly storeId: Uint8Array;
  /** Undefined for those that a commit of the log names. */
  readonly fileBytes: number | undefined;
}

/** What is wrong with it; undefined if nothing is. */
export function chunkProblem(bytes: Uint8Array, expected: ExpectedChunk): string | undefined {
  const { chunk, storeId, fileBytes } = expected;
  if (fileBytes !== undefined && bytes.length !== fileBytes) {
    return `it has ${bytes.length} bytes, and should have ${fileBytes}`;
  }
  const answer = decodeFileHeader(bytes);
  if (answer.type === "zero") return "it holds zeros";
  if (answer.type === "newer") return `${answer.found}; ${answer.supported} is supported`;
  if (answer.type === "bad") return answer.why;
  const { header } = answer;
  if (Buffer.compare(header.storeId, storeId) !== 0) return "it belongs to another store";
  if (header.sequence !== chunk) return `it is chunk ${header.sequence}`;
  const whole = header.kind === "records" ? decodeRecordChunk(bytes) : decodeChunk(bytes);
  return typeof whole === "string" ? whole : undefined;
}
