/**
 * WHAT SCRUBBING REMEMBERS, as rows of the manifest: of each pass when it was done last and how far it
 * has come, of each database when it was restored to try it.
 *
 * The body of a pass's row says where to go on; it is empty while the pass rests. Little-endian:
 *
 *   offset  size  field    meaning
 *        0     1  version  1
 *        1     8  beganMs  when the pass under way began, milliseconds since 1970
 *        9        position of the last piece that was read, as UTF-8, to the end
 *
 * (1) A body that does not parse is that of a pass that rests: it begins anew, and nothing else comes
 *     of it.
 */
import { layout, readU64, writeU64 } from "../../base/layout.ts";
import { type StreamId, streamId } from "../../base/units.ts";
import type { ScrubKey, ScrubRow } from "../../manifest/index.ts";

export type PassName = "local" | "remote";

/** See pass-plan.ts. Times are milliseconds since 1970. */
export interface PassRow {
  /** End of the last pass that found nothing that stayed; 0 if there is none. */
  readonly lastGoodMs: number;
  /** End of the last pass; 0 if there is none. */
  readonly lastTriedMs: number;
  /** 0 while it rests. */
  readonly beganMs: number;
  /** Of the last piece that was read; empty before the first. */
  readonly position: string;
  /** Read by the last pass. */
  readonly bytes: number;
  /** The first thing that was found and stayed: in the pass under way, or else in the last. */
  readonly problem: string;
}

export const SCRUB_BODY = layout(9, [
  ["version", "u8", "1"],
  ["beganMs", "u64", "when the pass under way began, milliseconds since 1970"],
]);

const VERSION = 1;
const PROBLEM_CHARACTERS_MAX = 1000;
const NOTHING = new Uint8Array(0);
const WHOLE_STORE = streamId(0);

export const NEW_PASS: PassRow = {
  lastGoodMs: 0,
  lastTriedMs: 0,
  beganMs: 0,
  position: "",
  bytes: 0,
  problem: "",
};

const passKey = (part: PassName): ScrubKey => ({ part, stream: WHOLE_STORE });
export const databaseKey = (stream: StreamId): ScrubKey => ({ part: "database", stream });

export function encodePass(part: PassName, pass: PassRow): ScrubRow {
  const { beganMs, position } = pass;
  return {
    ...passKey(part),
    ...whole(pass),
    body: beganMs === 0 ? NOTHING : encodeBody(Math.floor(beganMs), position),
  };
}

export function decodePass({ lastGoodMs, lastTriedMs, bytes, problem, body }: ScrubRow): PassRow {
  const under = decodeBody(body) ?? { beganMs: 0, position: "" };
  return { lastGoodMs, lastTriedMs, bytes, problem, ...under };
}

/** A database that was tried. */
export function encodeSample(
  stream: StreamId,
  sample: Pick<PassRow, "lastGoodMs" | "lastTriedMs" | "bytes" | "problem">,
): ScrubRow {
  return { ...databaseKey(stream), ...whole(sample), body: NOTHING };
}

/** Numbers as rows have them; a text that does not outgrow its row. */
function whole(row: Pick<PassRow, "lastGoodMs" | "lastTriedMs" | "bytes" | "problem">) {
  return {
    lastGoodMs: Math.max(0, Math.floor(row.lastGoodMs)),
    lastTriedMs: Math.max(0, Math.floor(row.lastTriedMs)),
    bytes: Math.floor(row.bytes),
    problem: row.problem.slice(0, PROBLEM_CHARACTERS_MAX).toWellFormed(),
  };
}

function encodeBody(beganMs: number, position: string): Uint8Array {
  const text = new TextEncoder().encode(position);
  const bytes = new Uint8Array(SCRUB_BODY.sizeBytes + text.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(SCRUB_BODY.offset.version, VERSION);
  writeU64(view, SCRUB_BODY.offset.beganMs, beganMs);
  bytes.set(text, SCRUB_BODY.sizeBytes);
  return bytes;
}

/** See (1). */
function decodeBody(body: Uint8Array): Pick<PassRow, "beganMs" | "position"> | undefined {
  if (body.length < SCRUB_BODY.sizeBytes || body[SCRUB_BODY.offset.version] !== VERSION) {
    return undefined;
  }
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const beganMs = readU64(view, SCRUB_BODY.offset.beganMs);
  if (beganMs === undefined || beganMs === 0) return undefined;
  try {
    const text = body.subarray(SCRUB_BODY.sizeBytes);
    return { beganMs, position: new TextDecoder("utf-8", { fatal: true }).decode(text) };
  } catch {
    return undefined;
  }
}
