/**
 * SEALED SEGMENTS of a store that is open: their paths, in order. The one that takes commits is not among
 * them: where it ends nobody can tell, so damage to it may be a torn tail.
 */
import type { Manager } from "../src/index.ts";

export function sealedSegments(manager: Manager, directory: string): string[] {
  const { inflight } = manager.diagnostics().log;
  const sealed = inflight.filter(({ state }) => state === "sealed" || state === "archived");
  return sealed.map(({ sequence }) => {
    return `${directory}/wal/${sequence.toString(16).padStart(16, "0")}.wal`;
  });
}
