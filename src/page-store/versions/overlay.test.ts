import { describe, expect, test } from "vitest";
import { LSN_ZERO, lsn } from "../../base/units.ts";
import { newVersion, type Onlookers, Overlay } from "./overlay.ts";

const PAGE = 7;

/** A page written at each LSN, with nobody looking yet. */
function written(...lsns: number[]) {
  const dropped: number[] = [];
  const overlay = new Overlay((version) => dropped.push(version.lsn));
  for (const at of lsns) {
    const version = newVersion(Uint8Array.of(at), { deltas: 0, sum: undefined });
    version.lsn = lsn(at);
    overlay.push(PAGE, overlay.chain(PAGE), version);
  }
  const kept = (onlookers: Partial<Onlookers>): number[] => {
    const chain = overlay.chain(PAGE);
    const nobody = { durableLsn: lsns.at(-1) ?? 0, heldLsn: undefined, mapLsn: LSN_ZERO, pins: [] };
    if (chain !== undefined) overlay.prune(PAGE, chain, { ...nobody, ...onlookers });
    return lsns.filter((at) => !dropped.includes(at));
  };
  return { overlay, kept };
}

function pin(at: number, mapLsn = 0) {
  return { lsn: lsn(at), mapLsn: lsn(mapLsn) };
}

describe("of the versions of a page", () => {
  test("only the newest stays when all is durable and nobody looks", () => {
    expect(written(10, 20, 30).kept({})).toEqual([30]);
  });

  test("those stay on which a new snapshot may still land: the newest durable one and all above", () => {
    expect(written(10, 20, 30, 40).kept({ durableLsn: 25 })).toEqual([20, 30, 40]);
    expect(written(10, 20, 30, 40).kept({ durableLsn: 30 })).toEqual([30, 40]);
    expect(written(10, 20).kept({ durableLsn: 5 })).toEqual([10, 20]);
  });

  test("a pinned snapshot keeps its own, not all that came after it", () => {
    const pins = [pin(15), pin(37)];
    expect(written(10, 20, 30, 40, 50).kept({ pins })).toEqual([10, 30, 50]);
  });

  test("a snapshot keeps none that its page map has", () => {
    expect(written(10, 20, 30).kept({ pins: [pin(15, 12)] })).toEqual([30]);
  });

  test("the one that a checkpoint writes stays until it is published", () => {
    expect(written(10, 20, 30).kept({ heldLsn: lsn(25) })).toEqual([20, 30]);
    expect(written(10, 20, 30).kept({ heldLsn: lsn(25), mapLsn: lsn(25) })).toEqual([30]);
  });

  test("none stays that the newest page map has, but for who reads through an older one", () => {
    const { overlay, kept } = written(10, 20);
    expect(kept({ mapLsn: lsn(25), pins: [pin(22)] })).toEqual([20]);
    expect(kept({ mapLsn: lsn(25) })).toEqual([]);
    expect(overlay.chain(PAGE)).toBeUndefined();
  });

  test("the newest at or below a moment is found, whichever were dropped between", () => {
    const { overlay, kept } = written(10, 20, 30, 40);
    kept({ pins: [pin(20)] });
    expect([9, 19, 20, 39, 40].map((at) => overlay.find(PAGE, lsn(at))?.lsn)).toEqual([
      undefined,
      undefined,
      20,
      20,
      40,
    ]);
  });
});
