/**
 * A COMMIT THAT RECOVERY READ, made again: staged and published as it was once, but for the log, where
 * it is already.
 *
 * (1) A delta is applied to the version that it was made against and to no other: what does not fit
 *     is corruption.
 */
import { StorageError } from "../../base/errors.ts";
import type { StreamId } from "../../base/units.ts";
import type { ReplayedCommit, ReplayedFrame } from "../../write/index.ts";
import type { Commons } from "../commons.ts";
import { type Chain, newVersion, type Overlay, type Version } from "./overlay.ts";
import type { StagingDatabase } from "./staging.ts";

export interface ReplayTarget extends StagingDatabase {
  readonly stream: StreamId;
  readonly family: StreamId;
  readonly overlay: Overlay;
}

/** Throws BOP_CORRUPT if it does not fit what is there. */
export function replayCommit(
  target: ReplayTarget,
  commit: ReplayedCommit,
  { staging, buffers, shelf, nameOf }: Commons,
): void {
  const database = nameOf(target.stream);
  staging.begin(target, { pageCount: commit.pageCount, pageBytes: commit.pageBytes }, undefined);
  try {
    for (const frame of commit.frames) {
      if (frame.kind === "spill") continue;
      if (frame.kind === "entry") throw unexpected(commit, "an entry of the catalogue", database);
      if (frame.kind === "records") throw unexpected(commit, "records of a log", database);
      const chain = target.overlay.chain(frame.pageNumber);
      if (frame.kind === "delta") {
        staging.add(frame.pageNumber, chain, replayDelta(commit, { frame, chain, database }));
        continue;
      }
      const image = buffers.take(frame.image.length);
      image.set(frame.image);
      staging.add(frame.pageNumber, chain, newVersion(image, { deltas: 0, sum: undefined }));
    }
    staging.spilled = shelf.claim(commit, target.family);
  } catch (error) {
    staging.discard();
    throw error;
  }
  staging.sealReplayed(commit.lsn);
}

interface ReplayedDelta {
  readonly frame: Extract<ReplayedFrame, { kind: "delta" }>;
  readonly chain: Chain | undefined;
  readonly database: string | undefined;
}

function replayDelta(commit: ReplayedCommit, { frame, chain, database }: ReplayedDelta): Version {
  const base = chain?.newest;
  if (base === undefined || base.lsn !== frame.baseLsn) {
    throw unexpected(commit, `the base of a delta of page ${frame.pageNumber}`, database);
  }
  return newVersion(frame.apply(base.image), { deltas: base.deltas + 1, sum: frame.sum });
}

function unexpected(
  commit: ReplayedCommit,
  why: string,
  database: string | undefined,
): StorageError {
  return new StorageError("BOP_CORRUPT", `the log at ${commit.lsn}: ${why} is not as expected`, {
    details: {
      file: "wal",
      offset: commit.lsn,
      why,
      ...(database === undefined ? {} : { database }),
    },
  });
}
