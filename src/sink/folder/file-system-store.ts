/**
 * AN OBJECT STORE IN A FOLDER: on a disk, a mounted share, a stick.
 *
 *     <root>/<key>            one file for an object (object-file.ts)
 *     <root>/.unfinished/     bodies on their way, under names of their own
 *
 *     put            write .unfinished/x · sync x · rename x → key · sync the directory
 *     putIfAbsent    write .unfinished/x · sync x · link x → key  · sync the directory · unlink x
 *
 * (1) A name appears only when all that is behind it is durable: a crash leaves the object or none.
 * (2) `link` refuses a name that is taken, atomically: of all processes that may write to the
 *     folder exactly one creates an object. A file system without links is no place for it, and the
 *     probe finds that out.
 * (3) Keys cannot leave the root (object-key.ts), and none begins with a dot: `.unfinished` is ours.
 * (4) What a crash left unfinished is removed at the next opening. Another process that is writing
 *     just then loses its work, is told that nothing was stored, and tries again.
 * (5) An object is read through one open file, so that whoever replaces it meanwhile does not mix
 *     two bodies.
 * (6) An unclear outcome is one of the directory's sync: the name is there, and may be lost. A
 *     second sync would prove nothing, so a repeated put writes the name anew.
 */
import type { Env, File } from "../../base/env.ts";
import { StorageError, systemCode } from "../../base/errors.ts";
import { MIB } from "../../base/units.ts";
import { sha256Of } from "../digest.ts";
import { assertKey, assertPut, assertRange, listed, slice } from "../object-key.ts";
import type {
  CallOptions,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutOutcome,
  StoredObject,
} from "../object-store.ts";
import { corruptObject, type SinkCall, type SinkOperation } from "../sink-error.ts";
import { DurableDirectories } from "./durable-directories.ts";
import { folderError } from "./folder-error.ts";
import { decodeTrailer, encodeTrailer, OBJECT_TRAILER } from "./object-file.ts";
import { keysFrom } from "./walk.ts";

const UNFINISHED = ".unfinished";
/** A signal is looked at between pieces. */
const PIECE_BYTES = 4 * MIB;
const NONCE_BYTES = 16;

export interface FolderOptions {
  readonly env: Pick<Env, "storage" | "random" | "clock">;
  /** Absolute. Made if it is not there; what is above it is not ours to sync. */
  readonly directory: string;
}

interface Opened {
  readonly file: File;
  readonly info: ObjectInfo;
}

export class FileSystemStore implements ObjectStore {
  readonly location: string;
  readonly #env: FolderOptions["env"];
  readonly #root: string;
  readonly #directories: DurableDirectories;
  /** Directories whose newest names may be lost: see (6). */
  readonly #unsettled = new Set<string>();
  #closed = false;

  private constructor({ env, directory }: FolderOptions) {
    this.#env = env;
    this.#root = directory;
    this.location = `file://${directory}`;
    this.#directories = new DurableDirectories(env.storage, directory);
  }

  static async open(options: FolderOptions): Promise<FileSystemStore> {
    const store = new FileSystemStore(options);
    await store.#during({ operation: "list", key: UNFINISHED }, async () => {
      await store.#directories.ready(UNFINISHED);
      const left = `${options.directory}/${UNFINISHED}`;
      for (const name of await options.env.storage.list(left))
        await store.#remove(`${left}/${name}`);
    });
    return store;
  }

  async put(key: string, body: Uint8Array, options: PutOptions): Promise<void> {
    assertPut(key, options);
    return this.#during({ operation: "put", key, signal: options.signal }, async () => {
      const unfinished = await this.#write(key, body, options);
      await this.#env.storage.rename(unfinished, this.#path(key));
      await this.#settle("put", key);
    });
  }

  async putIfAbsent(key: string, body: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    assertPut(key, options);
    return this.#during({ operation: "putIfAbsent", key, signal: options.signal }, async () => {
      // Looked at first, so that a repeated put of what is there costs no writing.
      const there = await this.#infoOf(key);
      const anew = there?.putId === options.putId && this.#unsettled.has(folderOf(key));
      if (there !== undefined && !anew) return this.#outcome(there, options.putId);
      const unfinished = await this.#write(key, body, options);
      if (anew) {
        await this.#env.storage.rename(unfinished, this.#path(key));
        await this.#settle("putIfAbsent", key);
        return { type: "created" };
      }
      const taken = await this.#link(unfinished, this.#path(key));
      await this.#remove(unfinished);
      if (taken) return this.#outcome(await this.#infoOf(key), options.putId, key);
      await this.#settle("putIfAbsent", key);
      return { type: "created" };
    });
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<StoredObject | undefined> {
    assertKey(key);
    if (range !== undefined) assertRange(range);
    return this.#during({ operation: "get", key, signal }, async () => {
      const opened = await this.#open(key);
      if (opened === undefined) return undefined;
      const { file, info } = opened;
      try {
        const { from, to } = range === undefined ? wholeOf(info) : slice(range, info.sizeBytes);
        const bytes = await this.#read(opened, { from, to, signal });
        if (range === undefined && (await sha256Of(bytes, this.#env.clock)) !== info.sha256) {
          throw corruptObject({ store: this.location, key }, "its SHA-256 does not match");
        }
        return { info, bytes };
      } finally {
        await file.close();
      }
    });
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<ObjectInfo | undefined> {
    assertKey(key);
    return this.#during({ operation: "head", key, signal }, () => this.#infoOf(key));
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const wanted = listed(prefix, options);
    return this.#during({ operation: "list", key: prefix, signal: options.signal }, async () => {
      const objects: ListPage["objects"][number][] = [];
      for await (const { key, bytes } of keysFrom(this.#env.storage, this.#root, wanted)) {
        options.signal?.throwIfAborted();
        if (objects.length === wanted.limit) return { objects, next: objects.at(-1)?.key };
        const sizeBytes = Math.max(0, bytes - OBJECT_TRAILER.sizeBytes);
        objects.push({ key, sizeBytes, modifiedAtMs: undefined });
      }
      return { objects, next: undefined };
    });
  }

  async delete(key: string, { signal }: CallOptions = {}): Promise<void> {
    assertKey(key);
    return this.#during({ operation: "delete", key, signal }, async () => {
      const path = this.#path(key);
      if ((await this.#env.storage.stat(path)) === undefined) return;
      await this.#remove(path);
      await this.#settle("delete", key);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #path(key: string): string {
    return `${this.#root}/${key}`;
  }

  /** A durable file that no key names yet. */
  async #write(key: string, body: Uint8Array, options: PutOptions): Promise<string> {
    const { storage, random, clock } = this.#env;
    const sha256 = await sha256Of(body, clock);
    if (options.sha256 !== undefined && options.sha256 !== sha256) {
      throw corruptObject({ store: this.location, key }, "the body is not what it was said to be");
    }
    await this.#directories.ready(folderOf(key));
    const nonce = Buffer.from(random.bytes(NONCE_BYTES)).toString("hex");
    const path = `${this.#root}/${UNFINISHED}/${nonce}`;
    const trailer = encodeTrailer({ putId: options.putId, sha256, sizeBytes: body.length });
    const file = await storage.open(path, "create");
    try {
      for (let at = 0; at < body.length; at += PIECE_BYTES) {
        options.signal?.throwIfAborted();
        await file.write(body.subarray(at, at + PIECE_BYTES), at);
      }
      await file.write(trailer, body.length);
      await file.sync();
      await file.close();
      options.signal?.throwIfAborted();
    } catch (error) {
      await file.close().catch(() => undefined);
      await this.#remove(path).catch(() => undefined); // The first error is the one to tell.
      throw error;
    }
    return path;
  }

  /** True if the name is taken. */
  async #link(from: string, to: string): Promise<boolean> {
    try {
      await this.#env.storage.link(from, to);
      return false;
    } catch (error) {
      if (systemCode(error) === "EEXIST") return true;
      await this.#remove(from).catch(() => undefined);
      throw error;
    }
  }

  async #remove(path: string): Promise<void> {
    try {
      await this.#env.storage.unlink(path);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }

  /** The names in the key's directory survive from here on. */
  async #settle(operation: SinkOperation, key: string): Promise<void> {
    const folder = folderOf(key);
    try {
      await this.#env.storage.syncDirectory(folder === "" ? this.#root : this.#path(folder));
      this.#unsettled.delete(folder);
    } catch (cause) {
      this.#unsettled.add(folder);
      const message = `the directory of ${key} in ${this.location} could not be synced`;
      const details = { store: this.location, operation, key, retryAfterMs: undefined };
      throw new StorageError("BOP_SINK_UNKNOWN", message, { details, cause });
    }
  }

  /** That what is there is durable must hold before anybody is told of it. */
  async #outcome(info: ObjectInfo | undefined, putId: string, key = ""): Promise<PutOutcome> {
    if (info === undefined) {
      const details = {
        store: this.location,
        operation: "putIfAbsent",
        key,
        retryAfterMs: undefined,
      };
      const message = `${key} in ${this.location} was deleted while it was put`;
      throw new StorageError("BOP_SINK_UNAVAILABLE", message, { details });
    }
    await this.#settle("putIfAbsent", info.key);
    return info.putId === putId ? { type: "created" } : { type: "exists", info };
  }

  async #infoOf(key: string): Promise<ObjectInfo | undefined> {
    const opened = await this.#open(key);
    await opened?.file.close();
    return opened?.info;
  }

  async #open(key: string): Promise<Opened | undefined> {
    const file = await this.#openFile(key);
    if (file === undefined) return undefined;
    try {
      const fileBytes = await file.size();
      const tail = new Uint8Array(Math.min(fileBytes, OBJECT_TRAILER.sizeBytes));
      await file.read(tail, fileBytes - tail.length);
      const decoded = decodeTrailer(tail, fileBytes);
      if (decoded.type === "bad") throw corruptObject({ store: this.location, key }, decoded.why);
      return { file, info: { key, ...decoded.trailer } };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #openFile(key: string): Promise<File | undefined> {
    try {
      return await this.#env.storage.open(this.#path(key), "read");
    } catch (error) {
      if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return undefined;
      throw error;
    }
  }

  async #read(
    { file, info }: Opened,
    { from, to, signal }: { from: number; to: number; signal: AbortSignal | undefined },
  ): Promise<Uint8Array> {
    const bytes = new Uint8Array(to - from);
    for (let at = 0; at < bytes.length; ) {
      signal?.throwIfAborted();
      const count = await file.read(bytes.subarray(at, at + PIECE_BYTES), from + at);
      if (count === 0) throw corruptObject({ store: this.location, key: info.key }, "it was cut");
      at += count;
    }
    return bytes;
  }

  async #during<T>(
    { signal, ...call }: Omit<SinkCall, "store"> & CallOptions,
    act: () => Promise<T>,
  ): Promise<T> {
    if (this.#closed) {
      const details = { what: "sink" };
      throw new StorageError("BOP_CLOSED", `${this.location} was closed`, { details });
    }
    signal?.throwIfAborted();
    try {
      return await act();
    } catch (cause) {
      // Somebody tidied the folder: what is missing is made anew.
      if (systemCode(cause) === "ENOENT") this.#directories.forget();
      throw folderError({ store: this.location, ...call }, cause);
    }
  }
}

/** Of a key: what comes before its last name; empty for the root. */
function folderOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf("/")));
}

function wholeOf({ sizeBytes }: ObjectInfo): { from: number; to: number } {
  return { from: 0, to: sizeBytes };
}
