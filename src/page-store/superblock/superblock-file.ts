/**
 * THE SUPERBLOCK'S FILE: four copies, read together and written one after the other.
 *
 *   write:  copies 0, 1 ─► sync ─► copies 2, 3 ─► sync
 *
 * (1) Whatever a write leaves behind when it is cut short, two equal copies of the old superblock or
 *     of the new one are on the device: superblock.ts (3).
 * (2) What can be read need not be there. A process that was killed leaves copies that a power cut
 *     still takes; one whose sync failed may leave such as no later sync makes durable. So the
 *     doubtful half is written once more, with what it shows, before the other is written over; by
 *     the next process, and by the one whose write failed. Damage may have taken a copy of the half
 *     that is there: for that, what another process has left is synced as well.
 * (3) What was on the device need not be there still: a sector decays at rest, and a process writes
 *     one superblock in hours. So the second half is read back before the first is written over, and
 *     what has gone from it is written anew.
 * (4) The file comes into being whole: it has its name only when all four copies are synced.
 */
import type { File, Storage } from "../../base/env.ts";
import { ioError, StorageError, systemCode } from "../../base/errors.ts";
import {
  chooseSuperblock,
  encodeCopy,
  FIRST_HALF,
  SECOND_HALF,
  SUPERBLOCK,
  SUPERBLOCK_COPIES,
  type Superblock,
  type SuperblockFacts,
  superblockAfter,
} from "./superblock.ts";

export interface SuperblockPlace {
  readonly storage: Storage;
  /** Of the store. */
  readonly directory: string;
}

export interface SuperblockWrites {
  readonly begun: number;
  readonly ended: number;
}

interface Found {
  readonly superblock: Superblock;
  readonly secondHalf: Superblock;
  readonly doubtful: readonly number[];
  readonly isSynced: boolean;
}

export class SuperblockFile {
  readonly #place: SuperblockPlace;
  #superblock: Superblock;
  /** What the second half carries, or is to before the first is written over. */
  #secondHalf: Superblock;
  /** Copies that are to carry that as well by then: see (2). */
  #doubtful: readonly number[];
  /** Nothing is left of another process that was not synced. */
  #isSynced: boolean;
  readonly #writes = { begun: 0, ended: 0 };

  private constructor(place: SuperblockPlace, found: Found) {
    this.#place = place;
    this.#superblock = found.superblock;
    this.#secondHalf = found.secondHalf;
    this.#doubtful = found.doubtful;
    this.#isSynced = found.isSynced;
  }

  /**
   * The superblock of a store; undefined if there is no such file. Throws BOP_CORRUPT if no two
   * copies agree, BOP_FORMAT if a newer version wrote it, BOP_IO also if they might, and the device
   * does not read them.
   */
  static async open(place: SuperblockPlace): Promise<SuperblockFile | undefined> {
    const path = pathOf(place);
    let file: File;
    try {
      file = await place.storage.open(path, "read");
    } catch (cause) {
      if (systemCode(cause) === "ENOENT") return undefined;
      throw ioError("open", path, cause);
    }
    const { copies: read, unread } = await readCopies(file);
    const choice = chooseSuperblock(read);
    if (choice.type === "newer") {
      const supported = "version 1";
      throw new StorageError(
        "BOP_FORMAT",
        `${path} is of ${choice.found}, newer than ${supported}`,
        {
          details: { file: path, found: choice.found, supported },
        },
      );
    }
    if (choice.type === "refused") {
      if (unread !== undefined) throw ioError("read", path, unread);
      throw new StorageError("BOP_CORRUPT", `the superblock ${path} is damaged: ${choice.why}`, {
        details: { file: path, offset: 0, why: choice.why },
      });
    }
    return new SuperblockFile(place, { ...choice, isSynced: false });
  }

  /** The first superblock of a new store. The directories tmp/ and the store's are there. */
  static async create(place: SuperblockPlace, facts: SuperblockFacts): Promise<SuperblockFile> {
    const { storage, directory } = place;
    const superblock = superblockAfter(undefined, facts);
    const unfinished = `${directory}/tmp/superblock`;
    const path = pathOf(place);
    try {
      // What a process left there that ended before the rename.
      if ((await storage.stat(unfinished)) !== undefined) await storage.unlink(unfinished);
      const file = await storage.open(unfinished, "create");
      try {
        for (let index = 0; index < SUPERBLOCK_COPIES; index += 1) {
          await writeCopy(file, superblock, index);
        }
        await file.sync();
      } finally {
        await file.close();
      }
      await storage.rename(unfinished, path);
      await storage.syncDirectory(directory);
    } catch (cause) {
      throw ioError("create", path, cause);
    }
    const found = { superblock, secondHalf: superblock, doubtful: [], isSynced: true };
    return new SuperblockFile(place, found);
  }

  /** The one that was found, or the newest since of which two copies are on the device. */
  get superblock(): Superblock {
    return this.#superblock;
  }

  /** Since it was opened, those that failed included. Copies differ while one is under way. */
  get writes(): SuperblockWrites {
    return { ...this.#writes };
  }

  /** Resolves when all four copies are on the device. Throws BOP_IO or BOP_DISK_FULL. */
  async write(facts: SuperblockFacts): Promise<void> {
    const next = superblockAfter(this.#superblock, facts);
    const path = pathOf(this.#place);
    this.#writes.begun += 1;
    try {
      const file = await this.#place.storage.open(path, "write");
      try {
        await this.#settle(file);
        await writeCopies(file, next, FIRST_HALF);
        // From here on the new one can be read back, and the old one need not be.
        this.#superblock = next;
        this.#secondHalf = next;
        this.#doubtful = SECOND_HALF;
        await writeCopies(file, next, SECOND_HALF);
        this.#doubtful = [];
      } finally {
        await file.close();
      }
    } catch (cause) {
      throw ioError("write", path, cause);
    } finally {
      this.#writes.ended += 1;
    }
  }

  /** The first half may be written over afterwards: see (2) and (3). */
  async #settle(file: File): Promise<void> {
    if (!this.#isSynced) await file.sync();
    this.#isSynced = true;
    await this.#writeDoubtful(file);
    this.#doubtful = await copiesWithout(file, this.#secondHalf, SECOND_HALF);
    await this.#writeDoubtful(file);
  }

  async #writeDoubtful(file: File): Promise<void> {
    if (this.#doubtful.length === 0) return;
    await writeCopies(file, this.#secondHalf, this.#doubtful);
    this.#doubtful = [];
  }
}

async function writeCopies(
  file: File,
  superblock: Superblock,
  copies: readonly number[],
): Promise<void> {
  for (const index of copies) await writeCopy(file, superblock, index);
  await file.sync();
}

async function writeCopy(file: File, superblock: Superblock, index: number): Promise<void> {
  await file.write(encodeCopy(superblock, index), index * SUPERBLOCK.sizeBytes);
}

/** Those of them that do not carry it; one that cannot be read is one of these. */
async function copiesWithout(
  file: File,
  superblock: Superblock,
  copies: readonly number[],
): Promise<readonly number[]> {
  const without: number[] = [];
  for (const index of copies) {
    const bytes = await readCopy(file, index).catch(() => undefined);
    const isThere =
      bytes !== undefined && Buffer.compare(bytes, encodeCopy(superblock, index)) === 0;
    if (!isThere) without.push(index);
  }
  return without;
}

interface ReadCopies {
  readonly copies: readonly (Uint8Array | undefined)[];
  /** Why one of them could not be read. */
  readonly unread: unknown;
}

/** A copy that cannot be read is one that is not there: the others may do. */
async function readCopies(file: File): Promise<ReadCopies> {
  const copies: (Uint8Array | undefined)[] = [];
  let unread: unknown;
  try {
    for (let index = 0; index < SUPERBLOCK_COPIES; index += 1) {
      const bytes = await readCopy(file, index).catch((error: unknown) => {
        unread = error;
        return undefined;
      });
      copies.push(bytes);
    }
  } finally {
    await file.close();
  }
  return { copies, unread };
}

/** Undefined where the file ends before. Throws what the device says. */
async function readCopy(file: File, index: number): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(SUPERBLOCK.sizeBytes);
  const count = await file.read(bytes, index * bytes.length);
  return count === bytes.length ? bytes : undefined;
}

function pathOf({ directory }: SuperblockPlace): string {
  return `${directory}/superblock`;
}
