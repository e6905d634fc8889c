/**
 * THE KEEPER: what happens to chunk files behind everybody's back. Files go to keep the disk within its
 * budget, what was fetched wholly becomes a file of the store, and damaged files become whole.
 *
 * (1) One file is moved or removed at a time: nothing that is promoted is removed by an eviction that
 *     began before.
 * (2) Evicted is what was used longest ago, of those that the bucket has for sure (`isSafe`) and that
 *     nobody holds. What was fetched in part is no loss at all.
 * (3) A healing whose bucket does not answer is owed, and tried again by `tend`.
 * (4) Before a file goes the mirror of the manifest has it too that the bucket has the chunk: a manifest
 *     that is made again from the mirror finds each chunk here or there.
 * (5) Nothing here rejects, since nobody waits for it: who needs a page hears why it cannot be had.
 */
import type { Clock, Storage } from "../../base/env.ts";
import { systemCode } from "../../base/errors.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { Turns } from "../../base/turns.ts";
import type { ChunkId } from "../../base/units.ts";
import { BLOCK_BYTES, runsOf } from "./blocks.ts";
import type { ChunkPlaces } from "./chunk-places.ts";
import type { FetchedChunk } from "./fetched-chunk.ts";
import { type Fetcher, SPAN_BYTES_MAX } from "./fetcher.ts";
import { promote } from "./promotion.ts";
import type { HealedChunk, HealOutcome, RemoteChunks } from "./remote-chunks.ts";

export interface KeeperGround {
  readonly clock: Clock;
  readonly storage: Storage;
  readonly storeId: Uint8Array;
  readonly remote: RemoteChunks;
  readonly fetcher: Fetcher;
  readonly places: ChunkPlaces;
  readonly diskBytes: number | undefined;
  /** See (4). Does not reject. */
  readonly settle: () => Promise<void>;
  readonly pathOf: (chunk: ChunkId) => string;
  /** Open files of a chunk are closed: its place is another one. */
  readonly moved: (chunk: ChunkId) => Promise<void>;
  /** Chunks whose files are open, used longest ago first. */
  readonly open: () => Iterable<ChunkId>;
  readonly onHealed: ((healed: HealedChunk) => void) | undefined;
}

export class Keeper {
  readonly #ground: KeeperGround;
  readonly #healing = new Map<ChunkId, Promise<HealOutcome>>();
  /** See (3); with what is wrong. */
  readonly #owed = new Map<ChunkId, string>();
  /** Being unlinked: that they are not there is no damage. */
  readonly #leaving = new Set<ChunkId>();
  /** See (1). */
  readonly #turns = new Turns();
  #isEvictionDue = false;
  #evictedChunks = 0;
  #healedChunks = 0;

  constructor(ground: KeeperGround) {
    this.#ground = ground;
  }

  get stats(): { readonly evictedChunks: number; readonly healedChunks: number } {
    return { evictedChunks: this.#evictedChunks, healedChunks: this.#healedChunks };
  }

  isLeaving(chunk: ChunkId): boolean {
    return this.#leaving.has(chunk);
  }

  isHealing(chunk: ChunkId): boolean {
    return this.#healing.has(chunk);
  }

  /** A chunk that is distrusted, or lost its file, and has its entry in the places. */
  heal(chunk: ChunkId, why: string): Promise<HealOutcome> {
    const healing = this.#healing.get(chunk);
    if (healing !== undefined) return healing;
    this.#owed.delete(chunk);
    const done = this.#heal(chunk, why)
      .then((outcome) => {
        if (outcome === "unavailable") this.#owed.set(chunk, why);
        return outcome;
      })
      .finally(() => this.#healing.delete(chunk));
    this.#healing.set(chunk, done);
    return done;
  }

  /** All of it was fetched. */
  promoteSoon(fetched: FetchedChunk): void {
    if (this.#healing.has(fetched.chunk)) return;
    void this.#inTurn(async () => {
      const outcome = await this.#promote(fetched);
      if (outcome === "bad copy") fetched.blocks.doubtAll();
    });
  }

  evictSoon(): void {
    const { diskBytes } = this.#ground;
    if (diskBytes === undefined || this.#isEvictionDue || this.#overBytes <= 0) return;
    void this.evict();
  }

  /** To the budget, as far as it can be. */
  async evict(): Promise<void> {
    if (this.#ground.diskBytes === undefined || this.#isEvictionDue) return this.#turns.ended();
    this.#isEvictionDue = true;
    await this.#inTurn(async () => {
      this.#isEvictionDue = false;
      await this.#evictWhile(() => this.#overBytes > 0, "all");
    });
  }

  /** The disk is full. False if nothing could go. */
  async makeRoom(bytes: number): Promise<boolean> {
    const which = this.#ground.diskBytes === undefined ? "parts" : "all";
    let freedBytes = 0;
    await this.#inTurn(async () => {
      freedBytes = await this.#evictWhile((freed) => freed < bytes, which);
    });
    return freedBytes > 0;
  }

  /** See (3). */
  tend(): void {
    for (const [chunk, why] of [...this.#owed]) {
      if (this.#ground.places.fetched(chunk) === undefined) this.#owed.delete(chunk);
      else void this.heal(chunk, why);
    }
  }

  /** Nothing names it any more, and its file is removed by who knows that. */
  async forget(chunk: ChunkId): Promise<void> {
    const fetched = this.#ground.places.forget(chunk);
    this.#owed.delete(chunk);
    if (fetched === undefined) return;
    fetched.isGone = true;
    await this.#turns.ended();
    void fetched.remove();
  }

  /** The fetcher is closed. */
  async close(): Promise<void> {
    await Promise.all(this.#healing.values());
    await this.#turns.ended();
  }

  get #overBytes(): number {
    const { places, diskBytes = Number.POSITIVE_INFINITY } = this.#ground;
    return places.localBytes + places.partBytes - diskBytes;
  }

  /** See (1). Does not reject. */
  #inTurn(act: () => Promise<void>): Promise<void> {
    return this.#turns.run(act).catch(() => undefined);
  }

  async #heal(chunk: ChunkId, why: string): Promise<HealOutcome> {
    const { places, pathOf, onHealed } = this.#ground;
    const fetched = places.fetched(chunk);
    if (fetched === undefined) return "no copy";
    for (;;) {
      try {
        for (const [first, count] of runsOf(fetched.blocks.unfetched(), SPAN_BLOCKS)) {
          await fetched.bring(Array.from({ length: count }, (_, step) => first + step));
        }
      } catch {
        return "unavailable";
      }
      if (fetched.isGone) return "no copy";
      let outcome: HealOutcome = "unavailable";
      await this.#inTurn(async () => {
        outcome = await this.#promote(fetched);
        if ((outcome as HealOutcome) !== "healed") return;
        this.#healedChunks += 1;
        onHealed?.({ chunk, file: pathOf(chunk), why });
      });
      if ((outcome as HealOutcome) !== "bad copy" || !fetched.blocks.doubtAll()) return outcome;
    }
  }

  async #promote(fetched: FetchedChunk): Promise<HealOutcome> {
    const { places, pathOf, moved, fetcher } = this.#ground;
    const { chunk, blocks } = fetched;
    const isIt = () => !fetched.isGone && places.fetched(chunk) === fetched;
    if (!isIt() || !blocks.isWhole || fetcher.isClosed) return "unavailable";
    const isClosing = () => fetcher.isClosed || fetched.isGone;
    try {
      const outcome = await promote(fetched, pathOf(chunk), { ...this.#ground, isClosing });
      if (outcome !== "promoted") return outcome === "damaged" ? "bad copy" : "unavailable";
    } catch {
      return "unavailable"; // The part stays, and is read as before.
    }
    if (isIt()) places.isLocalNow(chunk, blocks.fileBytes);
    fetched.isGone = true;
    await moved(chunk);
    return "healed";
  }

  /** Returns how many bytes it freed. */
  async #evictWhile(goesOn: (freed: number) => boolean, which: "all" | "parts"): Promise<number> {
    const { places, open, clock, fetcher } = this.#ground;
    let freed = 0;
    const settled = which === "all" && goesOn(freed) ? await this.#settled() : NONE;
    const hot = new Set(open());
    const order = [...places.order].filter((chunk) => !hot.has(chunk));
    for (const chunk of [...order, ...hot]) {
      if (!goesOn(freed) || fetcher.isClosed) break;
      if (places.isHeld(chunk) || this.#healing.has(chunk)) continue;
      const ofFile = settled.has(chunk) ? await this.#evictFile(chunk) : 0;
      const freedNow = ofFile + (await this.#evictPart(chunk));
      if (freedNow === 0) continue;
      this.#evictedChunks += 1;
      freed += freedNow;
      await nextTurn(clock);
    }
    return freed;
  }

  /** Files that may go: see (4). */
  async #settled(): Promise<ReadonlySet<ChunkId>> {
    const { places, remote, settle } = this.#ground;
    const safe = new Set([...places.local].filter((chunk) => remote.isSafe(chunk)));
    if (safe.size > 0) await settle();
    return safe;
  }

  async #evictPart(chunk: ChunkId): Promise<number> {
    const { places, moved } = this.#ground;
    const fetched = places.fetched(chunk);
    // One that is distrusted has yet to be healed.
    if (fetched === undefined || fetched.isBusy || fetched.minePath !== undefined) return 0;
    const bytes = fetched.blocks.partBytes;
    places.removeFetched(chunk);
    fetched.isGone = true;
    await moved(chunk);
    await fetched.remove();
    return bytes;
  }

  async #evictFile(chunk: ChunkId): Promise<number> {
    const { places, remote, storage, pathOf, moved } = this.#ground;
    const bytes = places.localBytesOf(chunk);
    if (bytes === undefined || places.fetched(chunk) !== undefined) return 0;
    if (!remote.isSafe(chunk) || remote.find(chunk)?.fileBytes !== bytes) return 0;
    this.#leaving.add(chunk);
    try {
      await storage.unlink(pathOf(chunk));
    } catch (error) {
      if (systemCode(error) !== "ENOENT") return 0;
    } finally {
      this.#leaving.delete(chunk);
    }
    if (places.localBytesOf(chunk) === undefined) return 0; // It was deleted meanwhile.
    places.isAwayNow(chunk);
    await moved(chunk);
    return bytes;
  }
}

const NONE: ReadonlySet<ChunkId> = new Set();
const SPAN_BLOCKS = SPAN_BYTES_MAX / BLOCK_BYTES;
