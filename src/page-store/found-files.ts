/** WHAT LIES IN THE DIRECTORIES OF CHUNKS when a store is opened, leftovers being gone. */
import type { Env } from "../base/env.ts";
import type { ChunkId } from "../base/units.ts";
import type { Manifest } from "../manifest/index.ts";
import { removeLeftovers } from "./collection/leftovers.ts";
import { SpillShelf } from "./spill/spill-shelf.ts";

export interface FoundFiles {
  readonly shelf: SpillShelf;
  /** Chunks that the manifest names and that have no file. */
  readonly missing: ReadonlySet<ChunkId>;
}

export interface FilesPlace {
  readonly env: Env;
  readonly directory: string;
  readonly storeId: Uint8Array;
  readonly manifest: Manifest;
  readonly settle?: () => Promise<void>;
}

export async function findFiles(place: FilesPlace): Promise<FoundFiles> {
  const { env, directory, storeId, manifest, settle = () => Promise.resolve() } = place;
  const { storage } = env;
  const named = new Set(manifest.opened.chunks.map(({ chunk }) => chunk));
  const missing = new Set(named);
  const spilled = await removeLeftovers({ storage, directory, settle }, (chunk) => {
    missing.delete(chunk);
    return named.has(chunk);
  });
  const shelf = await SpillShelf.open({ storage, directory, storeId }, spilled);
  return { shelf, missing };
}
