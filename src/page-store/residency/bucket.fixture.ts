/**
 * A BUCKET FOR TESTS OF RESIDENCY: chunks that were put into a simulated object store, and a page store
 * that reads them from there.
 *
 * (1) It outlives the processes of the rig, as a bucket does.
 */
import { present } from "../../base/assert.ts";
import type { Env } from "../../base/env.ts";
import { isStorageError } from "../../base/errors.ts";
import { type ChunkId, type Lsn, pageNumber, streamId } from "../../base/units.ts";
import { bucketKey, SimulatedStore, simulatedService } from "../../sink/index.ts";
import { chunkOfName } from "../chunks/chunk-files.ts";
import type { PageStoreLimits } from "../limits.ts";
import type { PageSpace, Snapshot } from "../page-space.ts";
import { Rig } from "../rig.fixture.ts";
import { PagesAway } from "./pages-away.ts";
import type { ByteRange, RemoteChunks } from "./remote-chunks.ts";

const EPOCH = 1;
const TRIES = 3;

export class TestBucket {
  readonly service = simulatedService(1);
  /** What is safe there. */
  readonly safe = new Set<ChunkId>();
  /** Lengths of what was put. */
  readonly put = new Map<ChunkId, number>();
  /** What was asked for, whatever came of it. */
  readonly asked: (ByteRange & { readonly chunk: ChunkId })[] = [];

  readonly remote = (env: Env): RemoteChunks => {
    const store = new SimulatedStore({
      service: this.service,
      clock: env.clock,
      latencyMsMax: 20,
      timeoutMs: 1000,
    });
    return {
      find: (chunk) => {
        const fileBytes = this.put.get(chunk);
        return fileBytes === undefined ? undefined : { fileBytes };
      },
      isSafe: (chunk) => this.safe.has(chunk),
      fetch: async (chunk, range, signal) => {
        this.asked.push({ chunk, ...range });
        for (let tries = 1; ; tries += 1) {
          try {
            const found = await store.get(keyOf(chunk), { range, signal });
            if (found?.bytes.length === range.bytes) return found.bytes;
          } catch (error) {
            if (tries >= TRIES || !isStorageError(error, "BOP_SINK_UNAVAILABLE")) throw error;
          }
        }
      },
    };
  };

  /** Puts all chunks that there are files of into the bucket. */
  async ship(rig: Rig): Promise<void> {
    const files = await rig.chunkFiles();
    await rig.world.run(async () => {
      const { clock } = rig.env;
      const store = new SimulatedStore({ service: this.service, clock });
      for (const path of files) {
        const chunk = chunkAt(path);
        const bytes = rig.world.disk.contents(path);
        if (bytes === undefined || this.put.has(chunk)) continue;
        await store.put(keyOf(chunk), bytes, { putId: "0".repeat(32) });
        this.put.set(chunk, bytes.length);
        this.safe.add(chunk);
      }
    });
  }

  /** Flips a bit of what was put. */
  async damage(rig: Rig, chunk: ChunkId, at: number): Promise<void> {
    await rig.world.run(async () => {
      const { clock } = rig.env;
      const store = new SimulatedStore({ service: this.service, clock });
      const found = await store.get(keyOf(chunk));
      const bytes = Uint8Array.from(found?.bytes ?? []);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await store.put(keyOf(chunk), bytes, { putId: "1".repeat(32) });
    });
  }
}

/** The chunk whose file it is. */
export function chunkAt(path: string): ChunkId {
  return present(chunkOfName(path.slice(path.lastIndexOf("/") + 1)), "a file of a chunk");
}

function keyOf(id: ChunkId): string {
  return bucketKey({ kind: "chunk", id, epoch: EPOCH });
}

export interface RemoteRig {
  readonly rig: Rig;
  readonly bucket: TestBucket;
}

export async function remoteRig(seed: number, limits: PageStoreLimits = {}): Promise<RemoteRig> {
  const bucket = new TestBucket();
  return { rig: await Rig.open({ seed, limits, remote: bucket.remote }), bucket };
}

export interface Filling {
  readonly pages: number;
  readonly pageBytes: number;
  /** Makes the images differ from those of other fillings. */
  readonly salt?: number;
  /** Of the database then. Default `pages`. */
  readonly pageCount?: number;
}

export function imageOf(
  page: number,
  { pageBytes, salt = 0 }: Pick<Filling, "pageBytes" | "salt">,
): Uint8Array {
  const image = new Uint8Array(pageBytes).fill((page * 7 + salt) % 251);
  new DataView(image.buffer).setUint32(0, page);
  return image;
}

/** One commit that writes the first pages of a database. */
export function fill(rig: Rig, stream: number, filling: Filling): Lsn {
  const space = rig.space(stream);
  const base = space.pin(space.newestLsn);
  const pages = new Map<number, Uint8Array>();
  for (let page = 1; page <= filling.pages; page += 1) pages.set(page, imageOf(page, filling));
  const { pages: size, pageBytes, pageCount = size } = filling;
  const lsn = space.stage({ base, pageCount, pageBytes, pages }).seal();
  space.unpin(base);
  return lsn;
}

export interface ReadPages {
  readonly images: readonly Uint8Array[];
  /** How often it had to wait. */
  readonly misses: number;
}

/** Reads pages in order as one statement does, waiting for those that are away. */
export async function readPages(
  rig: Rig,
  stream: number,
  wanted?: readonly number[],
): Promise<ReadPages> {
  const space = rig.store.space(streamId(stream));
  const snapshot = space.pin(space.newestLsn);
  const visit = rig.store.residency.visit();
  try {
    const count = Array.from({ length: snapshot.pageCount }, (_, index) => index + 1);
    const images: Uint8Array[] = [];
    for (const page of wanted ?? count) {
      images.push(await readOne({ rig, space, snapshot, visit }, page));
    }
    return { images, misses: visit.misses };
  } finally {
    visit.end();
    space.unpin(snapshot);
  }
}

interface Reading {
  readonly rig: Rig;
  readonly space: PageSpace;
  readonly snapshot: Snapshot;
  readonly visit: ReturnType<Rig["store"]["residency"]["visit"]>;
}

export async function readOne(
  { rig, space, snapshot, visit }: Reading,
  page: number,
): Promise<Uint8Array> {
  for (;;) {
    try {
      return space.read(snapshot, pageNumber(page)).slice();
    } catch (error) {
      if (!(error instanceof PagesAway)) throw error;
      await rig.world.run(error.bring(visit));
    }
  }
}

/** Files go, as far as the budget says and the bucket has them. */
export async function evict(rig: Rig): Promise<void> {
  await rig.world.run(rig.store.residency.evict());
}

/** Bit rot. */
export function flipAt(rig: Rig, path: string, at: number): void {
  const bytes = Uint8Array.from(rig.world.disk.contents(path) ?? []);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  rig.world.disk.replace(path, bytes);
}
