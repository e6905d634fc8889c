import { describe, expect, test } from "vitest";
import { LSN_ZERO, lsn, streamId } from "../../base/units.ts";
import { Pins } from "./pins.ts";

const [ORIGIN, FORK, GRANDCHILD, STORE] = [streamId(1), streamId(2), streamId(3), streamId(0)];

function family(): Pins {
  const pins = new Pins([], []);
  const of = { family: ORIGIN, pageBytes: 512 };
  pins.fork({ ...of, stream: FORK, origin: { stream: ORIGIN, lsn: lsn(10) } });
  pins.fork({ ...of, stream: GRANDCHILD, origin: { stream: FORK, lsn: lsn(20) } });
  return pins;
}

describe("a snapshot", () => {
  test("that was let go counts until the entry that says so is durable", () => {
    const pins = new Pins([], []);
    pins.hold({ stream: ORIGIN, name: "a", lsn: lsn(10) });
    pins.letGo({ stream: ORIGIN, name: "a" }, lsn(30));
    expect(pins.of(ORIGIN)).toEqual([10]);
    expect(pins.of(ORIGIN, lsn(29))).toEqual([10]);
    expect(pins.of(ORIGIN, lsn(30))).toEqual([]);
    pins.settle(lsn(30));
    expect(pins.of(ORIGIN)).toEqual([]);
  });

  test("of a name that is used again is another one", () => {
    const pins = new Pins([], []);
    pins.hold({ stream: ORIGIN, name: "a", lsn: lsn(10) });
    pins.letGo({ stream: ORIGIN, name: "a" }, lsn(30));
    pins.hold({ stream: ORIGIN, name: "a", lsn: lsn(40) });
    expect(pins.of(ORIGIN, lsn(30))).toEqual([40]);
    expect(pins.of(ORIGIN)).toEqual([10, 40]);
  });

  test("of the store pins what was there: made before it, and not dropped before it", () => {
    const pins = new Pins([], []);
    const row = { name: "", engine: "sqlite", createdAtMs: 0, state: "live" } as const;
    pins.learn({ ...row, stream: ORIGIN, family: ORIGIN, createdLsn: lsn(5) });
    pins.learn({ ...row, stream: FORK, family: FORK, createdLsn: lsn(15) });
    pins.learn({ ...row, stream: GRANDCHILD, family: GRANDCHILD, createdLsn: lsn(5) });
    pins.drop(GRANDCHILD, lsn(8));
    pins.hold({ stream: STORE, name: "all", lsn: lsn(10) });
    expect(pins.of(ORIGIN)).toEqual([10]);
    expect(pins.of(FORK)).toEqual([]);
    expect(pins.of(GRANDCHILD)).toEqual([]);
    pins.drop(ORIGIN, lsn(50));
    expect(pins.isHeld(ORIGIN, lsn(50))).toBe(true);
  });

  test("goes with its database, but not the one of the store", () => {
    const pins = new Pins([], []);
    pins.hold({ stream: ORIGIN, name: "own", lsn: lsn(10) });
    pins.hold({ stream: STORE, name: "all", lsn: lsn(20) });
    pins.drop(ORIGIN, lsn(30));
    expect(pins.of(ORIGIN, lsn(29))).toEqual([10, 20]);
    expect(pins.of(ORIGIN, lsn(30))).toEqual([20]);
  });
});

describe("a fork", () => {
  test("pins its moment of the origin, and stays in the family when it is flat", () => {
    const pins = family();
    expect([pins.of(ORIGIN), pins.of(FORK), pins.of(GRANDCHILD)]).toEqual([[10], [20], []]);
    expect(pins.depth(GRANDCHILD)).toBe(2);
    pins.flatten(FORK);
    expect(pins.of(ORIGIN)).toEqual([]);
    expect(pins.baseOf(FORK)).toBeUndefined();
    expect(pins.originOf(FORK)).toEqual({ stream: ORIGIN, lsn: 10 });
    expect([...pins.membersOf(ORIGIN)]).toEqual([ORIGIN, FORK, GRANDCHILD]);
    expect(pins.depth(GRANDCHILD)).toBe(1);
  });

  test("that was dropped pins its origin for as long as its own forks need it", () => {
    const pins = family();
    pins.drop(FORK, lsn(40));
    expect(pins.of(ORIGIN, lsn(40))).toEqual([10]);
    pins.drop(GRANDCHILD, lsn(50));
    expect(pins.of(ORIGIN, lsn(40))).toEqual([10]);
    expect(pins.of(ORIGIN, lsn(50))).toEqual([]);
    expect(pins.of(ORIGIN, LSN_ZERO)).toEqual([10]);
    pins.forget(GRANDCHILD);
    pins.forget(FORK);
    expect(pins.of(ORIGIN)).toEqual([]);
    expect([...pins.membersOf(ORIGIN)]).toEqual([ORIGIN]);
  });
});
