/**
 * THE FILE SYSTEM THAT SQLITE SEES: a MainFile for each database, a TempFile for each journal and
 * temporary file, time and randomness from the world. One per engine.
 *
 * (1) It opens the database that `connect` announced and nothing else: no name in SQL reaches a
 *     file.
 * (2) Nothing is ever found lying about: no journal, no write-ahead log. So xAccess finds nothing
 *     and xDelete has nothing to do.
 * (3) It is the instance's default file system, for SQLite seeds its random numbers from that one.
 */
import { assert } from "../../base/assert.ts";
import type { Clock, Random, Storage } from "../../base/env.ts";
import * as abi from "../wasm/abi.ts";
import { Heap } from "../wasm/heap.ts";
import type { Pointer, RawModule } from "../wasm/raw.ts";
import { Faults } from "./faults.ts";
import { Handles } from "./handles.ts";
import { type Methods, mainFileMethods, tempFileMethods } from "./io-methods.ts";
import type { MainFile } from "./main-file.ts";
import { bufferPools, TempFile, type TempFileWorld } from "./temp-file.ts";

export interface VfsEnv {
  readonly clock: Clock;
  readonly random: Random;
  readonly storage: Storage;
}

/** What `sqlite3_vfs_find` would know it by; nobody asks. */
const NAME = "page-space";
const PATH_BYTES_MAX = 64;
/** From Julian day 0 to 1970, in milliseconds. */
const JULIAN_EPOCH_MS = 210_866_760_000_000;
const DAY_MS = 86_400_000;

type StructName = "sqlite3_vfs" | "sqlite3_io_methods";

export class Vfs {
  readonly faults = new Faults();
  readonly #raw: RawModule;
  readonly #heap: Heap;
  readonly #env: VfsEnv;
  readonly #mains = new Handles<MainFile>();
  readonly #temps = new Handles<TempFile>();
  readonly #tempWorld: TempFileWorld;
  readonly #mainMethods: Pointer;
  readonly #tempMethods: Pointer;
  /** See (1). */
  #announced: MainFile | undefined;

  constructor(raw: RawModule, heap: Heap, env: VfsEnv) {
    this.#raw = raw;
    this.#heap = heap;
    this.#env = env;
    this.#tempWorld = { heap, pools: bufferPools({ c: raw.c, heap }), storage: env.storage };
    const { faults } = this;
    const mains = mainFileMethods({ heap, faults, files: this.#mains });
    const temps = tempFileMethods({ heap, faults, files: this.#temps });
    this.#mainMethods = this.#struct("sqlite3_io_methods", mains);
    this.#tempMethods = this.#struct("sqlite3_io_methods", temps);
    this.#register();
  }

  /** The next database that SQLite opens is this one. */
  announce(file: MainFile | undefined): void {
    this.#announced = file;
  }

  #register(): void {
    const { c } = this.#raw;
    const name = this.#allocate(Heap.bytesMax(NAME) + 1);
    this.#heap.u8[name + this.#heap.writeText(NAME, name)] = 0;
    const vfs = this.#struct("sqlite3_vfs", {
      ...this.#fileCallbacks(),
      ...this.#worldCallbacks(),
    });
    this.#set("sqlite3_vfs", vfs, { iVersion: 2, szOsFile: abi.FILE_STRUCT.sizeBytes });
    this.#set("sqlite3_vfs", vfs, { mxPathname: PATH_BYTES_MAX, zName: name });
    assert(c.sqlite3_vfs_register(vfs, 1) === abi.SQLITE_OK, "the file system was not registered");
    c.sqlite3_randomness(0, 0); // Forgets what the file system before ours was the seed of.
  }

  /** Never freed: it lives as long as the instance. */
  #allocate(bytes: number): Pointer {
    const address = this.#raw.c.sqlite3_malloc(bytes);
    assert(address !== 0, "no memory for a new engine");
    this.#heap.fresh();
    return address;
  }

  #struct(struct: StructName, methods: Methods): Pointer {
    const bytes = this.#raw.sizeBytes(struct);
    const address = this.#allocate(bytes);
    this.#heap.u8.fill(0, address, address + bytes);
    const fields: Record<string, number> = { iVersion: 1 };
    for (const [name, [signature, callback]] of Object.entries(methods)) {
      fields[name] = this.#raw.install(signature, callback);
    }
    this.#heap.fresh();
    this.#set(struct, address, fields);
    return address;
  }

  #set(struct: StructName, address: Pointer, fields: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(fields)) {
      this.#heap.i32[(address + this.#raw.member(struct, name)) >> 2] = value;
    }
  }

  #fileCallbacks(): Methods {
    const heap = this.#heap;
    return {
      xOpen: [
        "i(pppip)",
        (_vfs: Pointer, _name: Pointer, file: Pointer, flags: number, outFlags: Pointer): number =>
          this.#open(file, flags, outFlags),
      ],
      xDelete: ["i(ppi)", () => abi.SQLITE_OK],
      xAccess: [
        "i(ppip)",
        (_vfs: Pointer, _name: Pointer, _flags: number, result: Pointer): number => {
          heap.fresh();
          heap.i32[result >> 2] = 0;
          return abi.SQLITE_OK;
        },
      ],
      xFullPathname: [
        "i(ppip)",
        (_vfs: Pointer, name: Pointer, room: number, into: Pointer): number => {
          heap.fresh();
          const end = heap.u8.indexOf(0, name) + 1;
          if (end - name > room) return abi.SQLITE_CANTOPEN;
          heap.u8.copyWithin(into, name, end);
          return abi.SQLITE_OK;
        },
      ],
    };
  }

  #open(file: Pointer, flags: number, outFlags: Pointer): number {
    const heap = this.#heap;
    heap.fresh();
    const { methods, id } = abi.FILE_STRUCT;
    heap.i32[(file + methods) >> 2] = 0; // Without methods SQLite does not close what failed.
    if ((flags & abi.SQLITE_OPEN_MAIN_DB) === 0) {
      heap.i32[(file + id) >> 2] = this.#temps.add(new TempFile(this.#tempWorld));
      heap.i32[(file + methods) >> 2] = this.#tempMethods;
    } else {
      const main = this.#announced;
      this.#announced = undefined;
      if (main === undefined) return abi.SQLITE_CANTOPEN;
      heap.i32[(file + id) >> 2] = this.#mains.add(main);
      heap.i32[(file + methods) >> 2] = this.#mainMethods;
    }
    if (outFlags !== 0) heap.i32[outFlags >> 2] = flags;
    return abi.SQLITE_OK;
  }

  #worldCallbacks(): Methods {
    const heap = this.#heap;
    const { faults } = this;
    const { clock, random } = this.#env;
    const julianMs = (): number => JULIAN_EPOCH_MS + Math.floor(clock.wallMs());
    return {
      xRandomness: [
        "i(pip)",
        (_vfs: Pointer, count: number, into: Pointer): number =>
          faults.guard(0, () => {
            heap.fresh();
            heap.u8.set(random.bytes(count), into);
            return count;
          }),
      ],
      // Nothing that is locked is worth waiting for within a call: whoever holds it cannot run.
      xSleep: ["i(pi)", (_vfs: Pointer, microseconds: number): number => microseconds],
      xCurrentTime: [
        "i(pp)",
        (_vfs: Pointer, into: Pointer): number =>
          faults.guard(abi.SQLITE_ERROR, () => {
            heap.fresh();
            heap.f64[into >> 3] = julianMs() / DAY_MS;
            return abi.SQLITE_OK;
          }),
      ],
      xCurrentTimeInt64: [
        "i(pp)",
        (_vfs: Pointer, into: Pointer): number =>
          faults.guard(abi.SQLITE_ERROR, () => {
            heap.fresh();
            heap.i64[into >> 3] = BigInt(julianMs());
            return abi.SQLITE_OK;
          }),
      ],
      xGetLastError: ["i(pip)", () => abi.SQLITE_OK],
    };
  }
}
