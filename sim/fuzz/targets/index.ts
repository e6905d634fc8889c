/** EVERY DECODER THAT IS FUZZED. A new one is a line here. */
import type { FuzzTarget } from "../target.ts";
import { packedChunk, pageChunk, superblock } from "./files.ts";
import { delta, fileHeader, frames, segment, segmentIndex } from "./log.ts";
import { catalogueEntry, manifestRow, mirrorEntry, ownerRecord } from "./manifest.ts";
import { manifestMigration } from "./migration.ts";
import { bucketJson, indexObject, logObject, manifestObject, objectHeader } from "./objects.ts";
import { logBody, logOperations, recordChunk } from "./records.ts";
import { pageOne, pageWalk, sqliteFile } from "./sqlite-file.ts";
import { baton, hranaPipeline, splitter, sqlText } from "./text.ts";

export const TARGETS: readonly FuzzTarget[] = [
  fileHeader,
  segment,
  frames,
  delta,
  segmentIndex,
  pageChunk,
  packedChunk,
  recordChunk,
  logOperations,
  logBody,
  superblock,
  manifestRow,
  manifestMigration,
  mirrorEntry,
  ownerRecord,
  catalogueEntry,
  objectHeader,
  logObject,
  indexObject,
  manifestObject,
  bucketJson,
  hranaPipeline,
  baton,
  splitter,
  sqlText,
  sqliteFile,
  pageOne,
  pageWalk,
];
