/**
 * OPERATIONS: what a commit of a record log says, as it lies in the frames of the store's log (kind
 * 7: the parts of one commit put together). `v` is a varint of up to 64 bits.
 *
 *   operation = kind:u8, then by kind:
 *
 *   1  append       firstIndex:v  count:v  entry × count
 *   2  truncate     after:v                  every entry behind it goes
 *   3  truncateAll                           every entry goes
 *   4  compact      index:v  term:v  fieldBytes:v  field
 *   5  hardState    term:v  hasCommit:u8  voteBytes:v  vote  commit:v if it has
 *   6  set          keyBytes:v  key (UTF-8)  valueBytes:v  value
 *   7  unset        keyBytes:v  key
 *   8  snapshot     metaBytes:v  meta        0 bytes: there is none
 *   9  clear                                 entries and boundary go
 *
 *   entry = head:v  term:v if head has 1  fieldBytes:v field if head has 2  payload
 *   head  = 4 × length of the payload + 2 if there is a field + 1 if the term is not that of the
 *           entry before
 *
 * (1) Persistent: the number of a kind is never changed or used again.
 * (2) An entry costs two or three bytes besides its payload and field: its index and its term are
 *     those of the entry before it, plus one and plus nothing.
 * (3) The decoder takes any bytes and throws nothing but Malformed.
 */
import type { ReplayedCommit } from "../write/index.ts";
import type { HardState, LogBoundary } from "./api.ts";
import { copied, Malformed, type Reader, varintBytes, type Writer } from "./bytes.ts";

/** An entry without its index, which its place says. */
export interface StoredEntry {
  readonly term: bigint;
  readonly field: Uint8Array;
  readonly payload: Uint8Array;
}

export type Operation =
  | {
      readonly kind: "append";
      readonly firstIndex: bigint;
      readonly entries: readonly StoredEntry[];
    }
  | { readonly kind: "truncate"; readonly after: bigint | "all" }
  | { readonly kind: "compact"; readonly to: LogBoundary }
  | { readonly kind: "hardState"; readonly state: HardState }
  | { readonly kind: "stable"; readonly key: string; readonly value: Uint8Array | undefined }
  | { readonly kind: "snapshot"; readonly meta: Uint8Array }
  | { readonly kind: "clear" };

const KIND = {
  append: 1,
  truncate: 2,
  truncateAll: 3,
  compact: 4,
  hardState: 5,
  set: 6,
  unset: 7,
  snapshot: 8,
  clear: 9,
} as const;

export const FIELD_BYTES_MAX = 256;
export const KEY_BYTES_MAX = 255;
export const VALUE_BYTES_MAX = 65_536;
export const NO_BYTES = new Uint8Array(0);

const HAS_TERM = 1;
const HAS_FIELD = 2;
const HEAD_FACTOR = 4;
/** Most that head, term and length of a field take. */
const ENTRY_OVERHEAD_BYTES = 24;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Enough room for the operation; what it then takes may be a little less. */
export function roomFor(operation: Operation): number {
  switch (operation.kind) {
    case "append":
      return 32 + entriesRoom(operation.entries);
    case "compact":
      return 32 + operation.to.field.length;
    case "hardState":
      return 32 + (operation.state.vote?.length ?? 0);
    case "stable":
      return 16 + 3 * operation.key.length + (operation.value?.length ?? 0);
    case "snapshot":
      return 16 + operation.meta.length;
    default:
      return 16;
  }
}

export function entriesRoom(entries: readonly StoredEntry[]): number {
  let bytes = 0;
  for (const { payload, field } of entries) {
    bytes += ENTRY_OVERHEAD_BYTES + payload.length + field.length;
  }
  return bytes;
}

export function encodeOperation(into: Writer, operation: Operation): void {
  switch (operation.kind) {
    case "append":
      into.u8(KIND.append).wide(operation.firstIndex).varint(operation.entries.length);
      encodeEntries(into, operation.entries);
      return;
    case "truncate":
      if (operation.after === "all") into.u8(KIND.truncateAll);
      else into.u8(KIND.truncate).wide(operation.after);
      return;
    case "compact":
      into.u8(KIND.compact).wide(operation.to.index).wide(operation.to.term);
      into.counted(operation.to.field);
      return;
    case "hardState":
      into.u8(KIND.hardState);
      encodeHardState(into, operation.state);
      return;
    case "stable":
      into.u8(operation.value === undefined ? KIND.unset : KIND.set);
      into.counted(Buffer.from(operation.key, "utf8"));
      if (operation.value !== undefined) into.counted(operation.value);
      return;
    case "snapshot":
      into.u8(KIND.snapshot).counted(operation.meta);
      return;
    case "clear":
      into.u8(KIND.clear);
  }
}

export function encodeEntries(into: Writer, entries: readonly StoredEntry[]): void {
  let term = -1n;
  for (const entry of entries) {
    encodeEntry(into, entry, entry.term !== term);
    term = entry.term;
  }
}

/** The same entries as `encodeOperation` writes, given back as views of what was written. */
export function encodeAppend(
  into: Writer,
  { firstIndex, entries }: Extract<Operation, { kind: "append" }>,
): StoredEntry[] {
  into.u8(KIND.append).wide(firstIndex).varint(entries.length);
  let before = -1n;
  return entries.map((entry) => {
    const { term, field, payload } = entry;
    encodeEntry(into, entry, term !== before);
    before = term;
    const payloadAt = into.at - payload.length;
    const kept = into.bytes.subarray(payloadAt, into.at);
    if (field.length === 0) return { term, field: NO_BYTES, payload: kept };
    return { term, field: into.bytes.subarray(payloadAt - field.length, payloadAt), payload: kept };
  });
}

/** All of an append of one entry without a field but its payload, which follows. */
export function encodeOneEntry(
  into: Writer,
  { index, term, payloadBytes }: { index: bigint; term: bigint; payloadBytes: number },
): void {
  into.at = 0;
  into.u8(KIND.append).wide(index).u8(1);
  into.varint(payloadBytes * HEAD_FACTOR + HAS_TERM).wide(term);
}

function encodeEntry(into: Writer, { term, field, payload }: StoredEntry, hasTerm: boolean): void {
  const flags = (hasTerm ? HAS_TERM : 0) + (field.length === 0 ? 0 : HAS_FIELD);
  into.varint(payload.length * HEAD_FACTOR + flags);
  if (hasTerm) into.wide(term);
  if (field.length > 0) into.counted(field);
  into.raw(payload);
}

export function encodeHardState(into: Writer, { term, vote = NO_BYTES, commit }: HardState): void {
  into
    .wide(term)
    .u8(commit === undefined ? 0 : 1)
    .counted(vote);
  if (commit !== undefined) into.wide(commit);
}

/** All operations of a commit. Entries are views; everything else is copied. */
export function decodeOperations(from: Reader): Operation[] {
  const operations: Operation[] = [];
  while (!from.done) operations.push(decodeOperation(from));
  return operations;
}

function decodeOperation(from: Reader): Operation {
  const kind = from.u8();
  switch (kind) {
    case KIND.append: {
      const firstIndex = from.wide();
      return { kind: "append", firstIndex, entries: decodeEntries(from, from.varint()) };
    }
    case KIND.truncate:
      return { kind: "truncate", after: from.wide() };
    case KIND.truncateAll:
      return { kind: "truncate", after: "all" };
    case KIND.compact:
      return { kind: "compact", to: decodeBoundary(from) };
    case KIND.hardState:
      return { kind: "hardState", state: decodeHardState(from) };
    case KIND.set:
      return { kind: "stable", key: decodeKey(from), value: decodeValue(from) };
    case KIND.unset:
      return { kind: "stable", key: decodeKey(from), value: undefined };
    case KIND.snapshot:
      return { kind: "snapshot", meta: decodeValue(from) };
    case KIND.clear:
      return { kind: "clear" };
    default:
      throw new Malformed(`there is no operation of kind ${kind}`);
  }
}

/** Payloads and fields are views. */
export function decodeEntries(from: Reader, count: number): StoredEntry[] {
  const entries: StoredEntry[] = [];
  let term: bigint | undefined;
  for (let n = 0; n < count; n++) {
    const head = from.varint();
    const flags = head % HEAD_FACTOR;
    if ((flags & HAS_TERM) !== 0) term = from.wide();
    if (term === undefined) throw new Malformed("the first entry has no term");
    const field = (flags & HAS_FIELD) === 0 ? NO_BYTES : from.counted(FIELD_BYTES_MAX);
    const payload = from.raw((head - flags) / HEAD_FACTOR);
    entries.push({ term, field, payload });
  }
  return entries;
}

export function decodeHardState(from: Reader): HardState {
  const term = from.wide();
  const hasCommit = from.u8();
  if (hasCommit > 1) throw new Malformed(`a flag is ${hasCommit}`);
  const vote = copied(from.counted(FIELD_BYTES_MAX));
  return hasCommit === 1 ? { term, vote, commit: from.wide() } : { term, vote };
}

export function decodeBoundary(from: Reader): LogBoundary {
  const index = from.wide();
  const term = from.wide();
  return { index, term, field: copied(from.counted(FIELD_BYTES_MAX)) };
}

export function decodeKey(from: Reader): string {
  const bytes = from.counted(KEY_BYTES_MAX);
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new Malformed("a key is not UTF-8", { cause });
  }
}

export function decodeValue(from: Reader): Uint8Array {
  return copied(from.counted(VALUE_BYTES_MAX));
}

/** Bytes that an entry takes as it is encoded, about. */
export function encodedBytes({ payload, field }: StoredEntry): number {
  return payload.length + field.length + varintBytes(payload.length * HEAD_FACTOR) + 2;
}

/** The parts of a commit, put together and copied: frames are views into a buffer of recovery. */
export function joinedParts(frames: ReplayedCommit["frames"]): Uint8Array {
  const parts = frames.map((frame) => {
    if (frame.kind === "records") return frame.payload;
    throw new Malformed(`a ${frame.kind} frame`);
  });
  const [only, ...rest] = parts;
  return rest.length === 0 && only !== undefined ? only.slice() : Buffer.concat(parts);
}
