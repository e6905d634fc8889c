/**
 * SUPERBLOCK: what a store is and how far it was when somebody last wrote it down, four times over.
 * Pure; superblock-file.ts does the reading and writing. One copy, little-endian:
 *
 *   offset  size  field               meaning
 *        0     4  magic               "BOPS"
 *        4     2  version             of this format; 1
 *        6     1  copyIndex           0 to 3: which of the four it is
 *        7     1  clean               1: the store was closed properly
 *        8     8  sequence            grows by one for each write
 *       16    32  parentHash          SHA-256 of the superblock before it; zeros in the first
 *       48    16  storeId             which store it is
 *       64     8  epoch               of the store's owner, for fencing
 *       72     8  manifestGeneration  a manifest below it is an old copy
 *       80     8  checkpointLsn       the log below it is folded into chunks
 *       88     8  durableLsn          an LSN that was known to be durable
 *       96     8  walStart            sequence of the oldest segment that is needed
 *      104  3988  reserved            zero, and the reader insists
 *     4092     4  checksum            CRC-32 of the bytes before this field
 *
 * (1) A copy counts only in its own place: its index is part of what is checked.
 * (2) The newest sequence of which at least two valid copies are equal wins. A lone newer copy is
 *     that of a write that never finished, and nobody was told that it did.
 * (3) Two equal copies are on the device at any time: copies 0 and 1 are written over only while 2
 *     and 3 are known to be there, and 2 and 3 only while 0 and 1 are. What can be read says which
 *     half a process that ended may have been at, though the page cache may show what a failed sync
 *     has not taken to the device: an older half beside a newer one is there, and so is 0 and 1 else.
 * (4) A copy of the sequence right before the winner's must be its parent: else two histories are
 *     mixed in one file.
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { assert } from "../../base/assert.ts";
import { layout, readU64, writeU64 } from "../../base/layout.ts";
import { type Lsn, lsn, type SegmentSequence, segmentSequence } from "../../base/units.ts";

export const SUPERBLOCK = layout(4096, [
  ["magic", "bytes[4]", '"BOPS"'],
  ["version", "u16", "of this format; 1"],
  ["copyIndex", "u8", "0 to 3: which of the four it is"],
  ["clean", "u8", "1: the store was closed properly"],
  ["sequence", "u64", "grows by one for each write"],
  ["parentHash", "bytes[32]", "SHA-256 of the superblock before it; zeros in the first"],
  ["storeId", "bytes[16]", "which store it is"],
  ["epoch", "u64", "of the store's owner, for fencing"],
  ["manifestGeneration", "u64", "a manifest below it is an old copy"],
  ["checkpointLsn", "u64", "the log below it is folded into chunks"],
  ["durableLsn", "u64", "an LSN that was known to be durable"],
  ["walStart", "u64", "sequence of the oldest segment that is needed"],
  ["reserved", "zero[3988]", "zero, and the reader insists"],
  ["checksum", "u32", "CRC-32 of the bytes before this field"],
]);

export const SUPERBLOCK_COPIES = 4;
/** In the order in which they are written, and synced one by one: see (3). */
export const FIRST_HALF: readonly number[] = [0, 1];
export const SECOND_HALF: readonly number[] = [2, 3];
/** Copies that must agree for a superblock to count. */
const QUORUM = 2;
const MAGIC = Buffer.from("BOPS");
const VERSION = 1;

/** What whoever writes a superblock has to say. */
export interface SuperblockFacts {
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  readonly epoch: number;
  readonly manifestGeneration: number;
  readonly checkpointLsn: Lsn;
  readonly durableLsn: Lsn;
  readonly walStart: SegmentSequence;
  readonly clean: boolean;
}

export interface Superblock extends SuperblockFacts {
  readonly sequence: number;
  readonly parentHash: Uint8Array;
}

/** Facts with their place in the history of superblocks. */
export function superblockAfter(
  parent: Superblock | undefined,
  facts: SuperblockFacts,
): Superblock {
  const { storeId, epoch, manifestGeneration, checkpointLsn, durableLsn, walStart, clean } = facts;
  return {
    storeId,
    epoch,
    manifestGeneration,
    checkpointLsn,
    durableLsn,
    walStart,
    clean,
    sequence: (parent?.sequence ?? 0) + 1,
    parentHash: parent === undefined ? new Uint8Array(32) : hashOf(parent),
  };
}

export function encodeCopy(superblock: Superblock, copyIndex: number): Uint8Array {
  const { offset, sizeBytes } = SUPERBLOCK;
  assert(superblock.storeId.length === 16, "the id of a store has 16 bytes");
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, offset.magic);
  view.setUint16(offset.version, VERSION, true);
  view.setUint8(offset.copyIndex, copyIndex);
  view.setUint8(offset.clean, superblock.clean ? 1 : 0);
  writeU64(view, offset.sequence, superblock.sequence);
  bytes.set(superblock.parentHash, offset.parentHash);
  bytes.set(superblock.storeId, offset.storeId);
  writeU64(view, offset.epoch, superblock.epoch);
  writeU64(view, offset.manifestGeneration, superblock.manifestGeneration);
  writeU64(view, offset.checkpointLsn, superblock.checkpointLsn);
  writeU64(view, offset.durableLsn, superblock.durableLsn);
  writeU64(view, offset.walStart, superblock.walStart);
  view.setUint32(offset.checksum, crc32(bytes.subarray(0, offset.checksum)), true);
  return bytes;
}

type CopyAnswer =
  | { readonly type: "copy"; readonly superblock: Superblock }
  | { readonly type: "newer"; readonly found: string }
  | { readonly type: "bad" };

/** What lies in the place of a copy; undefined where the device would not read. */
export function decodeCopy(bytes: Uint8Array | undefined, copyIndex: number): CopyAnswer {
  const { offset, sizeBytes } = SUPERBLOCK;
  if (bytes === undefined || bytes.length !== sizeBytes) return { type: "bad" };
  if (!MAGIC.equals(bytes.subarray(offset.magic, offset.version))) return { type: "bad" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, sizeBytes);
  if (view.getUint32(offset.checksum, true) !== crc32(bytes.subarray(0, offset.checksum))) {
    return { type: "bad" };
  }
  const version = view.getUint16(offset.version, true);
  if (version > VERSION) return { type: "newer", found: `version ${version}` };
  if (version !== VERSION || view.getUint8(offset.copyIndex) !== copyIndex) return { type: "bad" };
  const superblock = decodeFields(bytes, view);
  return superblock === undefined ? { type: "bad" } : { type: "copy", superblock };
}

function decodeFields(bytes: Uint8Array, view: DataView): Superblock | undefined {
  const { offset } = SUPERBLOCK;
  const reserved = bytes.subarray(offset.reserved, offset.checksum);
  const sequence = readU64(view, offset.sequence);
  const epoch = readU64(view, offset.epoch);
  const manifestGeneration = readU64(view, offset.manifestGeneration);
  const checkpoint = readU64(view, offset.checkpointLsn);
  const durable = readU64(view, offset.durableLsn);
  const walStart = readU64(view, offset.walStart);
  if (sequence === undefined || epoch === undefined || manifestGeneration === undefined) {
    return undefined;
  }
  if (checkpoint === undefined || durable === undefined || walStart === undefined) return undefined;
  if (reserved.some((byte) => byte !== 0)) return undefined;
  return {
    sequence,
    parentHash: bytes.slice(offset.parentHash, offset.storeId),
    storeId: bytes.slice(offset.storeId, offset.epoch),
    epoch,
    manifestGeneration,
    checkpointLsn: lsn(checkpoint),
    durableLsn: lsn(durable),
    walStart: segmentSequence(walStart),
    clean: view.getUint8(offset.clean) === 1,
  };
}

export type SuperblockChoice =
  | {
      readonly type: "found";
      readonly superblock: Superblock;
      /** Copies that carry it; at least two. */
      readonly copies: readonly number[];
      /** What the second half carries; where a copy is in doubt, what it is to carry: (3). */
      readonly secondHalf: Superblock;
      /** Copies to be written once more, with that, before the first half is written over. */
      readonly doubtful: readonly number[];
    }
  | { readonly type: "newer"; readonly found: string }
  | { readonly type: "refused"; readonly why: string };

/** See (2) and (4). */
export function chooseSuperblock(copies: readonly (Uint8Array | undefined)[]): SuperblockChoice {
  const holders = new Map<string, Holder & { readonly copies: number[] }>();
  for (let index = 0; index < SUPERBLOCK_COPIES; index += 1) {
    const answer = decodeCopy(copies[index], index);
    if (answer.type === "newer") return answer;
    if (answer.type === "bad") continue;
    const { superblock } = answer;
    const hash = hex(hashOf(superblock));
    const holder = holders.get(hash) ?? { superblock, copies: [] };
    holder.copies.push(index);
    holders.set(hash, holder);
  }
  let winner: Holder | undefined;
  for (const holder of holders.values()) {
    if (holder.copies.length < QUORUM) continue;
    const isNewer = holder.superblock.sequence > (winner?.superblock.sequence ?? -1);
    if (isNewer) winner = holder;
    else if (holder.superblock.sequence === winner?.superblock.sequence) {
      return { type: "refused", why: "two different superblocks of one sequence" };
    }
  }
  if (winner === undefined) return { type: "refused", why: "no two valid copies agree" };
  const { sequence, parentHash } = winner.superblock;
  for (const [hash, { superblock }] of holders) {
    if (superblock.sequence === sequence - 1 && hash !== hex(parentHash)) {
      return { type: "refused", why: "the copies belong to two different histories" };
    }
  }
  return {
    type: "found",
    superblock: winner.superblock,
    copies: winner.copies,
    ...settling([...holders.values()], winner),
  };
}

interface Holder {
  readonly superblock: Superblock;
  /** Where it was found, in order. */
  readonly copies: readonly number[];
}

/** See (3). */
function settling(
  holders: readonly Holder[],
  winner: Holder,
): { readonly secondHalf: Superblock; readonly doubtful: readonly number[] } {
  const carrying = (half: readonly number[]) =>
    holders.find(({ copies }) => half.every((index) => copies.includes(index)));
  const [first, second] = [carrying(FIRST_HALF), carrying(SECOND_HALF)];
  const secondHalf = winner.superblock;
  if (first === undefined && second === undefined) {
    // Both halves have lost one: those that are whole stay until the others are, too.
    const lost = [...FIRST_HALF, ...SECOND_HALF].filter((index) => !winner.copies.includes(index));
    return { secondHalf, doubtful: lost };
  }
  if (first === undefined) return { secondHalf, doubtful: [] };
  const wasAtFirst = second !== undefined && second !== winner;
  if (wasAtFirst) return { secondHalf: second.superblock, doubtful: [] };
  return { secondHalf, doubtful: SECOND_HALF };
}

/** Covers everything but which copy it is. */
function hashOf(superblock: Superblock): Uint8Array {
  const bytes = encodeCopy(superblock, 0);
  return createHash("sha256").update(bytes.subarray(0, SUPERBLOCK.offset.checksum)).digest();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** One place of a copy, for people and for verification. */
export interface CopyReport {
  readonly offset: number;
  readonly superblock: Superblock | undefined;
  /** Why there is no copy. */
  readonly why: string | undefined;
}

/** All four places, and what comes of them. Any bytes give an answer. */
export function inspectSuperblock(bytes: Uint8Array): {
  readonly copies: readonly CopyReport[];
  readonly choice: SuperblockChoice;
} {
  const { sizeBytes } = SUPERBLOCK;
  const places = Array.from({ length: SUPERBLOCK_COPIES }, (_, index) =>
    bytes.subarray(index * sizeBytes, (index + 1) * sizeBytes),
  );
  const copies = places.map((place, index): CopyReport => {
    const answer = decodeCopy(place, index);
    const superblock = answer.type === "copy" ? answer.superblock : undefined;
    const why = { copy: undefined, newer: "newer version", bad: "not a valid copy" }[answer.type];
    return { offset: index * sizeBytes, superblock, why };
  });
  return { copies, choice: chooseSuperblock(places) };
}
