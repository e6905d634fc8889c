/**
 * SQLITE FILES FOR TESTS, made and judged by SQLite itself, which works on bytes in memory here.
 *
 * (1) A seed says all: size of a page, reserved bytes, vacuum mode, tables, rows, what is deleted.
 */
import sqlite3InitModule from "@sqlite.org/sqlite-wasm";
import { type SeededRandom, seeded } from "../io/index.ts";
import { SQLITE_HEADER } from "./header.ts";

type Sqlite3 = Awaited<ReturnType<typeof sqlite3InitModule>>;
type RawDatabase = InstanceType<Sqlite3["oo1"]["DB"]>;

export interface RealFile {
  readonly bytes: Uint8Array;
  readonly what: string;
}

const PAGE_SIZES = [512, 512, 1024, 4096, 65536] as const;
const RESERVED = [0, 0, 0, 8, 32] as const;
/** Number of SQLite's file control for reserved bytes. */
const RESERVE_BYTES = 38;

export class RealSqlite {
  readonly #sqlite3: Sqlite3;

  constructor(sqlite3: Sqlite3) {
    this.#sqlite3 = sqlite3;
  }

  static async load(): Promise<RealSqlite> {
    const sqlite3 = await sqlite3InitModule();
    // What is refused would be printed, too.
    Object.assign(sqlite3.config, { error: () => {}, warn: () => {} });
    return new RealSqlite(sqlite3);
  }

  /** See (1). */
  make(seed: number): RealFile {
    const random = seeded(seed);
    const pageBytes = random.pick(PAGE_SIZES);
    const reserved = random.pick(RESERVED);
    const vacuum = random.below(3);
    const db = new this.#sqlite3.oo1.DB(":memory:");
    try {
      this.#reserve(db, reserved);
      db.exec(`pragma page_size = ${pageBytes}; pragma auto_vacuum = ${vacuum}`);
      const tables = 1 + random.below(4);
      for (let number = 0; number < tables; number += 1) fill(db, random, { number, pageBytes });
      if (random.below(4) === 0) db.exec("vacuum");
      if (vacuum === 2 && random.below(2) === 0) db.exec("pragma incremental_vacuum(3)");
      const bytes = this.#sqlite3.capi.sqlite3_js_db_export(db);
      return { bytes, what: `seed ${seed}: ${pageBytes}/${reserved}, auto_vacuum ${vacuum}` };
    } finally {
      db.close();
    }
  }

  /** A file that SQL makes. */
  run(sql: string): Uint8Array {
    const db = new this.#sqlite3.oo1.DB(":memory:");
    try {
      db.exec(sql);
      return this.#sqlite3.capi.sqlite3_js_db_export(db);
    } finally {
      db.close();
    }
  }

  /** What `pragma quick_check` says, or why it does not come to that. */
  quickCheck(bytes: Uint8Array): string[] {
    const { capi, wasm, oo1 } = this.#sqlite3;
    const db = new oo1.DB(":memory:");
    try {
      const flags = capi.SQLITE_DESERIALIZE_FREEONCLOSE;
      const at = wasm.allocFromTypedArray(bytes);
      db.checkRc(capi.sqlite3_deserialize(db, "main", at, bytes.length, bytes.length, flags));
      return db.selectValues("pragma quick_check(20)").map(String);
    } catch (error) {
      return [String(error)];
    } finally {
      db.close();
    }
  }

  #reserve(db: RawDatabase, bytes: number): void {
    const { capi, wasm } = this.#sqlite3;
    const at = wasm.alloc(4);
    wasm.poke(at, bytes, "i32");
    capi.sqlite3_file_control(db, "main", RESERVE_BYTES, at);
    wasm.dealloc(at);
  }
}

function fill(
  db: RawDatabase,
  random: SeededRandom,
  { number, pageBytes }: { readonly number: number; readonly pageBytes: number },
): void {
  const table = `t${number}`;
  const isKeyed = random.below(3) === 0;
  db.exec(
    isKeyed
      ? `create table ${table} (a text, b integer, c blob, primary key (a, b)) without rowid`
      : `create table ${table} (a text, b integer, c blob, d)`,
  );
  if (random.below(2) === 0) db.exec(`create index ${table}_b on ${table} (b, c)`);
  if (random.below(4) === 0)
    db.exec(`create view ${table}_v as select ${wide(random)} from ${table}`);
  db.exec("begin");
  const rows = random.below(150);
  const columns = isKeyed ? "a, b, c" : "rowid, a, b, c";
  for (let row = 0; row < rows; row += 1) {
    const values = [
      ...(isKeyed ? [] : [rowidOf(random, row)]),
      `'${"x".repeat(random.below(20))}${row}'`,
      String(random.below(1e9) - 5e8),
      `randomblob(${random.below(12) === 0 ? random.below(3 * pageBytes) : random.below(40)})`,
    ];
    db.exec(`insert or replace into ${table} (${columns}) values (${values.join()})`);
  }
  db.exec("commit");
  const kept = random.below(5);
  if (kept < 4) db.exec(`delete from ${table} where b % 4 > ${kept}`);
  if (random.below(8) === 0) db.exec(`drop table ${table}`);
}

/** Most are small; a few are near both ends of 64 bits. */
function rowidOf(random: SeededRandom, row: number): string {
  const kind = random.below(20);
  if (kind === 0) return `9223372036854775807 - ${row}`;
  if (kind === 1) return `-9223372036854775807 + ${row}`;
  if (kind === 2) return String(-1 - row);
  return String(random.below(1e6));
}

/** SQL that does not fit a small page. */
function wide(random: SeededRandom): string {
  return Array.from({ length: 1 + random.below(200) }, (_, index) => `b as column_${index}`).join();
}

export function pageBytesOf(bytes: Uint8Array): number {
  const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint16(
    SQLITE_HEADER.offset.pageBytes,
  );
  return stored === 1 ? 65536 : stored;
}
