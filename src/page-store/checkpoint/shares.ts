/**
 * SHARES OF A CHECKPOINT: what lies beside pages in the store's log takes part in the checkpoint
 * that lets that log go, in chunk files of its own and in the same commit of the manifest.
 *
 *   begin ──► write ──► the manifest is committed ──► install
 *               └── any failure up to there: refused, and the files go, unless the manifest may
 *                   name them
 *
 * (1) Who takes part fixes in `begin` what it will write: what is true at the LSN of the checkpoint.
 * (2) A file has its final name only when all of it is on the device.
 */
import type { File, Storage } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import type { ChunkId, Lsn, StreamId } from "../../base/units.ts";
import type { ChunkRow, ManifestChange } from "../../manifest/index.ts";
import { chunkDirectory, chunkFolder, chunkName, chunkPath } from "../chunks/chunk-files.ts";

export interface CheckpointParticipant {
  /** Undefined if there is nothing to write. */
  begin(lsn: Lsn): CheckpointShare | undefined;
}

export interface CheckpointShare {
  /** Everything is synced when it resolves. */
  write(work: ChunkWork): Promise<ShareChange>;
  /** The manifest has it. */
  install(): void;
  /** The checkpoint failed: nothing of it counts. */
  refused(): void;
}

export type ShareChange = Pick<
  ManifestChange,
  "putRecordLogs" | "removeRecordLogs" | "putChunks" | "removeChunks" | "nextStreamId"
>;

/** What a checkpoint lends to those who take part in it. */
export interface ChunkWork {
  readonly storeId: Uint8Array;
  readonly generation: number;
  create(): Promise<NewChunkFile>;
  /** Steps aside now and then; rejects with BOP_CLOSED when the store is closed. */
  pause(): Promise<void> | undefined;
}

/** A file that is written under a temporary name and has its own when it is finished. */
export interface NewChunkFile {
  readonly chunk: ChunkId;
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** Synced and named on return. */
  finish(): Promise<void>;
}

export interface SharePlace {
  readonly storage: Storage;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly generation: number;
  readonly nextChunkId: () => ChunkId;
  readonly durableFolders: Set<string>;
  readonly pause: () => Promise<void> | undefined;
}

export class Shares {
  readonly #shares: readonly CheckpointShare[];
  readonly #place: SharePlace;
  readonly #files: ShareFile[] = [];
  readonly #changes: ShareChange[] = [];

  constructor(participants: readonly CheckpointParticipant[], lsn: Lsn, place: SharePlace) {
    this.#shares = participants.flatMap((participant) => participant.begin(lsn) ?? []);
    this.#place = place;
  }

  get isEmpty(): boolean {
    return this.#shares.length === 0;
  }

  get writtenChunks(): ChunkId[] {
    return this.#files.map(({ chunk }) => chunk);
  }

  /** Chunks that the manifest names no more, once it is committed. */
  get removedChunks(): ChunkId[] {
    return this.#changes.flatMap(({ removeChunks = [] }) => [...removeChunks]);
  }

  /** Chunks that the manifest names, once it is committed. */
  get putChunks(): ChunkRow[] {
    return this.#changes.flatMap(({ putChunks = [] }) => [...putChunks]);
  }

  /**
   * Adds to a change of the manifest what the shares have to say. Streams that were given out since
   * they began may be in the manifest already: `nextStreamId` is what that says.
   */
  addTo(change: ManifestChange, nextStreamId: StreamId): ManifestChange {
    const begun = this.#changes.findLast((share) => share.nextStreamId)?.nextStreamId;
    return {
      ...change,
      putRecordLogs: this.#changes.flatMap(({ putRecordLogs = [] }) => [...putRecordLogs]),
      removeRecordLogs: this.#changes.flatMap(({ removeRecordLogs = [] }) => [...removeRecordLogs]),
      putChunks: [...(change.putChunks ?? []), ...this.putChunks],
      removeChunks: [...(change.removeChunks ?? []), ...this.removedChunks],
      ...(begun === undefined || begun <= nextStreamId ? {} : { nextStreamId: begun }),
    };
  }

  async write(): Promise<void> {
    const { storeId, generation, pause } = this.#place;
    for (const share of this.#shares) {
      const create = () => this.#create();
      this.#changes.push(await share.write({ storeId, generation, create, pause }));
    }
    const { storage, directory } = this.#place;
    const folders = new Set(this.#files.map(({ chunk }) => chunkFolder(directory, chunk)));
    for (const folder of folders) {
      await attempt("sync", folder, () => storage.syncDirectory(folder));
    }
  }

  install(): void {
    for (const share of this.#shares) share.install();
  }

  /** The manifest was not committed, or it may be: then the files stay. */
  refused(): void {
    for (const share of this.#shares) share.refused();
  }

  /** Nothing names the files. What cannot be removed now goes when the store is next opened. */
  async abandon(): Promise<void> {
    this.refused();
    for (const file of this.#files) await file.abandon();
  }

  async #create(): Promise<NewChunkFile> {
    const { storage, directory, nextChunkId } = this.#place;
    const chunk = nextChunkId();
    const path = `${directory}/tmp/${chunkName(chunk)}`;
    const handle = await attempt("create", path, () => storage.open(path, "create"));
    const file = new ShareFile({ chunk, path, handle }, this.#place);
    this.#files.push(file);
    return file;
  }
}

interface OpenFile {
  readonly chunk: ChunkId;
  /** Its temporary name. */
  readonly path: string;
  readonly handle: File;
}

class ShareFile implements NewChunkFile {
  readonly #file: OpenFile;
  readonly #place: SharePlace;
  #isOpen = true;

  constructor(file: OpenFile, place: SharePlace) {
    this.#file = file;
    this.#place = place;
  }

  get chunk(): ChunkId {
    return this.#file.chunk;
  }

  async write(bytes: Uint8Array, at: number): Promise<void> {
    const { path, handle } = this.#file;
    await attempt("write", path, () => handle.write(bytes, at));
  }

  async finish(): Promise<void> {
    const { chunk, path, handle } = this.#file;
    const { storage, directory, durableFolders } = this.#place;
    await attempt("sync", path, () => handle.sync());
    this.#isOpen = false;
    await attempt("close", path, () => handle.close());
    const folder = chunkFolder(directory, chunk);
    if (!durableFolders.has(folder)) {
      const parent = chunkDirectory(directory);
      await attempt("create", folder, () => storage.mkdir(folder));
      await attempt("sync", parent, () => storage.syncDirectory(parent));
      durableFolders.add(folder);
    }
    await attempt("rename", path, () => storage.rename(path, chunkPath(directory, chunk)));
  }

  async abandon(): Promise<void> {
    const { chunk, path, handle } = this.#file;
    const { storage, directory } = this.#place;
    if (this.#isOpen) await handle.close().catch(() => undefined);
    for (const name of [path, chunkPath(directory, chunk)]) {
      await storage.unlink(name).catch(() => undefined);
    }
  }
}

async function attempt<T>(operation: string, file: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw ioError(operation, file, cause);
  }
}
