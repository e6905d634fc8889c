/**
 * THE SUPERBLOCK AGAINST THE MANIFEST: each tells when the other is not what it should be.
 *
 * (1) The manifest is written first. So it is at or ahead of the superblock; one that is behind is
 *     an old copy, and its chunks and segments may be gone.
 * (2) Both carry the identity of the store. A manifest that was lost is made anew with another
 *     identity, and so is never taken for the one that was there.
 * (3) A store without a superblock has never been opened to its end: its manifest is empty.
 */
import type { Storage } from "../../base/env.ts";
import { StorageError } from "../../base/errors.ts";
import { type Lsn, type SegmentSequence, segmentSequence } from "../../base/units.ts";
import type { Manifest } from "../../manifest/index.ts";
import {
  type PublishedFacts,
  type SuperblockFacts,
  SuperblockFile,
  type SuperblockWrites,
} from "../../page-store/index.ts";

/** The mirror is a file of its own, and may be newer than the manifest that came back. */
const REMEDY =
  "; `bop rebuild --replace` makes the manifest again from its mirror, if that is newer";

export interface SuperblockPlaces {
  readonly storage: Storage;
  readonly directory: string;
  readonly manifest: Manifest;
}

export class Superblocks {
  readonly #file: SuperblockFile;
  readonly #storeId: Uint8Array;
  readonly #epoch: number;

  private constructor(file: SuperblockFile, storeId: Uint8Array, epoch: number) {
    this.#file = file;
    this.#storeId = storeId;
    this.#epoch = epoch;
  }

  /** Reads the superblock, or makes the first. Throws BOP_CORRUPT, BOP_FORMAT, BOP_IO. */
  static async open({ storage, directory, manifest }: SuperblockPlaces): Promise<Superblocks> {
    const { storeId } = manifest.opened;
    const found = await SuperblockFile.open({ storage, directory });
    if (found !== undefined) {
      compare(found, manifest, `${directory}/superblock`);
      return new Superblocks(found, storeId, found.superblock.epoch + 1);
    }
    if (!isNew(manifest)) throw damaged(`${directory}/superblock`, "the superblock is missing");
    const file = await SuperblockFile.create({ storage, directory }, firstFacts(manifest));
    return new Superblocks(file, storeId, 1);
  }

  /** Of the last checkpoint that it was told of. */
  get checkpointLsn(): Lsn {
    return this.#file.superblock.checkpointLsn;
  }

  /** An LSN that is known to be durable. */
  get durableLsn(): Lsn {
    return this.#file.superblock.durableLsn;
  }

  get writes(): SuperblockWrites {
    return this.#file.writes;
  }

  async write(
    published: PublishedFacts,
    how: { readonly isClean: boolean; readonly walStart: SegmentSequence },
  ): Promise<void> {
    const { generation, checkpointLsn, durableLsn } = published;
    await this.#file.write({
      storeId: this.#storeId,
      epoch: this.#epoch,
      manifestGeneration: generation,
      checkpointLsn,
      durableLsn,
      walStart: how.walStart,
      clean: how.isClean,
    });
  }
}

function compare({ superblock }: SuperblockFile, manifest: Manifest, file: string): void {
  const { opened, generation } = manifest;
  if (Buffer.compare(superblock.storeId, opened.storeId) !== 0) {
    const why = "superblock and manifest belong to different stores; one was replaced";
    throw damaged(file, why, REMEDY);
  }
  if (generation < superblock.manifestGeneration) {
    const seen = `${generation}, and the superblock has seen ${superblock.manifestGeneration}`;
    throw damaged(file, `the manifest is an old copy: its generation is ${seen}`, REMEDY);
  }
  if (opened.checkpointLsn < superblock.checkpointLsn) {
    const why = "the manifest is older than the checkpoint that the superblock names";
    throw damaged(file, why, REMEDY);
  }
}

function isNew({ opened }: Manifest): boolean {
  return opened.segments.length === 0 && opened.databases.length === 0;
}

function firstFacts({ opened, generation }: Manifest): SuperblockFacts {
  const { storeId, checkpointLsn, durableLsn } = opened;
  return {
    storeId,
    epoch: 1,
    manifestGeneration: generation,
    checkpointLsn,
    durableLsn,
    walStart: segmentSequence(0),
    clean: true,
  };
}

function damaged(file: string, why: string, remedy = ""): StorageError {
  return new StorageError("BOP_CORRUPT", `the store cannot be opened: ${why}${remedy}`, {
    details: { file, offset: 0, why },
  });
}
