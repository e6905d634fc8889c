import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { lsn, segmentSequence } from "../../base/units.ts";
import { seeded } from "../../io/index.ts";
import {
  chooseSuperblock,
  decodeCopy,
  encodeCopy,
  FIRST_HALF,
  SECOND_HALF,
  SUPERBLOCK,
  SUPERBLOCK_COPIES,
  type Superblock,
  type SuperblockFacts,
  superblockAfter,
} from "./superblock.ts";

const FACTS: SuperblockFacts = {
  storeId: Uint8Array.from({ length: 16 }, (_, index) => index),
  epoch: 3,
  manifestGeneration: 17,
  checkpointLsn: lsn(4096),
  durableLsn: lsn(8192),
  walStart: segmentSequence(2),
  clean: false,
};

const GRANDPARENT = superblockAfter(undefined, { ...FACTS, manifestGeneration: 15 });
const OLD = superblockAfter(GRANDPARENT, { ...FACTS, manifestGeneration: 16 });
const NEW = superblockAfter(OLD, FACTS);

/** Everything that can have become of one copy while NEW was being written over OLD. */
const STATES: Readonly<Record<string, (index: number) => Uint8Array | undefined>> = {
  old: (index) => encodeCopy(OLD, index),
  new: (index) => encodeCopy(NEW, index),
  torn: (index) => {
    const bytes = encodeCopy(NEW, index);
    bytes.set(encodeCopy(OLD, index).subarray(0, 40));
    return bytes;
  },
  zero: () => new Uint8Array(SUPERBLOCK.sizeBytes),
  flipped: (index) => {
    const bytes = encodeCopy(NEW, index);
    bytes[SUPERBLOCK.offset.checkpointLsn] = (bytes[SUPERBLOCK.offset.checkpointLsn] ?? 0) ^ 4;
    return bytes;
  },
  misdirected: (index) => encodeCopy(NEW, (index + 1) % SUPERBLOCK_COPIES),
  unreadable: () => undefined,
};

function* combinations(): Generator<readonly string[]> {
  const names = Object.keys(STATES);
  for (let number = 0; number < names.length ** SUPERBLOCK_COPIES; number += 1) {
    yield Array.from({ length: SUPERBLOCK_COPIES }, (_, index) => {
      return names[Math.floor(number / names.length ** index) % names.length] ?? "zero";
    });
  }
}

const COPIES = new Map(
  Object.entries(STATES).map(([state, make]) => [state, [0, 1, 2, 3].map((index) => make(index))]),
);

function choiceFor(states: readonly string[]) {
  return chooseSuperblock(states.map((state, index) => COPIES.get(state)?.[index]));
}

function sequenceOf(states: readonly string[]): number | undefined {
  const choice = choiceFor(states);
  return choice.type === "found" ? choice.superblock.sequence : undefined;
}

describe("a copy of a superblock", () => {
  test("comes back as it was written, from its own place only", () => {
    for (let index = 0; index < SUPERBLOCK_COPIES; index += 1) {
      const answer = decodeCopy(encodeCopy(NEW, index), index);
      expect(answer).toMatchObject({ type: "copy", superblock: { ...FACTS, sequence: 3 } });
      expect(decodeCopy(encodeCopy(NEW, index), (index + 1) % SUPERBLOCK_COPIES).type).toBe("bad");
    }
  });

  test("lies on the disk as it always did", () => {
    const bytes = encodeCopy(GRANDPARENT, 1);
    expect(Buffer.from(bytes.subarray(0, 16)).toString("hex")).toBe(
      "424f5053010001000100000000000000",
    );
    expect(Buffer.from(bytes.subarray(48, 104)).toString("hex")).toBe(
      "000102030405060708090a0b0c0d0e0f03000000000000000f00000000000000" +
        "001000000000000000200000000000000200000000000000",
    );
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(
      "9b335d352394cb105b8cf99167db3425427d95b025155aabfc6dd4837fe4274b",
    );
  });

  // evidence: G4
  test("with any bit flipped is refused, never misread", () => {
    const whole = encodeCopy(NEW, 2);
    const random = seeded(1);
    for (let bit = 0; bit < 2000; bit += 1) {
      const at = bit < 104 * 8 ? bit : 104 * 8 + random.below((whole.length - 104) * 8);
      const bytes = whole.slice();
      bytes[at >> 3] = (bytes[at >> 3] ?? 0) ^ (1 << (at & 7));
      expect(decodeCopy(bytes, 2).type).toBe("bad");
    }
  });

  test("of a later version is called newer, not damaged", () => {
    const bytes = encodeCopy(NEW, 0);
    const view = new DataView(bytes.buffer);
    view.setUint16(SUPERBLOCK.offset.version, 9, true);
    const { checksum } = SUPERBLOCK.offset;
    view.setUint32(checksum, crc32(bytes.subarray(0, checksum)), true);
    expect(decodeCopy(bytes, 0)).toEqual({ type: "newer", found: "version 9" });
    expect(chooseSuperblock([bytes]).type).toBe("newer");
  });
});

describe("of four copies", () => {
  // evidence: G4
  test("every combination of what a crash can leave gives the new one, the old one or a refusal", () => {
    let seen = 0;
    for (const states of combinations()) {
      const count = (state: string) => states.filter((each) => each === state).length;
      const expected = count("new") >= 2 ? 3 : count("old") >= 2 ? 2 : undefined;
      expect(sequenceOf(states), states.join(" ")).toBe(expected);
      seen += 1;
    }
    expect(seen).toBe(7 ** 4);
  });

  test("one or two that are lost after an acknowledged write never bring the old one back", () => {
    for (const states of combinations()) {
      const lost = states.filter((state) => state !== "new").length;
      if (lost <= 2) expect(sequenceOf(states), states.join(" ")).toBe(3);
    }
  });

  test("a lone newer one is ignored: nobody was told of it", () => {
    expect(sequenceOf(["new", "old", "old", "zero"])).toBe(2);
  });

  test("two that do not descend from each other are refused: two histories in one file", () => {
    const stranger: Superblock = { ...OLD, epoch: 99 };
    const copies = [encodeCopy(NEW, 0), encodeCopy(NEW, 1), encodeCopy(stranger, 2), undefined];
    expect(chooseSuperblock(copies)).toMatchObject({ type: "refused" });
    const [a, b] = [encodeCopy(stranger, 2), encodeCopy(stranger, 3)];
    expect(chooseSuperblock([encodeCopy(OLD, 0), encodeCopy(OLD, 1), a, b])).toMatchObject({
      type: "refused",
    });
  });

  test("those that are written first leave two good ones, and not those in doubt", () => {
    for (const states of combinations()) {
      const choice = choiceFor(states);
      if (choice.type !== "found") continue;
      const { superblock, doubtful } = choice;
      const state = superblock.sequence === NEW.sequence ? "new" : "old";
      const overwritten = doubtful.length > 0 ? doubtful : FIRST_HALF;
      const rest = [0, 1, 2, 3].filter((index) => !overwritten.includes(index));
      const untouched = rest.map((index) => states[index]).join(" ");
      expect(["old old", `${state} ${state}`], states.join(" ")).toContain(untouched);
    }
  });

  test("the older half is certain, and copies 0 and 1 where there is none", () => {
    const doubtful = (states: string) => {
      const choice = choiceFor(states.split(" "));
      return choice.type === "found" ? choice.doubtful : undefined;
    };
    expect(doubtful("new new old old")).toEqual([]);
    expect(doubtful("old old new new")).toEqual(SECOND_HALF);
    expect(doubtful("new new new new")).toEqual(SECOND_HALF);
    expect(doubtful("new new torn old")).toEqual(SECOND_HALF);
    expect(doubtful("torn new old old")).toEqual([]);
    expect(doubtful("new torn new old")).toEqual([1, 3]);
  });
});
