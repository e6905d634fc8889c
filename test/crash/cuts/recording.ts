/**
 * A RECORDING OF WHAT A PROCESS ASKED OF ITS DISK, as the shim writes it (shim/record.c).
 *
 * (1) A recording ends where its process was killed: an entry that is not whole is not there.
 * (2) It is of this machine and this moment, and in its byte order; no other reads it.
 */

export type Kind =
  | "open"
  | "close"
  | "write"
  | "truncate"
  | "sync"
  | "end"
  | "rename"
  | "unlink"
  | "link"
  | "mkdir"
  | "rmdir"
  | "told"
  | "dropped";

export interface Entry {
  readonly kind: Kind;
  readonly fd: number;
  /** Pairs what has begun with its end. */
  readonly call: number;
  readonly offset: number;
  readonly result: number;
  readonly path: string;
  /** Of a rename or a link: the new name. */
  readonly path2: string;
  readonly bytes: Uint8Array;
}

const KINDS: readonly (Kind | undefined)[] = [
  undefined,
  ...(["open", "close", "write", "truncate", "sync", "end", "rename"] as const),
  ...(["unlink", "link", "mkdir", "rmdir", "told", "dropped"] as const),
];
const MAGIC = 0x5250_4f42;
const HEADER_BYTES = 48;

export function* readRecording(recording: Buffer): Generator<Entry> {
  for (let at = 0; at + HEADER_BYTES <= recording.length; ) {
    if (recording.readUInt32LE(at) !== MAGIC) throw new Error(`no entry at ${at} of the recording`);
    const kind = KINDS[recording.readUInt32LE(at + 4)];
    if (kind === undefined) throw new Error(`an entry of an unknown kind at ${at}`);
    const pathsAt = at + HEADER_BYTES;
    const bytesAt = pathsAt + recording.readUInt32LE(at + 32);
    const end = bytesAt + Number(recording.readBigUInt64LE(at + 40));
    if (end > recording.length) return;
    const [path = "", path2 = ""] = recording.toString("utf8", pathsAt, bytesAt).split("\0");
    yield {
      kind,
      fd: recording.readInt32LE(at + 8),
      call: recording.readUInt32LE(at + 12),
      offset: Number(recording.readBigInt64LE(at + 16)),
      result: Number(recording.readBigInt64LE(at + 24)),
      path,
      path2,
      bytes: recording.subarray(bytesAt, end),
    };
    at = end;
  }
}
