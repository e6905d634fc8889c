/**
 * THE SINK, OBJECT BY OBJECT, in the order of their keys: chunks, claims, states of the manifest, the
 * identity, the log. Positions are keys.
 *
 * (1) What is listed is read, whoever put it there, as long as it is this store's: whatever a restore
 *     may need is among it. And so is every chunk that a row says is there, listed or not.
 * (2) A list may lag and objects go: one that is not there when it is asked for is missed only if a row
 *     names it, or it is log of the epoch of this process, of which nothing ever goes.
 * (3) What is damaged for good is left behind: with a checkpoint, and a new base where rows are
 *     damaged, what is committed from now on is restored without it.
 */
import type { ChunkId } from "../../base/units.ts";
import {
  bucketKey,
  type ListedObject,
  type ObjectStore,
  PREFIXES,
  parseKey,
} from "../../sink/index.ts";
import type { Found, ScrubArea, ScrubPiece } from "./area.ts";
import { type JudgedObject, judgeObject, type ObjectToJudge } from "./bucket-object.ts";
import { putAgain, type RepairGround } from "./bucket-repair.ts";
import type { PacedReads } from "./paced-reads.ts";
import type { PassBytes } from "./pass-plan.ts";

export interface BucketGround extends RepairGround {
  /** Of this process; undefined while it has none. */
  readonly epoch: number | undefined;
  /** Every chunk that a row names now, and where it lies. */
  remoteChunks(): Iterable<{
    readonly chunk: ChunkId;
    readonly epoch: number;
    readonly fileBytes: number;
  }>;
  /** A row says now that it lies there. */
  isNamed(chunk: ChunkId, epoch: number): boolean;
  /** A checkpoint, and with `base` a state that needs no other. Rejects if it cannot be made. */
  beginAnew(how: { readonly base: boolean }): Promise<void>;
}

const STORE_KEY = bucketKey({ kind: "store" });
/** In the order of the keys. */
const PARTS = [PREFIXES.chunk, PREFIXES.epoch, PREFIXES.manifest, STORE_KEY, PREFIXES.wal];
const OBJECT_BYTES_LEAST = 4096;

interface Listed extends Pick<ListedObject, "key" | "sizeBytes"> {
  readonly place: ObjectToJudge;
}

export class BucketArea implements ScrubArea {
  readonly #ground: BucketGround;

  constructor(ground: BucketGround) {
    this.#ground = ground;
  }

  async survey(position: string, reads: PacedReads): Promise<PassBytes> {
    let [doneBytes, leftBytes] = [0, 0];
    for await (const { key, sizeBytes } of this.#objects("", reads)) {
      if (key <= position) doneBytes += weight(sizeBytes);
      else leftBytes += weight(sizeBytes);
    }
    return { doneBytes, leftBytes };
  }

  async *pieces(after: string, reads: PacedReads): AsyncGenerator<ScrubPiece> {
    for await (const { key, sizeBytes, place } of this.#objects(after, reads)) {
      yield {
        position: key,
        bytes: weight(sizeBytes),
        kind: "object",
        check: (by) => this.#check(place, by),
      };
    }
  }

  async *#objects(after: string, reads: PacedReads): AsyncGenerator<Listed> {
    for (const part of PARTS) {
      const from = after >= part ? after : undefined;
      const isPast = from !== undefined && !after.startsWith(part);
      if (isPast) continue;
      const listed = this.#listed(part, { after: from, reads });
      yield* part === PREFIXES.chunk
        ? this.#withNamed(listed, after)
        : this.#withGaps(listed, after);
    }
  }

  /** In the epoch of this process numbers have no holes: what the list lacks is asked for. See (2). */
  async *#withGaps(listed: AsyncIterable<Listed>, after: string): AsyncGenerator<Listed> {
    const { epoch } = this.#ground;
    const last = parseKey(after);
    let next: number | undefined;
    for await (const object of listed) {
      const { place } = object;
      if ((place.kind === "wal" || place.kind === "manifest") && place.epoch === epoch) {
        const isSame = last?.kind === place.kind && last.epoch === epoch;
        next ??= isSame ? last.number + 1 : 0;
        for (; next < place.number; next++) {
          const missing = { ...place, number: next };
          yield { key: bucketKey(missing), sizeBytes: 0, place: missing };
        }
        next = place.number + 1;
      }
      yield object;
    }
  }

  async *#listed(
    prefix: string,
    { after, reads }: { readonly after: string | undefined; readonly reads: PacedReads },
  ): AsyncGenerator<Listed> {
    const { store } = this.#ground;
    const { signal } = reads;
    for (let at = after, more = true; more; ) {
      const page: Awaited<ReturnType<ObjectStore["list"]>> = await store.list(prefix, {
        after: at,
        signal,
      });
      for (const { key, sizeBytes } of page.objects) {
        const place = parseKey(key);
        if (place !== undefined && place.kind !== "probe") yield { key, sizeBytes, place };
      }
      at = page.next;
      more = at !== undefined;
    }
  }

  /** What rows name and the list does not show has its place among the others. See (1). */
  async *#withNamed(listed: AsyncIterable<Listed>, after: string): AsyncGenerator<Listed> {
    const named: Listed[] = [];
    for (const { chunk, epoch, fileBytes } of this.#ground.remoteChunks()) {
      const place = { kind: "chunk", id: chunk, epoch } as const;
      const key = bucketKey(place);
      if (key > after) named.push({ key, sizeBytes: fileBytes, place });
    }
    named.sort((a, b) => (a.key < b.key ? -1 : 1));
    let next = 0;
    for await (const object of listed) {
      for (; (named[next]?.key ?? object.key) < object.key; next++) yield named[next] as Listed;
      if (named[next]?.key === object.key) next += 1;
      yield object;
    }
    yield* named.slice(next);
  }

  async #check(key: ObjectToJudge, reads: PacedReads): Promise<readonly Found[]> {
    const ground = this.#ground;
    let judged = await judgeObject(key, ground, reads);
    // The first may have been the way.
    if (judged.why !== undefined) judged = await judgeObject(key, ground, reads);
    if (judged.why === undefined) return [];
    if (judged.isGone && !this.#isMissed(key)) return [];
    const found = { what: bucketKey(key), offset: undefined, databases: [] };
    const { why, header } = judged;
    if (await putAgain({ key, header }, ground, reads)) {
      const again = await judgeObject(key, ground, reads);
      if (again.why === undefined) return [{ ...found, why, outcome: "healed" }];
    }
    return [{ ...found, why: `${why}; ${await this.#leave(key, judged)}`, outcome: "reported" }];
  }

  /** See (2). */
  #isMissed(key: ObjectToJudge): boolean {
    if (key.kind === "chunk") return this.#ground.isNamed(key.id as ChunkId, key.epoch);
    if (key.kind === "wal") return key.epoch === this.#ground.epoch;
    return key.kind === "store" || key.kind === "epoch";
  }

  /** What it means, and what was done about it. See (3). */
  async #leave(key: ObjectToJudge, { header }: JudgedObject): Promise<string> {
    if (key.kind === "epoch") return "it is the claim of a writer: no restore needs what is in it";
    if (key.kind === "store") return "nothing can be restored from there as long as it is so";
    if (key.kind === "chunk") {
      const isNamed = this.#ground.isNamed(key.id as ChunkId, key.epoch);
      if (!isNamed) return "states of the past that name it cannot be restored";
      return "no good copy of it is left: what it holds is lost where it is damaged";
    }
    const base = key.kind === "manifest";
    const lost =
      header?.kind === "log"
        ? `moments between ${header.firstLsn} and the next state behind ${header.endLsn} are lost`
        : `moments that need ${bucketKey(key)} cannot be restored`;
    if (!this.#ground.isWriter) return lost;
    const refused = await this.#ground.beginAnew({ base }).then(() => undefined, String);
    if (refused !== undefined) return `${lost}; a new beginning was refused: ${refused}`;
    return `${lost}; the next state needs nothing of it`;
  }
}

const weight = (sizeBytes: number): number => Math.max(OBJECT_BYTES_LEAST, sizeBytes);
