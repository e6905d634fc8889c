/**
 * ANY FILE OF A STORE TAKEN APART: what it is, what it holds, what is wrong with it and where. It
 * decides by the first bytes and not by the name, so that a file that was renamed or carved out of
 * something is told as what it is.
 *
 * (1) Any bytes give an answer. What is wrong is said in `problems`; nothing is thrown for it.
 * (2) An object of a sink that is a folder is told as what its body is; what a service keeps as
 *     metadata stands behind it in the file.
 * (3) Parts beyond `limit` are counted and checked, and not listed.
 */
import { createHash } from "node:crypto";
import {
  decodeFileHeader,
  FILE_HEADER,
  type FileHeader,
  inspectChunk,
  inspectRecordChunk,
} from "../../chunk/index.ts";
import { inspectObject, isNumberedObject } from "../../flush/index.ts";
import { auditMirror } from "../../manifest/index.ts";
import { inspectSuperblock } from "../../page-store/index.ts";
import { decodeTrailer, OBJECT_FILE_TRAILER } from "../../sink/index.ts";
import {
  BATCH_HEADER,
  type ByteSource,
  batchBytes,
  framesOf,
  type SegmentHints,
  type SegmentItem,
  segmentItems,
} from "../../wal/index.ts";

export type Facts = Readonly<Record<string, number | string | boolean>>;

/** Something in the file that has a place of its own. */
export interface InspectedPart {
  /** Bytes from the beginning of the file. */
  readonly offset: number;
  readonly what: string;
  readonly facts: Facts;
  readonly parts?: readonly InspectedPart[];
}

export type ArtefactKind =
  | "segment"
  | "page chunk"
  | "record chunk"
  | "superblock"
  | "manifest mirror"
  | "log object"
  | "index object"
  | "manifest object"
  | "fence"
  | "unknown";

export interface Inspection {
  readonly kind: ArtefactKind;
  readonly sizeBytes: number;
  readonly facts: Facts;
  readonly parts: readonly InspectedPart[];
  /** Parts that are there and not listed. */
  readonly partsOmitted: number;
  readonly problems: readonly { readonly offset: number; readonly why: string }[];
}

export interface InspectOptions {
  /** Lists the frames of each batch. */
  readonly withFrames: boolean;
  /** Parts to list. */
  readonly limit: number;
  /** Whose segment it is, for one whose header is damaged. */
  readonly hints: SegmentHints;
}

export function inspectArtefact(source: ByteSource, options: InspectOptions): Inspection {
  const { sizeBytes } = OBJECT_FILE_TRAILER;
  const bodyBytes = Math.max(0, source.sizeBytes - sizeBytes);
  const end = source.view(bodyBytes, source.sizeBytes - bodyBytes);
  const framed = decodeTrailer(end, source.sizeBytes);
  if (framed.type !== "trailer") return inspectBody(source, options);
  const { putId, sha256 } = framed.trailer;
  const body = {
    sizeBytes: bodyBytes,
    view: (offset: number, length: number) =>
      source.view(offset, Math.min(length, Math.max(0, bodyBytes - offset))),
  };
  const hash = createHash("sha256").update(body.view(0, bodyBytes)).digest("hex");
  const { facts, problems, ...inspection } = inspectBody(body, options);
  const wrong = { offset: bodyBytes, why: "the body does not hash to what the trailer says" };
  return {
    ...inspection,
    facts: { ...facts, putId, sha256 },
    problems: hash === sha256 ? problems : [...problems, wrong],
  };
}

function inspectBody(source: ByteSource, options: InspectOptions): Inspection {
  const draft = new Draft(source, options);
  const first = source.view(0, FILE_HEADER.sizeBytes);
  if (text(first, 4) === "BOPS") return inspectCopies(source, draft);
  if (text(first, 4) === "BOPM") return inspectMirror(source, draft);
  if (isNumberedObject(first)) return inspectNumbered(source, draft);
  const answer = decodeFileHeader(first);
  const kind = answer.type === "header" ? answer.header.kind : undefined;
  if (answer.type === "newer") draft.problem(0, `${answer.found}; ${answer.supported} is read`);
  if (answer.type === "bad") draft.problem(0, answer.why);
  if (kind === "pages" || kind === "spill") return inspectPages(source, draft);
  if (kind === "records" && answer.type === "header") {
    return inspectRecords(source, { draft, header: answer.header });
  }
  if (kind === "segment" || options.hints.sequence !== undefined) {
    return inspectSegment(source, draft);
  }
  // A header that is damaged may stand before a chunk, whose other end is as good.
  const end = source.sizeBytes >= 4 ? text(source.view(source.sizeBytes - 8, 4), 4) : "";
  if (end === "CPOB") return inspectPages(source, draft.again());
  if (answer.type === "zero") draft.problem(0, "zeros: a file that was never taken into use");
  return draft.finish("unknown", {});
}

/** What is found, as it is found. */
class Draft {
  readonly options: InspectOptions;
  readonly #source: ByteSource;
  readonly #parts: InspectedPart[] = [];
  readonly #problems: { offset: number; why: string }[] = [];
  #omitted = 0;

  constructor(source: ByteSource, options: InspectOptions) {
    this.#source = source;
    this.options = options;
  }

  again(): Draft {
    return new Draft(this.#source, this.options);
  }

  get isFull(): boolean {
    return this.#parts.length >= this.options.limit;
  }

  /** Something is wrong with it already. */
  get isRefused(): boolean {
    return this.#problems.length > 0;
  }

  part(part: InspectedPart): void {
    if (this.isFull) this.#omitted += 1;
    else this.#parts.push(part);
  }

  problem(offset: number, why: string): void {
    this.#problems.push({ offset, why });
  }

  finish(kind: Inspection["kind"], facts: Facts): Inspection {
    return {
      kind,
      sizeBytes: this.#source.sizeBytes,
      facts,
      parts: this.#parts,
      partsOmitted: this.#omitted,
      problems: this.#problems,
    };
  }
}

function inspectSegment(source: ByteSource, draft: Draft): Inspection {
  const seen = { facts: {} as Facts, batches: 0, frames: 0, endLsn: 0 };
  const kinds = new Map<string, number>();
  for (const item of segmentItems(source, draft.options.hints)) {
    if (item.type === "header") {
      const { storeId, ...numbers } = item.header;
      seen.facts = { storeId: hex(storeId), ...numbers };
      continue;
    }
    if (item.type !== "batch") {
      reportPlace(item, draft);
      continue;
    }
    const { offset, header } = item;
    const { frames, problem } = framesOf(item.payload, header.startLsn + BATCH_HEADER.sizeBytes);
    const payloadAt = offset + BATCH_HEADER.sizeBytes;
    if (problem !== undefined) draft.problem(payloadAt + problem.at, problem.why);
    seen.batches += 1;
    seen.frames += frames.length;
    seen.endLsn = header.startLsn + batchBytes(header.payloadBytes);
    for (const { kind } of frames) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    const { startLsn, durableLsn, wallMs, payloadBytes, copied } = header;
    const facts = { startLsn, durableLsn, wallMs, payloadBytes, copied, frames: frames.length };
    const parts = frames.map(({ kind, at, bytes, lsn, facts: more }) => {
      return { offset: payloadAt + at, what: kind, facts: { lsn, bytes, ...more } };
    });
    const listed = draft.options.withFrames && !draft.isFull ? { parts } : {};
    draft.part({ offset, what: "batch", facts, ...listed });
  }
  const { facts, batches, frames, endLsn } = seen;
  const byKind = Object.fromEntries([...kinds].map(([kind, count]) => [`${kind} frames`, count]));
  return draft.finish("segment", { ...facts, batches, endLsn, frames, ...byKind });
}

/** What lies in a segment where no batch does. */
function reportPlace(
  item: Exclude<SegmentItem, { readonly type: "header" | "batch" }>,
  draft: Draft,
): void {
  switch (item.type) {
    case "no-header":
      if (item.isSpare) draft.part({ offset: 0, what: "spare", facts: { why: item.why } });
      else if (!draft.isRefused) draft.problem(0, item.why);
      return;
    case "damage":
      draft.problem(item.offset, `${item.bytes} bytes are damaged: a valid batch lies behind them`);
      return;
    case "torn": {
      const { startLsn, payloadBytes } = item.header;
      const facts = { startLsn, payloadBytes };
      draft.part({ offset: item.offset, what: "torn batch: its frames are not there", facts });
      return;
    }
    case "index": {
      const { commits, runs } = item.index;
      const facts = { bytes: item.bytes, streams: runs.length, commits };
      draft.part({ offset: item.offset, what: "index", facts });
      return;
    }
    case "rest": {
      const what = item.isZero ? "zeros to the end" : "bytes of no batch of this segment";
      draft.part({ offset: item.offset, what, facts: { bytes: item.bytes } });
    }
  }
}

function inspectPages(source: ByteSource, draft: Draft): Inspection {
  const report = inspectChunk(source.view(0, source.sizeBytes));
  const { header, entries, problems, imageBytes, storedBytes } = report;
  for (const { offset, why, page } of problems) {
    const whose = page && `page ${page.pageNumber} of stream ${page.stream}: `;
    draft.problem(offset, `${whose ?? ""}${why}`);
  }
  for (const { offset, ...facts } of entries ?? []) draft.part({ offset, what: "page", facts });
  const ratio = storedBytes === 0 ? 1 : Math.round((100 * imageBytes) / storedBytes) / 100;
  const sizes = { imageBytes, storedBytes, compressionRatio: ratio };
  const facts = header && { ...header, storeId: hex(header.storeId), ...sizes };
  return draft.finish("page chunk", facts ?? {});
}

function inspectRecords(
  source: ByteSource,
  { draft, header }: { readonly draft: Draft; readonly header: FileHeader },
): Inspection {
  const { blocks, problems } = inspectRecordChunk(source.view(0, source.sizeBytes));
  for (const { offset, why } of problems) draft.problem(offset, why);
  for (const { offset, firstIndex, ...numbers } of blocks ?? []) {
    const facts = { firstIndex: firstIndex.toString(), ...numbers };
    draft.part({ offset, what: "block", facts });
  }
  return draft.finish("record chunk", headerFacts(header));
}

function inspectCopies(source: ByteSource, draft: Draft): Inspection {
  const { copies, choice } = inspectSuperblock(source.view(0, source.sizeBytes));
  for (const { offset, superblock, why } of copies) {
    if (superblock === undefined) draft.problem(offset, why ?? "not a valid copy");
    else draft.part({ offset, what: "copy", facts: superblockFacts(superblock) });
  }
  if (choice.type === "refused") draft.problem(0, choice.why);
  const facts = choice.type === "found" ? superblockFacts(choice.superblock) : {};
  return draft.finish("superblock", facts);
}

function inspectMirror(source: ByteSource, draft: Draft): Inspection {
  const { problem, ...facts } = auditMirror(source.view(0, source.sizeBytes));
  if (problem !== undefined) draft.problem(problem.offset, problem.why);
  return draft.finish("manifest mirror", facts);
}

/** What lies under a number in a bucket. */
function inspectNumbered(source: ByteSource, draft: Draft): Inspection {
  const { header, facts, parts, problems } = inspectObject(source.view(0, source.sizeBytes));
  for (const { offset, why } of problems) draft.problem(offset, why);
  for (const part of parts) draft.part(part);
  if (header === undefined) return draft.finish("unknown", {});
  const { storeId, ...fields } = header;
  const told = "nonce" in fields ? { ...fields, nonce: hex(fields.nonce) } : fields;
  return draft.finish(OBJECT_KINDS[header.kind], { storeId: hex(storeId), ...told, ...facts });
}

const OBJECT_KINDS = {
  log: "log object",
  index: "index object",
  base: "manifest object",
  batch: "manifest object",
  fence: "fence",
} as const;

function superblockFacts(superblock: { storeId: Uint8Array; parentHash: Uint8Array }): Facts {
  const { storeId, parentHash, ...facts } = superblock;
  return { storeId: hex(storeId), ...facts, parentHash: hex(parentHash) };
}

function headerFacts({ storeId, ...facts }: FileHeader): Facts {
  return { ...facts, storeId: hex(storeId) };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const text = (bytes: Uint8Array, length: number): string =>
  Buffer.from(bytes.subarray(0, length)).toString("latin1");
