/** DECODERS OF THE MANIFEST: values under their keys, the owner's record, entries of the catalogue. */

import { crc32 } from "node:zlib";
import { isStorageError } from "../../../src/base/errors.ts";
import { chunkId, lsn, segmentSequence, streamId } from "../../../src/base/units.ts";
import {
  decodeState as decodeChangeLog,
  encodeState as encodeChangeLog,
} from "../../../src/manifest/change-log/change-log.ts";
import {
  auditManifest,
  auditMirror,
  type CatalogueEntry,
  decodeCatalogueEntry,
  encodeCatalogueEntry,
  type KeyValuePair,
} from "../../../src/manifest/index.ts";
import {
  decodeMirrorEntry,
  decodeMirrorHeader,
  encodeMirrorEntry,
  encodeMirrorHeader,
  MIRROR_ENTRY,
  MIRROR_HEADER,
  type MirrorEntry,
} from "../../../src/manifest/mirror/mirror-format.ts";
import { decodeOwner, encodeOwner } from "../../../src/manifest/owner.ts";
import { OWNER_KEY } from "../../../src/manifest/rows/keys.ts";
import { SCHEMA_VERSION, TABLES } from "../../../src/manifest/schema.ts";
import { chunks } from "../../../src/manifest/tables/chunks.ts";
import { cursors } from "../../../src/manifest/tables/cursors.ts";
import { databases } from "../../../src/manifest/tables/databases.ts";
import { deadLetters } from "../../../src/manifest/tables/dead-letters.ts";
import { epochs } from "../../../src/manifest/tables/epochs.ts";
import { forks } from "../../../src/manifest/tables/forks.ts";
import { history } from "../../../src/manifest/tables/history.ts";
import { jobs } from "../../../src/manifest/tables/jobs.ts";
import { lostWindows } from "../../../src/manifest/tables/lost-windows.ts";
import { mapVersions } from "../../../src/manifest/tables/map-versions.ts";
import { pageMap } from "../../../src/manifest/tables/page-map.ts";
import { recordLogs } from "../../../src/manifest/tables/record-logs.ts";
import { remoteChains } from "../../../src/manifest/tables/remote-chains.ts";
import { remoteChunks } from "../../../src/manifest/tables/remote-chunks.ts";
import { remoteGarbage } from "../../../src/manifest/tables/remote-garbage.ts";
import { scrubs } from "../../../src/manifest/tables/scrubs.ts";
import { segments } from "../../../src/manifest/tables/segments.ts";
import { shipping } from "../../../src/manifest/tables/shipping.ts";
import { snapshots } from "../../../src/manifest/tables/snapshots.ts";
import {
  decodeState,
  decodeStore,
  encodeState,
  encodeStore,
} from "../../../src/manifest/tables/state.ts";
import { type FuzzTarget, holds, putCrc, refusable, same } from "../target.ts";

const PLACE = { file: "fuzz" };
const FIELD = Uint8Array.of(1, 2, 3);

/** One row: the length of its key, the key, the value. */
function joined({ key, value }: KeyValuePair): Uint8Array {
  return new Uint8Array(Buffer.concat([Uint8Array.of(key.length), key, value]));
}

function apart(bytes: Uint8Array): KeyValuePair {
  const end = 1 + (bytes[0] ?? 0);
  return { key: bytes.slice(1, end), value: bytes.slice(end) };
}

export const manifestRow: FuzzTarget = {
  name: "manifest-row",
  bytesMax: 1024,
  seeds: () => rows().map(joined),
  mend(bytes) {
    const end = 1 + (bytes[0] ?? 0);
    const crcAt = bytes.length - 4;
    if (end > crcAt) return;
    putCrc(bytes, crcAt, crc32(bytes.subarray(end, crcAt), crc32(bytes.subarray(1, end))));
  },
  check(bytes) {
    const row = apart(bytes);
    const store = { range: () => [row] } as never;
    const audit = auditManifest(store, { ...PLACE, onMapRow: (it) => roundTrip(it.locations) });
    holds(audit.rows === 1, "every row is looked at");
    const found = { ...row, ...PLACE };
    for (const table of TABLES) {
      again(
        () => table.decode(found),
        (it) => table.encode(it, 1),
        table.decode,
      );
    }
    again(() => decodeState(found), encodeState, decodeState);
    again(
      () => decodeChangeLog(found),
      (it) => encodeChangeLog(it, 1),
      decodeChangeLog,
    );
    again(
      () => decodeStore(found),
      (it) => encodeStore(it, 1),
      decodeStore,
    );
  },
};

/** Under a key of its own. A damaged one is undefined: see owner.ts (5). */
export const ownerRecord: FuzzTarget = {
  name: "owner-record",
  bytesMax: 512,
  seeds: () => [encodeOwner(OWNER), encodeOwner({ ...OWNER, clean: true, bootId: "" })],
  mend(bytes) {
    const crcAt = bytes.length - 4;
    if (crcAt > 0) putCrc(bytes, crcAt, crc32(bytes.subarray(0, crcAt), crc32(OWNER_KEY)));
  },
  check(bytes) {
    const owner = refusable(() => decodeOwner(bytes, PLACE.file))?.value;
    if (owner === undefined) return;
    same(decodeOwner(encodeOwner(owner), PLACE.file), owner, "an owner survives encoding");
  },
};

const OWNER = {
  pid: 4711,
  bootId: "5f3a",
  startedAt: "99",
  nonce: "00ff",
  openedAtMs: 1_700_000_000_000,
  clean: false,
  openCount: 3,
  crashCount: 1,
};

/** What was decoded is encoded and decoded to the same. */
function again<T>(
  decode: () => T,
  encode: (value: T) => KeyValuePair,
  decodeAgain: (found: KeyValuePair & typeof PLACE) => T,
): void {
  const first = refusable(decode);
  if (first === undefined) return;
  same(decodeAgain({ ...encode(first.value), ...PLACE }), first.value, "a row survives encoding");
}

const MAP_ROW = { stream: streamId(3), rowIndex: 0, fromLsn: lsn(8192) };

function roundTrip(locations: Float64Array): void {
  const encoded = pageMap.encode({ ...MAP_ROW, locations }, 1);
  const { locations: again } = pageMap.decode({ ...encoded, ...PLACE });
  same(again, locations, "a map row survives encoding");
}

function rows(): KeyValuePair[] {
  const locations = new Float64Array(512);
  locations.set([2 ** 24 + 16, 2 ** 24 + 80], 3);
  const name = { name: "tenant-42", createdAtMs: 99, lsn: lsn(8192), stream: streamId(3) };
  const job = { id: 1, kind: "integrity-check", stream: streamId(3), state: "leased" } as const;
  const times = { createdAtMs: 1, changedAtMs: 2, dueAtMs: 3 };
  const lease = { holder: "00ff", untilMs: 9 };
  const tried = { attempts: 1, maxAttempts: 5, progress: { done: 1, total: 2 }, message: "" };
  const counted = { oldest: 1, next: 3, bytes: 90, atMs: 9, advancedLsn: lsn(8192) };
  const removed = { removedRecords: 4, removedBytes: 200, evictions: 1 };
  const size = { engine: "libsql", pageBytes: 4096, pageCount: 7 } as const;
  const own = { createdLsn: lsn(0), family: streamId(3), flat: true };
  const fork = { createdLsn: lsn(90), family: streamId(1), flat: false };
  const origin = { stream: streamId(2), lsn: lsn(80) };
  const station = {
    stream: streamId(3),
    lsn: lsn(8192),
    pageCount: 7,
    pageBytes: 4096,
    commitLsn: lsn(8000),
    createdAtMs: 9,
  };
  return [
    databases.encode({ ...name, ...size, ...own, state: "live" }, 5),
    databases.encode({ ...name, ...size, ...own, state: "dropped", droppedLsn: lsn(9000) }, 5),
    databases.encode({ ...name, ...size, ...fork, origin, state: "importing" }, 5),
    recordLogs.encode({ ...name, state: "live", body: Uint8Array.of(1, 2, 3) }, 5),
    chunks.encode(
      {
        chunk: chunkId(1),
        kind: "pages",
        fileBytes: 9000,
        pageCount: 2,
        livePages: 1,
        references: 3,
      },
      5,
    ),
    encodeStore({ schemaVersion: SCHEMA_VERSION, storeId: new Uint8Array(16) }, 1),
    pageMap.encode({ ...MAP_ROW, locations }, 5),
    mapVersions.encode({ ...station, changedRows: [0, 2, 3] }, 5),
    snapshots.encode({ stream: streamId(3), name: "before", lsn: lsn(8192), createdAtMs: 9 }, 5),
    forks.encode({ origin: streamId(1), fork: streamId(3) }, 5),
    segments.encode(segmentSequence(1), 5),
    history.encode(
      {
        sequence: segmentSequence(1),
        firstLsn: lsn(4096),
        endLsn: lsn(8192),
        createdAtMs: 9,
        fileBytes: 8192,
        isCopy: true,
      },
      5,
    ),
    jobs.encode({ ...job, ...times, ...tried, lease }, 5),
    jobs.encode({ ...job, ...times, ...tried, state: "failed", lease: undefined }, 5),
    cursors.encode({ name: "mirror", state: "active", acknowledged: 2, atMs: 9 }, 5),
    encodeChangeLog({ ...counted, ...removed }, 5),
    ...rowsOfBucket(),
    ...rowsOfCare(),
  ];
}

function rowsOfCare(): KeyValuePair[] {
  const body = Uint8Array.of(1, 2);
  const letter = { kind: "log", atMs: 9, attempts: 2, subject: "wal/1", reason: "no" } as const;
  const window = { epoch: 3, epochBefore: 2, fromLsn: lsn(4096), toLsn: lsn(8192) };
  const scrub = { part: "database", lastGoodMs: 8, lastTriedMs: 9, bytes: 70 } as const;
  return [
    deadLetters.encode({ sequence: 4, ...letter, bytes: 70, body }, 5),
    lostWindows.encode({ ...window, discardedAtMs: 9, letter: 4, reason: "no" }, 5),
    scrubs.encode({ ...scrub, stream: streamId(3), problem: "", body }, 5),
  ];
}

function rowsOfBucket(): KeyValuePair[] {
  const lsns = { checkpointLsn: lsn(4096), maxLsn: lsn(8192), walLsn: lsn(8192) };
  const first = { generation: 5, wallMs: 9, walEpoch: 1, walNumber: 2, ...lsns };
  const numbers = { epoch: 1, number: 0, wholeNumber: 1, lastNumber: 4, bytes: 900 };
  const born = { bornGeneration: 5, goneGeneration: 7 };
  return [
    shipping.encode(
      {
        bucket: "store",
        epoch: 1,
        walNumber: 3,
        shippedLsn: lsn(8192),
        manifestNumber: 5,
        shippedGeneration: 7,
        fencedBelow: 1,
        atMs: 9,
        restored: false,
        location: "file:///bucket",
      },
      5,
    ),
    epochs.encode({ epoch: 1, startLsn: lsn(0), claimedAtMs: 9 }, 5),
    remoteChunks.encode(
      { chunk: chunkId(1), epoch: 1, fileBytes: 9000, bornGeneration: 5, namedLsn: lsn(0) },
      5,
    ),
    remoteGarbage.encode({ key: "wal/1", state: "announced", count: 2, bytes: 90, ...born }, 5),
    remoteChains.encode({ ...numbers, first, last: first }, 5),
  ];
}

const MIRROR_AT = { nonce: new Uint8Array(16).fill(7), offset: 28 };

/** The header of a mirror and its first entry. */
export const mirrorEntry: FuzzTarget = {
  name: "manifest-mirror",
  bytesMax: 512,
  seeds: () => {
    const operations = [{ key: Uint8Array.of(2, 1), value: FIELD }, { key: FIELD }];
    const entries: readonly MirrorEntry[] = [
      { kind: "rows", operations },
      { kind: "whole" },
      { kind: "closed", stateCrc: 5, baseBytes: 700 },
      { kind: "padding", bytes: 20 },
    ];
    const header = encodeMirrorHeader(MIRROR_AT.nonce);
    return entries.map((entry) => {
      return new Uint8Array(Buffer.concat([header, encodeMirrorEntry(entry, MIRROR_AT)]));
    });
  },
  mend(bytes) {
    const { sizeBytes, offset } = MIRROR_HEADER;
    putCrc(bytes, offset.crc, crc32(bytes.subarray(0, offset.crc)));
    if (bytes.length < sizeBytes + MIRROR_ENTRY.sizeBytes) return;
    // An entry whose length is right, with the checksum that its encoder would give it.
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const payloadBytes = bytes.length - sizeBytes - MIRROR_ENTRY.sizeBytes;
    view.setUint32(sizeBytes + MIRROR_ENTRY.offset.length, payloadBytes, true);
    const place = new Uint8Array(8);
    place[0] = MIRROR_AT.offset;
    const entry = bytes.subarray(sizeBytes);
    const before = crc32(
      entry.subarray(0, MIRROR_ENTRY.offset.crc),
      crc32(place, crc32(MIRROR_AT.nonce)),
    );
    const payload = entry.subarray(MIRROR_ENTRY.sizeBytes);
    putCrc(entry, MIRROR_ENTRY.offset.crc, crc32(payload, before));
  },
  check(bytes) {
    const { sizeBytes } = MIRROR_HEADER;
    const audit = auditMirror(bytes);
    holds(audit.problem === undefined || audit.problem.offset < bytes.length + 1, "a place in it");
    const nonce = decodeMirrorHeader(bytes);
    if (nonce instanceof Uint8Array) {
      same(encodeMirrorHeader(nonce).length, sizeBytes, "a header has one length");
    }
    const entry = decodeMirrorEntry(bytes.subarray(sizeBytes), MIRROR_AT);
    if (entry === undefined) return;
    const again = decodeMirrorEntry(encodeMirrorEntry(entry, MIRROR_AT), MIRROR_AT);
    same(again, entry, "an entry of the mirror survives encoding");
  },
};

const ENTRIES: readonly CatalogueEntry[] = [
  {
    type: "create",
    stream: streamId(1),
    name: "tenant-42",
    engine: "libsql",
    pageBytes: 4096,
    createdAtMs: 1_700_000_000_000,
    importing: true,
  },
  { type: "drop", stream: streamId(2) },
  { type: "rename", stream: streamId(2 ** 32 - 1), name: "ünïcode" },
  { type: "publish", stream: streamId(4) },
  { type: "createLog", stream: streamId(5), name: "raft", createdAtMs: 1 },
  {
    type: "fork",
    stream: streamId(6),
    name: "try",
    origin: { stream: streamId(1), lsn: lsn(2 ** 40) },
    family: streamId(1),
    engine: "sqlite",
    pageBytes: 512,
    createdAtMs: 2,
    importing: false,
  },
  { type: "snapshot", stream: streamId(0), name: "noon", lsn: lsn(8192), createdAtMs: 3 },
  { type: "dropSnapshot", stream: streamId(1), name: "noon" },
];

export const catalogueEntry: FuzzTarget = {
  name: "catalogue-entry",
  bytesMax: 256,
  seeds: () => ENTRIES.map((entry) => encodeCatalogueEntry(entry).slice()),
  check(bytes) {
    try {
      const entry = decodeCatalogueEntry(bytes);
      same(encodeCatalogueEntry(entry), bytes, "an entry that is read is written back the same");
    } catch (error) {
      const isRefused = isStorageError(error, "BOP_CORRUPT") || isStorageError(error, "BOP_FORMAT");
      if (!isRefused) throw error;
    }
  },
};
