/** A MOMENT of a database: what forks begin at. */
import type { Lsn, StreamId } from "../../base/units.ts";

/** A database at an LSN. */
export interface Moment {
  readonly stream: StreamId;
  readonly lsn: Lsn;
}
