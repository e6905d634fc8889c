/**
 * THE CHUNKS OF A BUCKET AS FILES, for a page store that only reads: of each what was fetched is
 * there, and nothing else.
 *
 *     hold(spans) ─► requests ─► parts in memory ◄─ readSync      a part that is not there: NotHere
 *
 * (1) Nothing of it is checked here: whoever reads a page checks its record, as of any chunk.
 * (2) A read that may wait fetches what it lacks. One that may not throws NotHere, which says what to
 *     fetch before it is tried again.
 * (3) `letGo` forgets pages; the beginnings of files stay, since each file that is opened needs them.
 * (4) Files of commits that spilled are all that a directory lists: the page store looks for those.
 */

import { AssertionError } from "../base/assert.ts";
import type { File, Storage } from "../base/env.ts";
import type { ChunkId } from "../base/units.ts";
import { MIB } from "../base/units.ts";
import { FILE_HEADER } from "../chunk/index.ts";
import { chunkName, chunkOfName } from "../page-store/index.ts";
import { bucketKey, type ObjectStore } from "../sink/index.ts";
import { inParallel, unusable } from "./chunk-downloads.ts";
import { type ByteSpan, joined } from "./ranges.ts";

export interface RemoteChunk {
  readonly chunk: ChunkId;
  readonly epoch: number;
  readonly fileBytes: number;
  /** A commit of the log names it, and no row. */
  readonly spilled: boolean;
}

export interface ChunkBytes extends ByteSpan {
  readonly chunk: ChunkId;
}

/** See (2). */
export class NotHere extends Error {
  readonly wanted: ChunkBytes;

  constructor(wanted: ChunkBytes) {
    super(`bytes ${wanted.offset} and on of chunk ${wanted.chunk} were not fetched`);
    this.wanted = wanted;
  }
}

interface Part {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

interface Held extends RemoteChunk {
  head: Part | undefined;
  parts: Part[];
}

const PARALLEL = 8;
/** What a read that found nothing fetches at least: neighbours are likely to be wanted next. */
const AHEAD_BYTES = MIB;
const DIRECTORY = "/restore";

export class BucketChunks {
  readonly directory = DIRECTORY;
  readonly #objects: ObjectStore;
  readonly #signal: AbortSignal | undefined;
  readonly #chunks = new Map<ChunkId, Held>();

  constructor(objects: ObjectStore, chunks: readonly RemoteChunk[], signal?: AbortSignal) {
    this.#objects = objects;
    this.#signal = signal;
    for (const each of chunks)
      this.#chunks.set(each.chunk, { ...each, head: undefined, parts: [] });
  }

  /** What `hold` would fetch: of each chunk few and large parts, and its beginning. */
  plan(wanted: readonly ChunkBytes[]): ChunkBytes[] {
    const byChunk = new Map<ChunkId, ByteSpan[]>();
    for (const { chunk, offset, bytes } of wanted) {
      const spans = byChunk.get(chunk) ?? [];
      byChunk.set(chunk, spans);
      spans.push({ offset, bytes });
    }
    return [...byChunk].flatMap(([chunk, spans]) => {
      const { head, fileBytes } = this.#find(chunk);
      if (head === undefined) spans.push({ offset: 0, bytes: FILE_HEADER.sizeBytes });
      return joined(spans, fileBytes).map((span) => ({ chunk, ...span }));
    });
  }

  /** Fetches these. Throws BOP_SINK_CORRUPT for what is missing or cut short. */
  async hold(wanted: readonly ChunkBytes[]): Promise<void> {
    await inParallel(this.plan(wanted), PARALLEL, async (span) => {
      this.#keep(this.#find(span.chunk), await this.#fetch(span));
    });
  }

  /** As `hold`, of what a read lacked. */
  async holdMissing({ chunk, offset, bytes }: ChunkBytes): Promise<void> {
    await this.hold([{ chunk, offset, bytes: Math.max(bytes, AHEAD_BYTES) }]);
  }

  /** See (3). */
  letGo(): void {
    for (const held of this.#chunks.values()) held.parts = [];
  }

  /** All of it that a page store asks for. */
  storageOver(below: Storage): Storage {
    const refused = () => {
      throw new AssertionError("a bucket is only read here");
    };
    return {
      open: async (path) => this.#file(path),
      openSync: (path) => this.#file(path),
      list: async (path) => this.#list(path),
      stat: async (path) => this.#stat(path),
      mkdir: async () => undefined,
      syncDirectory: async () => undefined,
      createSync: refused,
      mkdirSync: refused,
      renameSync: refused,
      syncDirectorySync: refused,
      rename: refused,
      link: refused,
      unlink: refused,
      scratch: () => below.scratch(),
      freeBytes: refused,
      driver: refused,
      threads: below.threads,
    };
  }

  #find(chunk: ChunkId): Held {
    const held = this.#chunks.get(chunk);
    if (held === undefined) throw unusable(this.#objects, `chunk ${chunk}`, "no row tells of it");
    return held;
  }

  async #fetch({ chunk, offset, bytes }: ChunkBytes): Promise<Part> {
    const { epoch } = this.#find(chunk);
    const key = bucketKey({ kind: "chunk", id: chunk, epoch });
    const found = await this.#objects.get(key, {
      range: { offset, bytes },
      signal: this.#signal,
    });
    if (found === undefined) throw unusable(this.#objects, key, "the object is missing");
    if (found.bytes.length < bytes) throw unusable(this.#objects, key, "it is cut short");
    return { offset, bytes: found.bytes };
  }

  #keep(held: Held, part: Part): void {
    held.parts.push(part);
    if (part.offset > 0) return;
    held.head ??= { offset: 0, bytes: part.bytes.slice(0, FILE_HEADER.sizeBytes) };
  }

  #file(path: string): File {
    const held = this.#find(chunkAt(path));
    const refused = () => {
      throw new AssertionError("a bucket is only read here");
    };
    return {
      read: (into, at) => this.#read(held, into, at),
      readSync: (into, at) => this.#readSync(held, into, at),
      size: async () => held.fileBytes,
      close: async () => undefined,
      write: refused,
      writeSync: refused,
      sync: refused,
      syncSync: refused,
      truncate: refused,
      preallocate: refused,
    };
  }

  /** See (2). What it fetched is not kept: the pages of it are asked for one by one. */
  async #read(held: Held, into: Uint8Array, at: number): Promise<number> {
    const bytes = Math.min(into.length, held.fileBytes - at);
    const part = await this.#fetch({ chunk: held.chunk, offset: at, bytes });
    into.set(part.bytes);
    return bytes;
  }

  #readSync(held: Held, into: Uint8Array, at: number): number {
    const bytes = Math.max(0, Math.min(into.length, held.fileBytes - at));
    const { head, parts } = held;
    const here = [...parts, ...(head === undefined ? [] : [head])].find(
      (part) => part.offset <= at && at + bytes <= part.offset + part.bytes.length,
    );
    if (here === undefined) throw new NotHere({ chunk: held.chunk, offset: at, bytes });
    into.set(here.bytes.subarray(at - here.offset, at - here.offset + bytes));
    return bytes;
  }

  #list(path: string): readonly string[] {
    const spilled = [...this.#chunks.values()].filter((held) => held.spilled);
    const names = spilled.map(({ chunk }) => chunkName(chunk));
    if (path === `${DIRECTORY}/chunks`) return [...new Set(names.map(folderOf))].sort();
    const folder = path.slice(path.lastIndexOf("/") + 1);
    return names.filter((name) => folderOf(name) === folder).sort();
  }

  #stat(path: string): { readonly bytes: number; readonly kind: "file" } | undefined {
    const chunk = chunkOfName(path.slice(path.lastIndexOf("/") + 1));
    const held = chunk === undefined ? undefined : this.#chunks.get(chunk);
    return held && { bytes: held.fileBytes, kind: "file" };
  }
}

const folderOf = (name: string): string => name.slice(14, 16);

function chunkAt(path: string): ChunkId {
  const chunk = chunkOfName(path.slice(path.lastIndexOf("/") + 1));
  if (chunk === undefined) throw new AssertionError(`${path} is no chunk`);
  return chunk;
}
