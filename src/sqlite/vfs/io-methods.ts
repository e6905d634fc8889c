/**
 * THE CALLBACKS ON OPEN FILES: how C reaches a MainFile or a TempFile. Two method tables, so that
 * each callback has one kind of file to deal with.
 *
 * Each `sqlite3_file` carries, behind its method table, the index of its file.
 *
 * A page that is away (PagesAway) is SQLITE_BUSY to the pager, as a lock would be: a refusal that
 * passes. An I/O error would roll the transaction back.
 */
import { ioError, systemCode } from "../../base/errors.ts";
import { PagesAway } from "../../page-store/index.ts";
import * as abi from "../wasm/abi.ts";
import type { Heap } from "../wasm/heap.ts";
import type { Pointer } from "../wasm/raw.ts";
import type { Faults } from "./faults.ts";
import type { Handles } from "./handles.ts";
import type { MainFile } from "./main-file.ts";
import { resizeShim, transferShim } from "./shims.ts";
import type { TempFile } from "./temp-file.ts";

type Callback = (...args: never[]) => unknown;
/** Callbacks by member of the struct, each with its signature in the official module's notation. */
export type Methods = Readonly<Record<string, readonly [signature: string, callback: Callback]>>;

export interface FileTable<T> {
  readonly heap: Heap;
  readonly faults: Faults;
  readonly files: Handles<T>;
}

/** What the pager needs to know of our files: see the names in abi.ts. */
const CHARACTERISTICS =
  abi.IOCAP_SAFE_APPEND |
  abi.IOCAP_SEQUENTIAL |
  abi.IOCAP_UNDELETABLE_WHEN_OPEN |
  abi.IOCAP_POWERSAFE_OVERWRITE;

const SECTOR_BYTES = 512;

/** The index of an open file; every callback begins with it, so memory is looked at anew here. */
function indexOf(heap: Heap, file: Pointer): number {
  heap.fresh();
  return heap.i32[(file + abi.FILE_STRUCT.id) >> 2] as number;
}

/**
 * No journal is ever hot: a process that ends leaves none. xCheckReservedLock says that somebody
 * writes, which spares the pager a look at its own journal.
 */
function sharedMethods(heap: Heap): Methods {
  const fine = (): number => abi.SQLITE_OK;
  return {
    xSync: ["i(pi)", fine],
    xLock: ["i(pi)", fine],
    xUnlock: ["i(pi)", fine],
    xCheckReservedLock: [
      "i(pp)",
      (_file: Pointer, result: Pointer): number => {
        heap.fresh();
        heap.i32[result >> 2] = 1;
        return abi.SQLITE_OK;
      },
    ],
    xFileControl: ["i(pip)", () => abi.SQLITE_NOTFOUND],
    xSectorSize: ["i(p)", () => SECTOR_BYTES],
    xDeviceCharacteristics: ["i(p)", () => CHARACTERISTICS],
  };
}

function writeSize(heap: Heap, result: Pointer, bytes: number): number {
  heap.u32[result >> 2] = bytes >>> 0;
  heap.u32[(result >> 2) + 1] = Math.floor(bytes / 2 ** 32);
  return abi.SQLITE_OK;
}

function codeOf(error: unknown, code: number): number {
  return error instanceof PagesAway ? abi.SQLITE_BUSY : code;
}

export function mainFileMethods({ heap, faults, files }: FileTable<MainFile>): Methods {
  const fileOf = (file: Pointer): MainFile => files.get(indexOf(heap, file));
  const read = (file: Pointer, address: Pointer, bytes: number, offset: number): number => {
    try {
      return fileOf(file).read(heap.u8, { address, bytes, offset });
    } catch (error) {
      faults.keep(error);
      return codeOf(error, abi.SQLITE_IOERR_READ);
    }
  };
  const write = (file: Pointer, address: Pointer, bytes: number, offset: number): number => {
    try {
      fileOf(file).write(heap.u8, { address, bytes, offset });
      return abi.SQLITE_OK;
    } catch (error) {
      faults.keep(error);
      return codeOf(error, abi.SQLITE_IOERR_WRITE);
    }
  };
  const truncate = (file: Pointer, sizeBytes: number): number =>
    faults.guard(abi.SQLITE_IOERR_TRUNCATE, () => {
      fileOf(file).truncate(sizeBytes);
      return abi.SQLITE_OK;
    });
  return {
    ...sharedMethods(heap),
    ...mainFileLocks(fileOf, faults),
    xRead: ["i(ppij)", transferShim(read)],
    xWrite: ["i(ppij)", transferShim(write)],
    xTruncate: ["i(pj)", resizeShim(truncate)],
    xFileSize: [
      "i(pp)",
      (file: Pointer, result: Pointer): number =>
        faults.guard(abi.SQLITE_IOERR_READ, () => {
          return writeSize(heap, result, fileOf(file).fileBytes());
        }),
    ],
    xClose: [
      "i(p)",
      (file: Pointer): number =>
        faults.guard(abi.SQLITE_OK, () => {
          files.remove(indexOf(heap, file)).close();
          return abi.SQLITE_OK;
        }),
    ],
  };
}

/** Locks, and the two moments of a commit. */
function mainFileLocks(fileOf: (file: Pointer) => MainFile, faults: Faults): Methods {
  return {
    xLock: [
      "i(pi)",
      // A refusal to begin (BOP_BACKPRESSURE…) is as harmless as a lock that another one holds.
      (file: Pointer, level: number): number => {
        try {
          return fileOf(file).lock(level);
        } catch (error) {
          faults.keep(error);
          return abi.SQLITE_BUSY;
        }
      },
    ],
    xUnlock: [
      "i(pi)",
      (file: Pointer, level: number): number => {
        try {
          fileOf(file).unlock(level);
        } catch (error) {
          faults.keep(error);
        }
        return abi.SQLITE_OK;
      },
    ],
    xFileControl: [
      "i(pip)",
      (file: Pointer, operation: number, _argument: Pointer): number => {
        if (operation !== abi.SQLITE_FCNTL_SYNC && operation !== abi.SQLITE_FCNTL_COMMIT_PHASETWO) {
          return abi.SQLITE_NOTFOUND;
        }
        try {
          const main = fileOf(file);
          if (operation === abi.SQLITE_FCNTL_SYNC) main.stage();
          else main.seal();
          return abi.SQLITE_OK;
        } catch (error) {
          faults.keep(error);
          return codeOf(error, abi.SQLITE_IOERR_FSYNC);
        }
      },
    ],
  };
}

/** A temporary file has no name that anybody could look for. */
const TEMPORARY = "a temporary file";

/** What the system said of a temporary file, as an error of ours; anything else as it is. */
function ofTheWorld(operation: string, error: unknown): unknown {
  return systemCode(error) === undefined ? error : ioError(operation, TEMPORARY, error);
}

export function tempFileMethods({ heap, faults, files }: FileTable<TempFile>): Methods {
  const fileOf = (file: Pointer): TempFile => files.get(indexOf(heap, file));
  const read = (file: Pointer, address: Pointer, bytes: number, offset: number): number => {
    try {
      const count = fileOf(file).read(address, bytes, offset);
      if (count === bytes) return abi.SQLITE_OK;
      heap.u8.fill(0, address + count, address + bytes);
      return abi.SQLITE_IOERR_SHORT_READ;
    } catch (error) {
      faults.keep(ofTheWorld("read", error));
      return abi.SQLITE_IOERR_READ;
    }
  };
  const write = (file: Pointer, address: Pointer, bytes: number, offset: number): number => {
    try {
      fileOf(file).write(address, bytes, offset);
      return abi.SQLITE_OK;
    } catch (error) {
      faults.keep(ofTheWorld("write", error));
      return abi.SQLITE_IOERR_WRITE;
    }
  };
  const truncate = (file: Pointer, sizeBytes: number): number => {
    try {
      fileOf(file).truncate(sizeBytes);
      return abi.SQLITE_OK;
    } catch (error) {
      faults.keep(ofTheWorld("truncate", error));
      return abi.SQLITE_IOERR_TRUNCATE;
    }
  };
  return {
    ...sharedMethods(heap),
    xRead: ["i(ppij)", transferShim(read)],
    xWrite: ["i(ppij)", transferShim(write)],
    xTruncate: ["i(pj)", resizeShim(truncate)],
    xFileSize: [
      "i(pp)",
      (file: Pointer, result: Pointer): number => writeSize(heap, result, fileOf(file).sizeBytes),
    ],
    xClose: [
      "i(p)",
      (file: Pointer): number =>
        faults.guard(abi.SQLITE_OK, () => {
          files.remove(indexOf(heap, file)).close();
          return abi.SQLITE_OK;
        }),
    ],
  };
}
