/** What a power cut may leave of writes, syncs and names, and what it may not. */
import { expect, test } from "vitest";
import { type SeededRandom, seeded } from "../../../src/io/index.ts";
import { RecordedDisk } from "./recorded-disk.ts";
import type { Entry, Kind } from "./recording.ts";

const SECTOR = 512;

/** A disk, and calls of it by hand. */
class Hand {
  readonly disk = new RecordedDisk();
  #calls = 0;

  begin(kind: Kind, given: Partial<Entry> = {}): number {
    const call = ++this.#calls;
    const nothing = { fd: 3, offset: 0, result: 0, path: "", path2: "", bytes: new Uint8Array() };
    this.disk.take({ ...nothing, ...given, kind, call });
    return call;
  }

  end(call: number, given: Partial<Entry> = {}): void {
    const nothing = { fd: 0, offset: 0, result: 0, path: "", path2: "", bytes: new Uint8Array() };
    this.disk.take({ ...nothing, ...given, kind: "end", call });
  }

  call(kind: Kind, given: Partial<Entry> = {}, result = 0): void {
    const call = this.begin(kind, given);
    const landed = given.bytes?.length ?? 0;
    this.end(call, { result: result || landed, offset: landed });
  }

  /** A file, with its name durable. */
  static withFile(): Hand {
    const hand = new Hand();
    hand.begin("open", { fd: 3, path: "file", offset: 1 });
    hand.begin("open", { fd: 4, path: "" });
    hand.call("sync", { fd: 4 });
    return hand;
  }

  /** All first bytes of the sector that a cut may leave, or "absent". */
  outcomes(sector = 0, path = "file"): Set<number | "absent"> {
    const seen = new Set<number | "absent">();
    for (let seed = 1; seed <= 60; seed++) seen.add(this.#outcome(seeded(seed), { sector, path }));
    return seen;
  }

  #outcome(
    chance: SeededRandom,
    { sector, path }: { readonly sector: number; readonly path: string },
  ): number | "absent" {
    const image = this.disk.image({ chance, keeps: "some", tears: () => false });
    const content = image.get(path);
    if (content === undefined || content === "directory") return "absent";
    return content[sector * SECTOR] ?? "absent";
  }
}

const filled = (value: number, sectors = 1) => new Uint8Array(sectors * SECTOR).fill(value);

test("what was synced is there, and of what came after it any sector may be", () => {
  const hand = Hand.withFile();
  hand.call("write", { bytes: filled(1, 2) });
  hand.call("sync");
  hand.call("write", { bytes: filled(2, 2) });
  hand.call("write", { bytes: filled(3, 1) });
  expect(hand.outcomes(0)).toEqual(new Set([1, 2, 3]));
  expect(hand.outcomes(1)).toEqual(new Set([1, 2]));
});

test("a sync covers what had ended before it began, and no write that overtook it", () => {
  const hand = Hand.withFile();
  const late = hand.begin("write", { bytes: filled(1) });
  const sync = hand.begin("sync");
  hand.end(late, { result: SECTOR, offset: SECTOR });
  hand.end(sync);
  expect(hand.outcomes()).toEqual(new Set(["absent", 0, 1]));
});

test("what a failed sync should have covered is not made durable by a later one", () => {
  const hand = Hand.withFile();
  hand.call("write", { bytes: filled(1) });
  hand.call("sync");
  hand.call("write", { bytes: filled(2) });
  hand.call("sync", {}, -5);
  hand.call("sync");
  expect(hand.outcomes()).toEqual(new Set([1, 2]));
  hand.call("write", { bytes: filled(3) });
  hand.call("sync");
  expect(hand.outcomes()).toEqual(new Set([3]));
});

test("a synchronous write is durable when it has ended, and others of the file are not", () => {
  const hand = Hand.withFile();
  hand.call("write", { bytes: filled(1, 2) });
  hand.call("write", { bytes: filled(2), result: 1 });
  expect(hand.outcomes(0)).toEqual(new Set([2]));
  expect(hand.outcomes(1)).toEqual(new Set([0, 1, "absent"]));
});

test("a name is there once its directory was synced, and of a rename both may be, or neither", () => {
  const hand = Hand.withFile();
  hand.call("write", { bytes: filled(1) });
  hand.call("sync");
  hand.call("rename", { path: "file", path2: "other" });
  expect(hand.outcomes(0, "file")).toEqual(new Set([1, "absent"]));
  expect(hand.outcomes(0, "other")).toEqual(new Set([1, "absent"]));
  hand.call("sync", { fd: 4 });
  expect(hand.outcomes(0, "file")).toEqual(new Set(["absent"]));
  expect(hand.outcomes(0, "other")).toEqual(new Set([1]));
});
