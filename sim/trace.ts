/**
 * THE TRACE of a simulated run: everything that was asked of the disk, with its moment and its
 * outcome, and what the clients did. Two runs of one seed have the same hash, or something in the
 * store looked at the real world.
 *
 * (1) Bytes written enter by their hash, so a difference in content changes that of the trace. Not
 *     by a CRC: what ends in its own CRC, as pages of ours do, always has the same.
 * (2) The clock moves with every reading, so even one reading more changes the hash.
 */
import { createHash } from "node:crypto";
import type { Driver, LogFile } from "../src/base/driver.ts";
import type { Env, File, Storage } from "../src/base/env.ts";
import { systemCode } from "../src/base/errors.ts";

export class Trace {
  readonly #hash = createHash("sha256");
  readonly #print: ((line: string) => void) | undefined;
  readonly #nowMs: () => number;
  lines = 0;
  #isOver = false;

  constructor(nowMs: () => number, print?: (line: string) => void) {
    this.#nowMs = nowMs;
    this.#print = print;
  }

  note(text: string): void {
    if (this.#isOver) return; // Of calls that a world was ended in the middle of.
    const line = `${this.#nowMs().toFixed(3)} ${text}`;
    this.lines += 1;
    this.#hash.update(line);
    this.#print?.(line);
  }

  /** Of everything noted so far; undefined if that is nothing. Ends the trace. */
  digest(): string | undefined {
    this.#isOver = true;
    return this.lines === 0 ? undefined : this.#hash.digest("hex");
  }
}

/** The same world, with every call that reaches its disk noted. */
export function traced(env: Env, trace: Trace): Env {
  const { storage, ...rest } = env;
  return { ...rest, storage: tracedStorage(storage, trace) };
}

/** Notes how a call ends, and hands its end on. */
function noted<T>(trace: Trace, what: string, call: Promise<T>): Promise<T> {
  call.then(
    (answer) => trace.note(typeof answer === "number" ? `${what} = ${answer}` : what),
    (error) => trace.note(`${what} ! ${systemCode(error) ?? error}`),
  );
  return call;
}

function notedSync<T>(trace: Trace, what: string, call: () => T): T {
  try {
    const answer = call();
    trace.note(`${what} now`);
    return answer;
  } catch (error) {
    trace.note(`${what} now ! ${systemCode(error) ?? error}`);
    throw error;
  }
}

function tracedStorage(storage: Storage, trace: Trace): Storage {
  const note = <T>(what: string, call: Promise<T>) => noted(trace, what, call);
  return {
    open: (path, mode) =>
      note(`${mode} ${path}`, storage.open(path, mode)).then((file) =>
        tracedFile(file, { path, trace }),
      ),
    openSync: (path) => {
      const file = notedSync(trace, `read ${path}`, () => storage.openSync(path));
      return tracedFile(file, { path, trace });
    },
    createSync: (path) => {
      const file = notedSync(trace, `create ${path}`, () => storage.createSync(path));
      return tracedFile(file, { path, trace });
    },
    mkdirSync: (path) => notedSync(trace, `mkdir ${path}`, () => storage.mkdirSync(path)),
    renameSync: (from, to) =>
      notedSync(trace, `rename ${from} ${to}`, () => storage.renameSync(from, to)),
    syncDirectorySync: (path) =>
      notedSync(trace, `syncDirectory ${path}`, () => storage.syncDirectorySync(path)),
    mkdir: (path) => note(`mkdir ${path}`, storage.mkdir(path)),
    list: (path) => note(`list ${path}`, storage.list(path)),
    rename: (from, to) => note(`rename ${from} ${to}`, storage.rename(from, to)),
    link: (from, to) => note(`link ${from} ${to}`, storage.link(from, to)),
    unlink: (path) => note(`unlink ${path}`, storage.unlink(path)),
    stat: (path) => note(`stat ${path}`, storage.stat(path)),
    syncDirectory: (path) => note(`syncDirectory ${path}`, storage.syncDirectory(path)),
    freeBytes: (path) => storage.freeBytes(path),
    scratch: () => storage.scratch(),
    threads: storage.threads,
    driver: (options) => storage.driver(options).then((driver) => tracedDriver(driver, trace)),
  };
}

function tracedDriver(driver: Driver, trace: Trace): Driver {
  return {
    ...driver,
    open: async (path) => {
      const file = await noted(trace, `log ${path}`, driver.open(path));
      return { ...tracedLogFile(file, { path, trace }), writesAreDurable: file.writesAreDurable };
    },
  };
}

function tracedLogFile(
  file: Omit<LogFile, "writesAreDurable">,
  { path, trace }: FileTrace,
): Omit<LogFile, "writesAreDurable"> {
  const written = (from: Uint8Array, at: number) =>
    `write ${path} ${at}+${from.length} ${fingerprint(from)}`;
  return {
    write: (from, at) => noted(trace, written(from, at), file.write(from, at)),
    writeSync: (from, at) => notedSync(trace, written(from, at), () => file.writeSync(from, at)),
    sync: () => noted(trace, `sync ${path}`, file.sync()),
    syncSync: () => notedSync(trace, `sync ${path}`, () => file.syncSync()),
    close: () => file.close(),
  };
}

interface FileTrace {
  readonly path: string;
  readonly trace: Trace;
}

function tracedFile(file: File, { path, trace }: FileTrace): File {
  const read = (into: Uint8Array, at: number) => `read ${path} ${at}+${into.length}`;
  return {
    ...tracedLogFile(file, { path, trace }),
    read: (into, at) => noted(trace, read(into, at), file.read(into, at)),
    readSync: (into, at) => notedSync(trace, read(into, at), () => file.readSync(into, at)),
    truncate: (bytes) => noted(trace, `truncate ${path} ${bytes}`, file.truncate(bytes)),
    preallocate: (bytes) => noted(trace, `preallocate ${path} ${bytes}`, file.preallocate(bytes)),
    size: () => noted(trace, `size ${path}`, file.size()),
  };
}

function fingerprint(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex").slice(0, 12);
}
