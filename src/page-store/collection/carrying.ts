/**
 * CARRYING: a page that rows of page maps name gets another place, in all of them at once, whichever
 * database and version they are of.
 */
import { assert } from "../../base/assert.ts";
import type { ChunkId, StreamId } from "../../base/units.ts";
import type { ChunkEntry } from "../../chunk/index.ts";
import { MAP_ROW_PAGES } from "../../manifest/index.ts";
import type { ScannedPage } from "../chunks/chunk-scan.ts";
import type { ChunkWriter } from "../chunks/chunk-writer.ts";
import { locationOf } from "../maps/location.ts";
import type { MapDraft } from "../maps/map-draft.ts";
import type { LocationTally } from "../maps/map-edit.ts";
import { NamedPages } from "../maps/named-pages.ts";
import type { Pins } from "../versions/pins.ts";
import type { Carrier } from "./compaction.ts";

export interface CarryGround {
  readonly pins: Pins;
  readonly draft: MapDraft;
  readonly tally: LocationTally;
  readonly writer: ChunkWriter;
  /** Its newest map counts as live. */
  readonly isLive: (stream: StreamId) => boolean;
}

/** Versions of rows that one commit of the manifest changes for it: 4 KiB each. */
const ROWS_MAX = 4096;

export class Carrying implements Carrier {
  readonly #ground: CarryGround;
  readonly #named: NamedPages;

  constructor(ground: CarryGround) {
    this.#ground = ground;
    this.#named = new NamedPages(ground.pins, ground.draft);
  }

  get isFull(): boolean {
    return this.#ground.draft.movedRows >= ROWS_MAX;
  }

  isNamed(chunk: ChunkId, entry: ChunkEntry): boolean {
    return this.#named.isNamed(chunk, entry);
  }

  async carry(chunk: ChunkId, { entry, ...content }: ScannedPage): Promise<void> {
    const { writer, draft, tally, isLive } = this.#ground;
    await writer.room(content.image.length);
    const { pageNumber, lsn, stream: family } = entry;
    const from = locationOf(chunk, entry.offset);
    const index = (pageNumber - 1) % MAP_ROW_PAGES;
    const rowIndex = Math.floor((pageNumber - 1) / MAP_ROW_PAGES);
    const naming = this.#named.naming(chunk, entry);
    assert(naming.length > 0, "a page that is carried is where it was found");
    const to = writer.add({ stream: family, pageNumber, lsn, ...content });
    for (const { stream, row, isNewest } of naming) {
      draft.move({ stream, rowIndex, ...row }, index, to);
      if (!isNewest || !isLive(stream)) continue;
      tally.lost(from);
      tally.gained(to);
    }
  }
}
