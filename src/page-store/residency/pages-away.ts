/**
 * WHAT A READ THROWS THAT CANNOT WAIT, if what it needs is in the bucket and not here. No error: whoever
 * asked brings it, and asks again.
 *
 *   chunk file ── BytesAway ──► database, which knows its pages ── PagesAway ──► statement
 *                                                                  └ bring ──► asks again
 */
import type { ChunkId } from "../../base/units.ts";
import type { RemoteVisit } from "./remote-chunks.ts";

/** Within the page store: bytes of a chunk. */
export class BytesAway extends Error {
  readonly chunk: ChunkId;
  readonly offset: number;
  readonly bytes: number;

  constructor(chunk: ChunkId, { offset, bytes }: { offset: number; bytes: number }) {
    super(`bytes ${offset} to ${offset + bytes} of chunk ${chunk} are not here`);
    this.chunk = chunk;
    this.offset = offset;
    this.bytes = bytes;
  }
}

export interface AwayPage {
  readonly database: string | undefined;
  readonly pageNumber: number;
}

/** A page that has to be fetched before it can be read. */
export class PagesAway extends Error {
  readonly database: string | undefined;
  readonly pageNumber: number;
  readonly #bring: (visit: RemoteVisit) => Promise<void>;

  constructor(page: AwayPage, bring: (visit: RemoteVisit) => Promise<void>) {
    super(`page ${page.pageNumber} of database "${page.database ?? ""}" is not here`);
    this.database = page.database;
    this.pageNumber = page.pageNumber;
    this.#bring = bring;
  }

  /**
   * Fetches the page, and pages behind it: more with each miss of the same visit. Rejects with
   * BOP_SINK_…, BOP_DISK_FULL, BOP_IO, BOP_CLOSED or the reason of the visit's signal.
   */
  bring(visit: RemoteVisit): Promise<void> {
    return this.#bring(visit);
  }
}
