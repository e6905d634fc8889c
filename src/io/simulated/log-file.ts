/**
 * A FILE OF THE SIMULATED DRIVER, of one of two kinds.
 *
 *   buffered   a small write is copied within the call, as the standard driver does it
 *   durable    a write is one trip, and durable when it returns; when it fails, it leaves one of
 *              three states: seen but not durable, nothing, or parts of it
 */
import type { LogFile } from "../../base/driver.ts";
import type { File } from "../../base/env.ts";
import { KIB } from "../../base/units.ts";
import type { Content } from "./content.ts";
import { type Caller, type Disk, type DiskCall, prefixOf } from "./disk.ts";
import { systemError } from "./system-error.ts";

export interface LogFileHandle {
  readonly process: Caller;
  readonly disk: Disk;
  readonly path: string;
  readonly content: Content;
  /** The same file as the rest of the world writes it. */
  readonly file: File;
  readonly durably: boolean;
}

const COPIED_BYTES_MAX = 128 * KIB;
const AFTER_FAILURE = ["kept", "dropped", "partial"] as const;

export function simulatedLogFile(handle: LogFileHandle): LogFile {
  return handle.durably ? new DurableFile(handle) : bufferedFile(handle.file);
}

function bufferedFile(file: File): LogFile {
  return {
    writesAreDurable: false,
    async write(from, at) {
      if (from.length <= COPIED_BYTES_MAX) file.writeSync(from, at);
      else await file.write(from, at);
    },
    writeSync: (from, at) => file.writeSync(from, at),
    sync: () => file.sync(),
    syncSync: () => file.syncSync(),
    close: () => file.close(),
  };
}

class DurableFile implements LogFile {
  readonly writesAreDurable = true;
  readonly #handle: LogFileHandle;
  readonly #underWay = new Set<Promise<unknown>>();
  #open = true;

  constructor(handle: LogFileHandle) {
    this.#handle = handle;
  }

  write(from: Uint8Array, at: number): Promise<void> {
    if (!this.#open) return Promise.reject(this.#badDescriptor("write"));
    const writing = this.#handle.disk.call(this.#handle.process, this.#writeCall(from, at));
    const ended = writing.catch(() => undefined).finally(() => this.#underWay.delete(ended));
    this.#underWay.add(ended);
    return writing;
  }

  writeSync(from: Uint8Array, at: number): void {
    if (!this.#open) throw this.#badDescriptor("write");
    this.#handle.disk.callSync(this.#handle.process, this.#writeCall(from, at));
  }

  async sync(): Promise<void> {
    this.syncSync();
  }

  syncSync(): void {
    if (!this.#open) throw this.#badDescriptor("sync");
  }

  async close(): Promise<void> {
    this.#open = false;
    await Promise.all(this.#underWay);
    await this.#handle.file.close();
  }

  #writeCall(from: Uint8Array, at: number): DiskCall<void> {
    const { disk, content, path } = this.#handle;
    return {
      operation: "write",
      path,
      act: () => {
        disk.assertRoom(at + from.length - content.sizeBytes, path);
        content.writeDurably(from, { at, order: disk.nextOrder() });
      },
      actPartly: () => {
        const { random } = disk;
        content.write(prefixOf(from, { at, random }), { at, order: disk.nextOrder() });
      },
      fail: ({ after = disk.random.pick(AFTER_FAILURE) }) => {
        const { random } = disk;
        content.failDurably(from, { at, order: disk.nextOrder(), after, random });
      },
    };
  }

  #badDescriptor(operation: string): Error {
    return systemError("EBADF", { operation, path: this.#handle.path });
  }
}
