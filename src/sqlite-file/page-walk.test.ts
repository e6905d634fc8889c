import { beforeAll, describe, expect, test } from "vitest";
import { type SeededRandom, seeded } from "../io/index.ts";
import { SQLITE_HEADER } from "./header.ts";
import { type WalkVerdict, walkPages } from "./page-walk.ts";
import { PointerMapPlaces } from "./pointer-map.ts";
import { pageBytesOf, type RealFile, RealSqlite } from "./real-files.fixture.ts";

let sqlite: RealSqlite;
let files: RealFile[];
beforeAll(async () => {
  sqlite = await RealSqlite.load();
  files = Array.from({ length: 24 }, (_, index) => sqlite.make(index + 1));
});

/**
 * What the engine finds by itself, when it reads the schema, and what the walk does not look into.
 * Entries of indexes are counted by the walk, and compared by whoever knows which index is partial.
 */
const NOT_OF_PAGES = /malformed database schema|wrong # of entries in index/;

describe("a walk over files that SQLite wrote", () => {
  test("finds nothing wrong, whatever the size of a page, the vacuum mode and the rows", () => {
    const seen = new Set<string>();
    for (const { bytes, what } of files) {
      expect(sqlite.quickCheck(bytes), what).toEqual(["ok"]);
      expect(walk(bytes), what).toMatchObject({ type: "sound" });
      seen
        .add(`${pageBytesOf(bytes)}`)
        .add(`reserved ${bytes[SQLITE_HEADER.offset.reservedBytes]}`);
      seen.add(/auto_vacuum \d/.exec(what)?.[0] ?? "");
    }
    expect([...seen].sort()).toEqual(
      ["1024", "4096", "512", "65536", "auto_vacuum 0", "auto_vacuum 1", "auto_vacuum 2"].concat([
        "reserved 0",
        "reserved 32",
        "reserved 8",
      ]),
    );
  });

  test("counts pages, rows and entries of each table and index", () => {
    const verdict = walk(
      sqlite.run(`
        pragma page_size = 512;
        create table row (id integer primary key, body text unique);
        create table keyed (name text primary key, body) without rowid;
        create index some on row (body) where id > 390;
        with recursive n (i) as (select 1 union all select i + 1 from n where i < 400)
        insert into row select i, printf('row %d', i) from n;
        insert into keyed select body, zeroblob(id) from row where id < 200;
        create view looks as select * from row;`),
    );
    expect(verdict).toMatchObject({
      trees: [
        { type: "table", name: "row", table: "row", entries: 400 },
        { type: "index", name: "sqlite_autoindex_row_1", table: "row", entries: 400 },
        { type: "table", name: "keyed", table: "keyed", entries: 199 },
        { type: "index", name: "some", table: "row", pages: 1, entries: 10 },
      ],
    });
  });

  test("a schema whose SQL fills many pages is read as one that does not", () => {
    const columns = Array.from({ length: 900 }, (_, index) => `column_${index} text`).join();
    const bytes = sqlite.run(
      `pragma page_size = 512; create table "${"n".repeat(2000)}" (${columns})`,
    );
    expect(walk(bytes)).toMatchObject({ trees: [{ name: "n".repeat(2000), entries: 0 }] });
  });
});

describe("a walk over damaged files", () => {
  test("what SQLite's own check finds wrong with the structure is refused as well", () => {
    let [refused, sound] = [0, 0];
    for (const [index, { bytes, what }] of files.slice(0, 12).entries()) {
      const random = seeded(1000 + index);
      for (let count = 0; count < 40; count += 1) {
        const damaged = bytes.slice();
        const how = damage(damaged, random);
        const complaints = sqlite.quickCheck(damaged).filter((found) => found !== "ok");
        const verdict = walk(damaged, pageBytesOf(bytes));
        if (verdict.type === "damaged") refused += 1;
        else sound += 1;
        if (complaints.every((found) => NOT_OF_PAGES.test(found))) continue;
        expect(verdict.type, `${what}, ${how}: ${complaints.join("; ")}`).toBe("damaged");
      }
    }
    expect(refused).toBeGreaterThan(100);
    expect(sound).toBeGreaterThan(100);
  });

  test.each<[string, (file: Pages) => void, number, RegExp]>([
    ["a page that two name", (file) => file.u32(leafPointer(file, 1), leaf(file, 0)), 5, /twice/],
    ["a page that nobody names", (file) => file.grow(), 0, /nothing names it/],
    [
      "a page beyond the file",
      (file) => file.u32(leafPointer(file, 0), 9999),
      0,
      /names page 9999/,
    ],
    [
      "a page of another kind",
      (file) => file.u8(leaf(file, 1) * 512 - 512, 10),
      0,
      /is of no table/,
    ],
    ["a page of no kind", (file) => file.u8(leaf(file, 1) * 512 - 512, 7), 0, /no page of a table/],
    ["a rowid that is its neighbour's", rowidTwice, 0, /rowid \d+ is out of order/],
    [
      "a count of fragments",
      (file) => file.u8(leaf(file, 1) * 512 - 505, 9),
      0,
      /bytes are of noth/,
    ],
    ["a cell in the header", (file) => file.u16(leaf(file, 1) * 512 - 504, 3), 0, /none can be/],
    ["two cells at one place", cellTwice, 0, /used twice|out of order/],
    ["a free list that is longer", (file) => file.u32(36, 3), 1, /3 pages are free, and 0/],
    ["a file that is shorter", (file) => file.u32(28, 9999), 1, /header says 9999 pages/],
    ["incremental vacuum, and no map", (file) => file.u32(64, 1), 1, /no pointer map/],
  ])("%s is told with its page", (_what, hurt, page, why) => {
    const file = new Pages(
      sqlite.run(`
        pragma page_size = 512;
        create table row (id integer primary key, body text);
        with recursive n (i) as (select 1 union all select i + 1 from n where i < 60)
        insert into row select i, printf('%050d', i) from n;`),
    );
    hurt(file);
    const verdict = walk(file.bytes);
    expect(verdict).toMatchObject({ type: "damaged", why: expect.stringMatching(why) });
    if (page === 1) expect(verdict).toMatchObject({ page });
  });

  test("a chain of overflow pages that is cut, goes on or bites its tail is refused", () => {
    const bytes = sqlite.run(`
      pragma page_size = 512; create table row (body); insert into row values (zeroblob(4000));`);
    const last = bytes.length / 512;
    for (const [at, next] of [
      [5, 0],
      [last, 3],
      [last, 1],
      [6, 4],
    ] as const) {
      const file = new Pages(bytes.slice());
      file.u32((at - 1) * 512, next);
      expect(walk(file.bytes).type, `page ${at} names ${next}`).toBe("damaged");
      expect(sqlite.quickCheck(file.bytes)[0]).not.toBe("ok");
    }
  });

  test("a pointer map that names another parent is refused", () => {
    const bytes = sqlite.run(`
      pragma page_size = 512; pragma auto_vacuum = incremental;
      create table row (body); insert into row values (zeroblob(2000));`);
    const file = new Pages(bytes);
    expect(walk(bytes).type).toBe("sound");
    file.u32(512 + 5 + 1, 5);
    expect(walk(bytes)).toMatchObject({ page: 2, why: expect.stringMatching(/says page 4 is of/) });
  });
});

describe("a file above 1 GiB", () => {
  const lockPage = 2 ** 30 / 65536 + 1;

  test("the page of SQLite's locks is no page of anything, and not missed", () => {
    expect(walkGiant((page) => page !== lockPage)).toMatchObject({ type: "sound" });
  });

  test("that page in the free list is refused", () => {
    const verdict = walkGiant(() => true);
    expect(verdict).toMatchObject({ why: expect.stringMatching(`names page ${lockPage}`) });
  });

  test("a page of the pointer map that would lie there lies behind it", () => {
    const places = new PointerMapPlaces(1024, 2 ** 20 + 1);
    expect(places.mapOf(2 ** 20 + 50)).toBe(2 ** 20 + 2);
    expect(places.isMap(2 ** 20 + 2)).toBe(true);
    expect(places.offsetOf(2 ** 20 + 3)).toBe(0);
    expect(places.mapOf(2 ** 20)).toBe(2 ** 20 + 1 - 205);
  });
});

function walk(bytes: Uint8Array, pageBytes = pageBytesOf(bytes)): WalkVerdict {
  const pageCount = Math.floor(bytes.length / pageBytes);
  return drive({ pageBytes, pageCount }, (page) =>
    bytes.subarray((page - 1) * pageBytes, page * pageBytes),
  );
}

/** Every image lies in the same buffer: nobody may keep one. */
function drive(
  size: { readonly pageBytes: number; readonly pageCount: number },
  imageOf: (page: number) => Uint8Array,
): WalkVerdict {
  const walking = walkPages(size);
  const image = new Uint8Array(size.pageBytes);
  for (let step = walking.next(); ; step = walking.next(image)) {
    if (step.done === true) return step.value;
    image.fill(0xee);
    if (step.value > 0) image.set(imageOf(step.value));
  }
}

/** An empty database of 16,400 pages of 64 KiB, which are free: two trunks list them. */
function walkGiant(isListed: (page: number) => boolean): WalkVerdict {
  const pageCount = 16_400;
  const lists = new Map([
    [2, { next: 16_390, leaves: range(3, 16_000).filter(isListed) }],
    [
      16_390,
      {
        next: 0,
        leaves: range(16_001, pageCount)
          .filter((n) => n !== 16_390)
          .filter(isListed),
      },
    ],
  ]);
  const free = [...lists.values()].reduce((sum, { leaves }) => sum + 1 + leaves.length, 0);
  const first = new Pages(sqlite.run("pragma page_size = 65536; pragma user_version = 1"));
  first.u32(28, pageCount);
  first.u32(32, 2);
  first.u32(36, free);
  return drive({ pageBytes: 65536, pageCount }, (page) => {
    if (page === 1) return first.bytes;
    const image = new Pages(new Uint8Array(65536));
    const list = lists.get(page);
    image.u32(0, list?.next ?? 0);
    image.u32(4, list?.leaves.length ?? 0);
    for (const [index, leaf] of (list?.leaves ?? []).entries()) image.u32(8 + 4 * index, leaf);
    return image.bytes;
  });
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** A file to hurt. */
class Pages {
  bytes: Uint8Array;
  #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(at: number, value: number): void {
    this.#view.setUint8(at, value);
  }

  u16(at: number, value: number): void {
    this.#view.setUint16(at, value);
  }

  u32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  at16(at: number): number {
    return this.#view.getUint16(at);
  }

  at32(at: number): number {
    return this.#view.getUint32(at);
  }

  /** One page more, of which the header knows. */
  grow(): void {
    this.bytes = new Uint8Array(Buffer.concat([this.bytes, new Uint8Array(512)]));
    this.#view = new DataView(this.bytes.buffer);
    this.u32(28, this.bytes.length / 512);
  }
}

/** The only table has its root in page 2; where its cell for a leaf lies in the file. */
function leafPointer(file: Pages, index: number): number {
  return 512 + file.at16(512 + 12 + 2 * index);
}

function leaf(file: Pages, index: number): number {
  return file.at32(leafPointer(file, index));
}

/** Its first cell lies where its second does. */
function cellTwice(file: Pages): void {
  const at = (leaf(file, 1) - 1) * 512 + 8;
  file.u16(at, file.at16(at + 2));
}

/** The second cell gets the rowid of the first; both are a byte. */
function rowidTwice(file: Pages): void {
  const at = (leaf(file, 1) - 1) * 512;
  const [first, second] = [file.at16(at + 8), file.at16(at + 10)];
  file.u8(at + second + 1, file.bytes[at + first + 1] ?? 0);
}

/** Returns what it did. */
function damage(bytes: Uint8Array, random: SeededRandom): string {
  const pageBytes = pageBytesOf(bytes);
  const pages = bytes.length / pageBytes;
  const page = random.below(pages);
  const at = page * pageBytes;
  const head = at + (page === 0 ? SQLITE_HEADER.sizeBytes : 0);
  const put = (where: number, value: number): string => {
    bytes[where] = value;
    return `byte ${where - at} of page ${page + 1} is ${value}`;
  };
  switch (random.below(7)) {
    case 0:
      return put(at + random.below(pageBytes), random.below(256));
    case 1:
      return put(head + random.below(12), random.below(256));
    case 2:
      return put(head + 8 + random.below(60), random.below(256));
    case 3: {
      const from = random.below(pages);
      bytes.copyWithin(at, from * pageBytes, (from + 1) * pageBytes);
      return `page ${page + 1} is as page ${from + 1}`;
    }
    case 4:
      bytes.fill(0, at, at + pageBytes);
      return `page ${page + 1} is zeros`;
    case 5: {
      const where = SQLITE_HEADER.offset.changeCounter + random.below(76);
      bytes[where] = random.below(256);
      return `byte ${where} of the header`;
    }
    default: {
      const where = at + random.below(pageBytes / 4) * 4;
      new DataView(bytes.buffer).setUint32(where, random.below(pages + 2));
      return `a number at byte ${where - at} of page ${page + 1}`;
    }
  }
}
