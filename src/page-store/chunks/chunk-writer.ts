/**
 * CHUNK FILES AS THEY ARE WRITTEN: pages in, durable files out.
 *
 *   tmp/<id>.chunk  ── written, synced ──► rename ──► chunks/<xx>/<id>.chunk ── directories synced
 *
 * (1) A file has its final name only when all of it is on the device.
 * (2) When `finish` resolves, files and directory entries survive a power cut. Until the manifest
 *     names them they are leftovers, which `abandon` or the next open removes.
 */
import { assert, present } from "../../base/assert.ts";
import type { File, Storage } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import { type ChunkId, MIB } from "../../base/units.ts";
import { ChunkEncoder, type ImageCodec, type PageToStore } from "../../chunk/index.ts";
import { locationOf } from "../maps/location.ts";
import { chunkDirectory, chunkFolder, chunkName, chunkPath } from "./chunk-files.ts";

export interface ChunkWriterOptions {
  readonly storage: Storage;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly generation: number;
  readonly chunkBytesMax: number;
  readonly codec: ImageCodec;
  /** Gives ids that were never given before. */
  readonly nextChunkId: () => ChunkId;
  /** Folders of chunks whose own entry is known to be durable; the writer adds to it. */
  readonly durableFolders: Set<string>;
}

export interface WrittenChunk {
  readonly chunk: ChunkId;
  readonly fileBytes: number;
  readonly pageCount: number;
}

interface Current {
  readonly encoder: ChunkEncoder;
  readonly file: File;
  readonly path: string;
}

const BUFFER_BYTES = MIB;

export class ChunkWriter {
  readonly written: WrittenChunk[] = [];
  readonly #options: ChunkWriterOptions;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #paths: string[] = [];
  #current: Current | undefined;
  /** Of the pages that were added, before they were packed. */
  imageBytes = 0;

  constructor(options: ChunkWriterOptions) {
    this.#options = options;
  }

  /** Undefined if a page of that size can be added at once; else to be awaited before. */
  room(imageBytes: number): Promise<void> | undefined {
    if (this.#current?.encoder.fits(imageBytes) === "yes") return undefined;
    return this.#makeRoom(imageBytes);
  }

  /** Returns the page's location. `room` was asked for. */
  add(page: PageToStore): number {
    const { encoder } = present(this.#current, "room was made for the page");
    this.imageBytes += page.image.length;
    return locationOf(encoder.chunk, encoder.add(page));
  }

  async finish(): Promise<void> {
    const { storage, directory } = this.#options;
    await this.#close();
    const folders = new Set(this.written.map(({ chunk }) => chunkFolder(directory, chunk)));
    for (const folder of folders) {
      await attempt("sync", folder, () => storage.syncDirectory(folder));
    }
  }

  /** Removes what was written, as far as that goes. */
  async abandon(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    if (current !== undefined) await current.file.close().catch(() => undefined);
    // What cannot be removed now is removed when the store is next opened.
    for (const path of this.#paths) {
      await this.#options.storage.unlink(path).catch(() => undefined);
    }
  }

  async #makeRoom(imageBytes: number): Promise<void> {
    if (this.#current?.encoder.fits(imageBytes) === "full") await this.#close();
    if (this.#current === undefined) await this.#open();
    const current = present(this.#current, "a chunk was just opened");
    if (current.encoder.fits(imageBytes) === "drain") await this.#drain(current);
    assert(current.encoder.fits(imageBytes) === "yes", "a page larger than buffer or chunk");
  }

  async #open(): Promise<void> {
    const { storage, directory, storeId, generation, codec, chunkBytesMax } = this.#options;
    const chunk = this.#options.nextChunkId();
    const path = `${directory}/tmp/${chunkName(chunk)}`;
    this.#paths.push(path, chunkPath(directory, chunk));
    const file = await attempt("create", path, () => storage.open(path, "create"));
    const start = { chunk, generation, storeId, codec };
    const encoder = new ChunkEncoder(start, this.#buffer, chunkBytesMax);
    this.#current = { encoder, file, path };
  }

  async #drain({ encoder, file, path }: Current): Promise<void> {
    const { bytes, at } = encoder.pending();
    await attempt("write", path, () => file.write(bytes, at));
    encoder.drained();
  }

  async #close(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    const { encoder, file, path } = current;
    const { storage, directory } = this.#options;
    await this.#drain(current);
    const { header, end, endAt } = encoder.finish();
    await attempt("write", path, () => file.write(end, endAt));
    await attempt("write", path, () => file.write(header, 0));
    await attempt("sync", path, () => file.sync());
    this.#current = undefined;
    await attempt("close", path, () => file.close());
    await this.#makeFolder(chunkFolder(directory, encoder.chunk));
    const target = chunkPath(directory, encoder.chunk);
    await attempt("rename", path, () => storage.rename(path, target));
    const { chunk, pageCount } = encoder;
    this.written.push({ chunk, fileBytes: endAt + end.length, pageCount });
  }

  async #makeFolder(folder: string): Promise<void> {
    const { storage, directory, durableFolders } = this.#options;
    if (durableFolders.has(folder)) return;
    const parent = chunkDirectory(directory);
    await attempt("create", folder, () => storage.mkdir(folder));
    await attempt("sync", parent, () => storage.syncDirectory(parent));
    durableFolders.add(folder);
  }
}

async function attempt<T>(operation: string, file: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw ioError(operation, file, cause);
  }
}
