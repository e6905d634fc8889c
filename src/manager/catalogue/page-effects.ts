/**
 * WHAT ENTRIES OF THE CATALOGUE MEAN TO THE PAGE STORE, the same when they are sealed and when
 * recovery meets them: who reads through whom, which moments stay, whose pages can go.
 *
 * (1) A pin is there from the instant at which its entry is sealed, with nothing in between: no
 *     checkpoint can begin that does not know of it.
 * (2) What an entry lets go stays until a checkpoint has the entry in the manifest.
 */
import type { Lsn } from "../../base/units.ts";
import type { CatalogueEntry } from "../../manifest/index.ts";
import type { PageStore } from "../../page-store/index.ts";

type Told = Pick<PageStore, "fork" | "hold" | "letGo" | "forget">;

export function tellPages(pages: Told, entry: CatalogueEntry, lsn: Lsn): void {
  switch (entry.type) {
    case "fork": {
      const { stream, origin, family, pageBytes } = entry;
      pages.fork({ stream, origin, family, pageBytes });
      break;
    }
    case "snapshot":
      pages.hold({ stream: entry.stream, name: entry.name, lsn: entry.lsn });
      break;
    case "dropSnapshot":
      pages.letGo({ stream: entry.stream, name: entry.name }, lsn);
      break;
    case "drop":
      pages.forget(entry.stream, lsn);
      break;
    case "create":
    case "rename":
    case "publish":
    case "createLog":
      break;
  }
}
