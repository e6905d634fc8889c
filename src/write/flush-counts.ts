/** WHAT THE LOG HAS DONE SO FAR, and where it stands: plain numbers for diagnostics. */
import { LSN_ZERO } from "../base/units.ts";
import type { LogCore } from "../wal/index.ts";
import type { OperationWatch } from "./device/operation-watch.ts";
import type { LogStats } from "./log.ts";
import type { SegmentStore } from "./segments/segment-store.ts";
import { inOrder } from "./segments/watermarks.ts";

export class FlushCounts {
  flushes = 0;
  failedFlushes = 0;
  writtenBytes = 0;
}

interface StatsParts {
  readonly core: LogCore;
  readonly segments: SegmentStore;
  readonly watch: OperationWatch;
}

export function logStats({ core, segments, watch }: StatsParts, counts: FlushCounts): LogStats {
  const { writtenEnd, durableEnd } = core;
  const { held } = segments;
  const marks = inOrder({
    reservedLsn: segments.reservedLsn ?? writtenEnd,
    writtenLsn: writtenEnd,
    durableLsn: durableEnd,
    archivedLsn: held.archivedLsn ?? LSN_ZERO,
  });
  return {
    commits: core.commits,
    batches: counts.flushes,
    flushes: counts.flushes,
    frameBytes: core.frameBytes,
    writtenBytes: counts.writtenBytes,
    failedFlushes: counts.failedFlushes,
    segments: segments.count,
    inflightSegments: held.inflightCount,
    backlogBytes: core.backlogBytes,
    hung: watch.hung,
    marks,
    inflight: held.inflight(marks),
  };
}
