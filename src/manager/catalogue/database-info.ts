/** WHAT USERS SEE OF A DATABASE, without opening it. */
import type { DatabaseInfo } from "../api/database.ts";
import { lastGoodSample } from "../scrub/store-scrub.ts";
import type { StoreGround } from "../store-ground.ts";
import type { CatalogueAt } from "./catalogue.ts";
import type { CatalogueRow } from "./catalogue-row.ts";
import { slugOf } from "./slugs.ts";

export function infoOf(store: StoreGround, row: CatalogueRow, at: CatalogueAt): DatabaseInfo {
  const { name, engine, stream, createdAtMs, origin } = row;
  const { pageCount, pageBytes } = store.durableSize(stream);
  return {
    name,
    slug: slugOf(name),
    engine,
    pageBytes: pageBytes === 0 ? row.pageBytes : pageBytes,
    sizeBytes: pageCount * pageBytes,
    createdAt: new Date(createdAtMs),
    forkedFrom: origin && { name: at.row(origin.stream)?.name, lsn: origin.lsn },
    snapshots: at.snapshots.count(stream),
    triedAt: lastGoodSample(store, stream),
  };
}
