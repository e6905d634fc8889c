/**
 * BATONS: what a client shows to go on with its stream. Opaque to it, signed by us, good for once.
 *
 *   offset  size  field     meaning
 *        0    16  stream    random id of the stream
 *       16     4  sequence  counts the answers of the stream, big-endian
 *       20    32  mac       HMAC-SHA-256 over the database's name and the bytes before
 *
 * (1) The key lives as long as the process: a baton of another process or of another database does
 *     not verify.
 * (2) A baton that verifies was issued here. If its stream is gone, the stream has ended; if its
 *     sequence is not the stream's, the baton was used before.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { HranaError } from "./error.ts";

const STREAM_BYTES = 16;
const SIGNED_BYTES = STREAM_BYTES + 4;
const BATON_BYTES = SIGNED_BYTES + 32;

export interface Baton {
  readonly streamId: string;
  readonly sequence: number;
}

export class BatonIssuer {
  readonly #key: Buffer = randomBytes(32);

  newStreamId(): string {
    return randomBytes(STREAM_BYTES).toString("hex");
  }

  issue({ streamId, sequence }: Baton, database: string): string {
    const signed = Buffer.alloc(SIGNED_BYTES);
    signed.write(streamId, "hex");
    signed.writeUInt32BE(sequence, STREAM_BYTES);
    return Buffer.concat([signed, this.#mac(signed, database)]).toString("base64url");
  }

  /** Throws BATON_INVALID for what was not issued here for this database. */
  verify(text: string, database: string): Baton {
    const bytes = Buffer.from(text, "base64url");
    const signed = bytes.subarray(0, SIGNED_BYTES);
    const genuine =
      bytes.length === BATON_BYTES &&
      timingSafeEqual(bytes.subarray(SIGNED_BYTES), this.#mac(signed, database));
    if (!genuine) throw new HranaError("BATON_INVALID", "this baton was not issued here");
    const streamId = signed.toString("hex", 0, STREAM_BYTES);
    return { streamId, sequence: signed.readUInt32BE(STREAM_BYTES) };
  }

  #mac(signed: Uint8Array, database: string): Buffer {
    return createHmac("sha256", this.#key).update(signed).update(database).digest();
  }
}
