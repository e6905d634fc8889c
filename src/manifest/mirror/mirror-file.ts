/**
 * A FILE OF THE MIRROR, open for adding to (mirror-format.ts). It writes at its end and nowhere else.
 *
 * (1) After a failed call nobody calls it again but to close it: what it holds then is a mirror with
 *     a torn tail.
 * (2) What was synced ends with a block, and nothing is written into that again: mirror-format.ts (6).
 */
import { assert } from "../../base/assert.ts";
import type { File, Random, Storage } from "../../base/env.ts";
import type { KeyValueOperation } from "../stores/key-value.ts";
import {
  decodeMirrorEntry,
  decodeMirrorHeader,
  encodeMirrorEntry,
  encodeMirrorHeader,
  MIRROR_BLOCK_BYTES,
  MIRROR_CLOSED_BYTES,
  MIRROR_ENTRY,
  MIRROR_HEADER,
  MIRROR_NONCE_BYTES,
  MIRROR_PAYLOAD_BYTES,
  type MirrorEntry,
} from "./mirror-format.ts";

export class MirrorFile {
  readonly #file: File;
  readonly #nonce: Uint8Array;
  #bytes: number;
  /** Up to and with `whole`. */
  #baseBytes: number;

  private constructor(file: File, nonce: Uint8Array, at: { bytes: number; baseBytes: number }) {
    this.#file = file;
    this.#nonce = nonce;
    this.#bytes = at.bytes;
    this.#baseBytes = at.baseBytes;
  }

  /** A new file, without a base yet. */
  static async create(storage: Storage, path: string, random: Random): Promise<MirrorFile> {
    const file = await storage.open(path, "create");
    const nonce = random.bytes(MIRROR_NONCE_BYTES);
    try {
      await file.write(encodeMirrorHeader(nonce), 0);
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    return new MirrorFile(file, nonce, { bytes: MIRROR_HEADER.sizeBytes, baseBytes: 0 });
  }

  /** One that was closed when the manifest had the state of this checksum; undefined if it was not. */
  static async continue(
    storage: Storage,
    path: string,
    stateCrc: number,
  ): Promise<MirrorFile | undefined> {
    if ((await storage.stat(path))?.kind !== "file") return undefined;
    const file = await storage.open(path, "write");
    try {
      const bytes = await file.size();
      const found = await closingOf(file, bytes);
      if (found?.entry.stateCrc === stateCrc) {
        return new MirrorFile(file, found.nonce, { bytes, baseBytes: found.entry.baseBytes });
      }
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    await file.close();
    return undefined;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get baseBytes(): number {
    return this.#baseBytes;
  }

  async add(operations: readonly KeyValueOperation[]): Promise<void> {
    for (const part of parts(operations)) await this.#write({ kind: "rows", operations: part });
  }

  async endBase(): Promise<void> {
    assert(this.#baseBytes === 0, "a mirror has one base");
    await this.#write({ kind: "whole" });
    this.#baseBytes = this.#bytes;
  }

  async endWith(stateCrc: number): Promise<void> {
    await this.#pad(MIRROR_CLOSED_BYTES); // `closed` has the end of the file.
    await this.#write({ kind: "closed", stateCrc, baseBytes: this.#baseBytes });
  }

  /** See (2). */
  async sync(): Promise<void> {
    await this.#pad(0);
    await this.#file.sync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** So that a block ends behind as many bytes as still follow. */
  async #pad(behindBytes: number): Promise<void> {
    const over = (this.#bytes + behindBytes) % MIRROR_BLOCK_BYTES;
    if (over === 0) return;
    const gap = MIRROR_BLOCK_BYTES - over - MIRROR_ENTRY.sizeBytes;
    await this.#write({ kind: "padding", bytes: gap < 0 ? gap + MIRROR_BLOCK_BYTES : gap });
  }

  async #write(entry: MirrorEntry): Promise<void> {
    const bytes = encodeMirrorEntry(entry, { nonce: this.#nonce, offset: this.#bytes });
    await this.#file.write(bytes, this.#bytes);
    this.#bytes += bytes.length;
  }
}

async function closingOf(
  file: File,
  bytes: number,
): Promise<
  | { readonly entry: MirrorEntry & { readonly kind: "closed" }; readonly nonce: Uint8Array }
  | undefined
> {
  const header = new Uint8Array(MIRROR_HEADER.sizeBytes);
  const tail = new Uint8Array(MIRROR_CLOSED_BYTES);
  const offset = bytes - tail.length;
  if (offset < header.length) return undefined;
  await file.read(header, 0);
  await file.read(tail, offset);
  const nonce = decodeMirrorHeader(header);
  if (!(nonce instanceof Uint8Array)) return undefined;
  const entry = decodeMirrorEntry(tail, { nonce, offset });
  return entry?.kind === "closed" ? { entry, nonce } : undefined;
}

/** Cut so that no entry becomes larger than it must. */
function* parts(operations: readonly KeyValueOperation[]): Generator<KeyValueOperation[]> {
  let part: KeyValueOperation[] = [];
  let bytes = 0;
  for (const operation of operations) {
    part.push(operation);
    bytes += operation.key.length + (operation.value?.length ?? 0);
    if (bytes < MIRROR_PAYLOAD_BYTES) continue;
    yield part;
    part = [];
    bytes = 0;
  }
  if (part.length > 0) yield part;
}
