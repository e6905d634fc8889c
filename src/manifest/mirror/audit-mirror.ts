/**
 * THE MIRROR OF THE MANIFEST READ FROM END TO END, for verification, inspection and scrubbing: how far
 * it can be believed. Pure; any bytes give an answer.
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

export interface MirrorRange {
  readonly offset: number;
  readonly bytes: number;
}

export function auditMirror(bytes: Uint8Array): MirrorAudit {
  const steps = auditMirrorInSteps(bytes.length);
  let step = steps.next();
  while (step.done !== true) {
    const { offset, bytes: length } = step.value;
    step = steps.next(bytes.subarray(offset, offset + length));
  }
  return step.value;
}

/**
 * The same for a file that need not be in memory: asks for one range after the other, and is given
 * what the file has of it.
 */
export function* auditMirrorInSteps(
  sizeBytes: number,
): Generator<MirrorRange, MirrorAudit, Uint8Array> {
  const seen = { entries: 0, operations: 0, isWhole: false, isClosed: false };
  const nonce = decodeMirrorHeader(yield { offset: 0, bytes: MIRROR_HEADER.sizeBytes });
  if (!(nonce instanceof Uint8Array)) {
    const why = nonce === undefined ? "no header of a mirror" : `version ${nonce}; 1 is read`;
    return { ...seen, problem: { offset: 0, why } };
  }
  for (let offset: number = MIRROR_HEADER.sizeBytes; offset < sizeBytes; ) {
    const payloadBytes = mirrorPayloadBytes(yield { offset, bytes: MIRROR_ENTRY.sizeBytes });
    const bytes = MIRROR_ENTRY.sizeBytes + (payloadBytes ?? 0);
    const isThere = payloadBytes !== undefined && offset + bytes <= sizeBytes;
    const entry = isThere
      ? decodeMirrorEntry(yield { offset, bytes }, { nonce, offset })
      : undefined;
    if (entry === undefined) return { ...seen, problem: { offset, why: "an invalid entry" } };
    if (entry.kind !== "padding") seen.entries += 1;
    if (entry.kind === "rows") seen.operations += entry.operations.length;
    if (entry.kind === "whole") seen.isWhole = true;
    seen.isClosed = entry.kind === "closed";
    offset += bytes;
  }
  return { ...seen, problem: undefined };
}
