/**
 * THE MIRROR OF THE MANIFEST READ FROM END TO END, for verification and inspection: how far it can be
 * believed. Pure; any bytes give an answer.
 */
import {
  decodeMirrorEntry,
  decodeMirrorHeader,
  MIRROR_ENTRY,
  MIRROR_HEADER,
  mirrorPayloadBytes,
} from "./mirror-format.ts";

export interface MirrorAudit {
  readonly entries: number;
  readonly operations: number;
  /** The base is complete: the manifest can be made again from what was read. */
  readonly isWhole: boolean;
  /** Its last entry says that nothing is missing. */
  readonly isClosed: boolean;
  /** Where and why reading ended before the end of the file. */
  readonly problem: { readonly offset: number; readonly why: string } | undefined;
}

export function auditMirror(bytes: Uint8Array): MirrorAudit {
  const seen = { entries: 0, operations: 0, isWhole: false, isClosed: false };
  const nonce = decodeMirrorHeader(bytes);
  if (!(nonce instanceof Uint8Array)) {
    const why = nonce === undefined ? "no header of a mirror" : `version ${nonce}; 1 is read`;
    return { ...seen, problem: { offset: 0, why } };
  }
  for (let offset: number = MIRROR_HEADER.sizeBytes; offset < bytes.length; ) {
    const payloadBytes = mirrorPayloadBytes(bytes.subarray(offset));
    const end = offset + MIRROR_ENTRY.sizeBytes + (payloadBytes ?? 0);
    const isThere = payloadBytes !== undefined && end <= bytes.length;
    const entry = isThere
      ? decodeMirrorEntry(bytes.subarray(offset, end), { nonce, offset })
      : undefined;
    if (entry === undefined) return { ...seen, problem: { offset, why: "an invalid entry" } };
    seen.entries += 1;
    if (entry.kind === "rows") seen.operations += entry.operations.length;
    if (entry.kind === "whole") seen.isWhole = true;
    seen.isClosed = entry.kind === "closed";
    offset = end;
  }
  return { ...seen, problem: undefined };
}
