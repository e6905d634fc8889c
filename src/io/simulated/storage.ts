/**
 * STORAGE AND FILES OF ONE SIMULATED PROCESS. Every call goes through the disk, which says when it
 * completes and whether it fails; what a call does is said here.
 */
import type { Driver, DriverOptions, LogFile } from "../../base/driver.ts";
import type { File, OpenMode, ScratchFile, Storage } from "../../base/env.ts";
import { memoryScratch } from "../scratch-file.ts";
import { Content } from "./content.ts";
import { SectorUnreadable } from "./damage.ts";
import { type Caller, type Disk, type DiskCall, prefixOf } from "./disk.ts";
import { simulatedDriver } from "./driver.ts";
import type { DiskOperation } from "./faults.ts";
import { simulatedLogFile } from "./log-file.ts";
import { systemError } from "./system-error.ts";
import { Directory } from "./tree.ts";

export class SimulatedStorage implements Storage {
  readonly threads = 4;
  readonly #process: Caller;
  readonly #disk: Disk;

  constructor(process: Caller, disk: Disk) {
    this.#process = process;
    this.#disk = disk;
  }

  open(path: string, mode: OpenMode): Promise<File> {
    if (mode === "create") return this.#call("create", path, () => this.#create(path));
    return this.#call("open", path, () => this.#handle(path, mode));
  }

  openSync(path: string): File {
    const act = () => this.#handle(path, "read");
    return this.#disk.callSync(this.#process, { operation: "open", path, act });
  }

  createSync(path: string): File {
    return this.#callSync("create", path, () => this.#create(path));
  }

  mkdirSync(path: string): void {
    this.#callSync("mkdir", path, () => this.#disk.tree.mkdir(path, this.#disk.nextOrder()));
  }

  renameSync(from: string, to: string): void {
    this.#callSync("rename", from, () => this.#rename(from, to));
  }

  syncDirectorySync(path: string): void {
    const order = this.#disk.newestOrder;
    this.#callSync("syncDirectory", path, () =>
      this.#disk.tree.directory(path, "fsync").sync(order),
    );
  }

  mkdir(path: string): Promise<void> {
    return this.#call("mkdir", path, () => this.#disk.tree.mkdir(path, this.#disk.nextOrder()));
  }

  list(path: string): Promise<readonly string[]> {
    return this.#call("list", path, () => this.#disk.tree.directory(path, "scandir").list());
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call("rename", from, () => this.#rename(from, to));
  }

  link(from: string, to: string): Promise<void> {
    return this.#call("link", to, () => {
      const node = this.#disk.tree.file(from, "link");
      const { directory, name } = this.#disk.tree.parent(to, "link");
      if (directory.get(name) !== undefined) {
        throw systemError("EEXIST", { operation: "link", path: to });
      }
      directory.put(name, { node, order: this.#disk.nextOrder() });
    });
  }

  unlink(path: string): Promise<void> {
    return this.#call("unlink", path, () => {
      this.#disk.tree.file(path, "unlink");
      const { directory, name } = this.#disk.tree.parent(path, "unlink");
      directory.put(name, { node: undefined, order: this.#disk.nextOrder() });
    });
  }

  stat(path: string): ReturnType<Storage["stat"]> {
    return this.#call("stat", path, () => {
      const node = this.#disk.tree.find(path);
      if (node === undefined) return undefined;
      if (node instanceof Content) return { bytes: node.sizeBytes, kind: "file" };
      return { bytes: 0, kind: "directory" };
    });
  }

  syncDirectory(path: string): Promise<void> {
    const order = this.#disk.newestOrder;
    return this.#call("syncDirectory", path, () =>
      this.#disk.tree.directory(path, "fsync").sync(order),
    );
  }

  freeBytes(path: string): Promise<number> {
    return this.#call("freeBytes", path, () =>
      Math.max(0, this.#disk.capacityBytes - this.#disk.tree.usedBytes()),
    );
  }

  scratch(): ScratchFile {
    return memoryScratch();
  }

  async driver(options: DriverOptions): Promise<Driver> {
    const { autoIsDirect } = this.#disk;
    return simulatedDriver({
      ...options,
      autoIsDirect,
      open: (path, { durably }) => this.#openLogFile(path, durably),
    });
  }

  #openLogFile(path: string, durably: boolean): Promise<LogFile> {
    return this.#call("open", path, () => {
      const content = this.#disk.tree.file(path, "open");
      const file = this.#handle(path, "write");
      return simulatedLogFile({ ...this.#place(path), content, file, durably });
    });
  }

  #rename(from: string, to: string): void {
    const { tree } = this.#disk;
    const source = tree.parent(from, "rename");
    const target = tree.parent(to, "rename");
    const node = source.directory.get(source.name);
    if (node === undefined) throw systemError("ENOENT", { operation: "rename", path: from });
    const replaced = target.directory.get(target.name);
    if (replaced === node) return;
    if (replaced instanceof Directory && !(node instanceof Directory)) {
      throw systemError("EISDIR", { operation: "rename", path: to });
    }
    const order = this.#disk.nextOrder();
    target.directory.put(target.name, { node, order });
    source.directory.put(source.name, { node: undefined, order });
  }

  #create(path: string): File {
    const { directory, name } = this.#disk.tree.parent(path, "open");
    if (directory.get(name) !== undefined) {
      throw systemError("EEXIST", { operation: "open", path });
    }
    const content = new Content({ keepsOlder: this.#disk.keepsOlder });
    directory.put(name, { node: content, order: this.#disk.nextOrder() });
    return new SimulatedFile({ ...this.#place(path), content, writable: true });
  }

  #handle(path: string, mode: OpenMode): File {
    const content = this.#disk.tree.file(path, "open");
    return new SimulatedFile({ ...this.#place(path), content, writable: mode !== "read" });
  }

  #place(path: string): { process: Caller; disk: Disk; path: string } {
    return { process: this.#process, disk: this.#disk, path };
  }

  #call<T>(operation: DiskOperation, path: string, act: () => T): Promise<T> {
    return this.#disk.call(this.#process, { operation, path, act });
  }

  #callSync<T>(operation: DiskOperation, path: string, act: () => T): T {
    return this.#disk.callSync(this.#process, { operation, path, act });
  }
}

interface Handle {
  readonly process: Caller;
  readonly disk: Disk;
  readonly path: string;
  readonly content: Content;
  readonly writable: boolean;
}

class SimulatedFile implements File {
  readonly #handle: Handle;
  #open = true;

  constructor(handle: Handle) {
    this.#handle = handle;
  }

  read(into: Uint8Array, at: number): Promise<number> {
    return this.#call(this.#readCall(into, at));
  }

  readSync(into: Uint8Array, at: number): number {
    return this.#callSync(this.#readCall(into, at));
  }

  write(from: Uint8Array, at: number): Promise<void> {
    return this.#call(this.#writeCall(from, at));
  }

  writeSync(from: Uint8Array, at: number): void {
    this.#callSync(this.#writeCall(from, at));
  }

  sync(): Promise<void> {
    return this.#call(this.#syncCall());
  }

  syncSync(): void {
    this.#callSync(this.#syncCall());
  }

  truncate(bytes: number): Promise<void> {
    const { disk, content, path } = this.#handle;
    return this.#call({
      operation: "truncate",
      path,
      act: () => {
        this.#assertWritable("ftruncate");
        disk.assertRoom(bytes - content.sizeBytes, path);
        content.truncate(bytes, disk.nextOrder());
      },
    });
  }

  preallocate(bytes: number): Promise<void> {
    const { disk, content, path } = this.#handle;
    const grow = (to: number) => {
      const at = content.sizeBytes;
      if (to <= at) return;
      disk.assertRoom(to - at, path);
      content.truncate(to, disk.nextOrder()); // What lies behind the end is zeros.
    };
    return this.#call({
      operation: "preallocate",
      path,
      act: () => {
        this.#assertWritable("write");
        grow(bytes);
      },
      actPartly: () => grow(content.sizeBytes + disk.random.below(1 + bytes)),
    });
  }

  async size(): Promise<number> {
    const { content, path } = this.#handle;
    return this.#call({ operation: "stat", path, act: () => content.sizeBytes });
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  #readCall(into: Uint8Array, at: number): DiskCall<number> {
    const { disk, content, path } = this.#handle;
    const read = (part: Uint8Array) => {
      try {
        return content.read(part, at);
      } catch (error) {
        if (!(error instanceof SectorUnreadable)) throw error;
        throw systemError("EIO", { operation: "read", path });
      }
    };
    const act = () => read(into);
    const actShort = () => read(into.subarray(0, disk.random.below(into.length)));
    return { operation: "read", path, act, actShort };
  }

  #writeCall(from: Uint8Array, at: number): DiskCall<void> {
    const { disk, content, path } = this.#handle;
    const put = (bytes: Uint8Array) => content.write(bytes, { at, order: disk.nextOrder() });
    return {
      operation: "write",
      path,
      act: () => {
        this.#assertWritable("write");
        disk.assertRoom(at + from.length - content.sizeBytes, path);
        put(from);
      },
      actPartly: () => put(prefixOf(from, { at, random: disk.random })),
    };
  }

  #syncCall(): DiskCall<void> {
    const { disk, content, path } = this.#handle;
    const order = disk.newestOrder;
    return {
      operation: "sync",
      path,
      act: () => content.sync(order),
      fail: ({ after }) => {
        const chosen = after ?? disk.random.pick(["kept", "dropped", "partial"] as const);
        content.failSync(order, { after: chosen, random: disk.random });
      },
    };
  }

  #call<T>(call: DiskCall<T>): Promise<T> {
    if (!this.#open) return Promise.reject(this.#badDescriptor(call.operation));
    return this.#handle.disk.call(this.#handle.process, call);
  }

  #callSync<T>(call: DiskCall<T>): T {
    if (!this.#open) throw this.#badDescriptor(call.operation);
    return this.#handle.disk.callSync(this.#handle.process, call);
  }

  #assertWritable(operation: string): void {
    if (!this.#handle.writable) throw this.#badDescriptor(operation);
  }

  #badDescriptor(operation: string): Error {
    return systemError("EBADF", { operation, path: this.#handle.path });
  }
}
