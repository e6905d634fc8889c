/** STAGING A COMMIT THAT WAS SPILLED: all of it is in chunks, and the log takes their names. */
import { assert } from "../../base/assert.ts";
import type { StreamId } from "../../base/units.ts";
import type { Commons } from "../commons.ts";
import type { PageSetChange, PageSpill, StagedCommit } from "../page-space.ts";
import type { StagingDatabase } from "../versions/staging.ts";
import { Spill } from "./spill.ts";

export interface SpilledChange extends PageSetChange {
  readonly spill: PageSpill;
}

/** Pages that are still in memory follow the others. Throws what the device and the log throw. */
export function stageSpilled(
  database: StagingDatabase & { readonly stream: StreamId },
  { staging, log }: Commons,
  { pageCount, pageBytes, pages, spill }: SpilledChange,
): StagedCommit {
  assert(spill instanceof Spill, "a spill of another page space");
  spill.put(pages);
  const spilled = spill.finish(pageCount);
  const frames = log.stage(database.stream);
  staging.begin(database, { pageCount, pageBytes }, frames);
  try {
    for (const chunk of spilled.chunks) frames.spill(chunk);
  } catch (error) {
    staging.discard();
    throw error;
  }
  staging.spilled = spilled;
  return staging;
}
