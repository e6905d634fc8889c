/**
 * A DISK AS A RECORDING LEFT IT: entries go in, images of power cuts come out.
 *
 * (1) What the recording began with was durable: it is an image itself, or nothing.
 * (2) A file lives on without a name for as long as a descriptor, or a name that a power cut may bring
 *     back, stands for it.
 */

import { type Chance, type Change, RecordedFile } from "./recorded-file.ts";
import { type NameChange, RecordedNames } from "./recorded-names.ts";
import type { Entry } from "./recording.ts";

export interface DiskCut {
  readonly chance: Chance;
  readonly keeps: "all" | "none" | "some";
  /** Whether sectors of that file may be torn. */
  readonly tears: (path: string) => boolean;
}

interface Descriptor {
  /** Undefined: a directory. */
  readonly file: RecordedFile | undefined;
  readonly path: string;
}

type Names = RecordedNames<RecordedFile>;

/** What has begun, and what is to be done when it has ended. */
type Ending = (entry: Entry) => void;

export class RecordedDisk {
  readonly #names: Names = new RecordedNames();
  readonly #descriptors = new Map<number, Descriptor>();
  readonly #begun = new Map<number, Ending>();

  /** By path below the folder: what is there, and durable. Directories come before their files. */
  constructor(before: ReadonlyMap<string, Uint8Array | "directory"> = new Map()) {
    for (const [path, content] of before) {
      const target = content === "directory" ? content : new RecordedFile(content);
      const name = this.#names.begin(path, target);
      name.state = "ended";
      this.#names.made([name]);
    }
  }

  take(entry: Entry): void {
    const { kind, call, fd } = entry;
    if (kind === "end") {
      this.#begun.get(call)?.(entry);
      this.#begun.delete(call);
    } else if (kind === "open") this.#open(entry);
    else if (kind === "close") this.#descriptors.delete(fd);
    else if (kind === "dropped") this.#descriptors.get(fd)?.file?.drop();
    else if (kind === "write" || kind === "truncate") this.#begun.set(call, this.#change(entry));
    else if (kind === "sync") this.#begun.set(call, this.#sync(entry));
    else if (kind !== "told") this.#begun.set(call, this.#rename(entry));
  }

  /** By path: what the disk holds when the power goes now. */
  image({ chance, keeps, tears }: DiskCut): Map<string, Uint8Array | "directory"> {
    const image = new Map<string, Uint8Array | "directory">();
    const files = new Map<RecordedFile, Uint8Array>();
    for (const [path, target] of this.#names.image({ chance, keeps })) {
      if (target === "directory") {
        image.set(path, target);
        continue;
      }
      const known = files.get(target) ?? target.image({ chance, keeps, tears: tears(path) });
      files.set(target, known);
      image.set(path, known);
    }
    return image;
  }

  #open({ fd, path, offset }: Entry): void {
    const isNew = offset === 1;
    if (isNew) this.#names.begin(path, new RecordedFile()).state = "ended";
    const target = path === "" ? "directory" : this.#names.now(path);
    if (target === "gone") throw new Error(`${path} was opened and is not known`);
    this.#descriptors.set(fd, { file: target === "directory" ? undefined : target, path });
  }

  #change({ kind, fd, offset, result, bytes }: Entry): Ending {
    const file = this.#fileOf(fd);
    const change = file.begin(offset, kind === "write" ? bytes : undefined);
    const isSynchronous = kind === "write" && result === 1;
    return ({ result: outcome, offset: landed }) => {
      change.state = "ended";
      if (change.bytes !== undefined) change.bytes = change.bytes.subarray(0, landed);
      if (outcome < 0 && landed === 0) file.remove(change);
      else if (isSynchronous && outcome >= 0) file.made([change]);
      else if (isSynchronous) file.forsake([change]);
    };
  }

  #sync({ fd }: Entry): Ending {
    const { file, path } = this.#descriptors.get(fd) ?? unknown(fd);
    if (file === undefined) {
      const names = this.#names.covered(path);
      return ({ result }) => {
        if (result === 0) this.#names.made(names);
        else for (const name of names) name.isForsaken = true;
      };
    }
    const changes: Change[] = file.covered();
    return ({ result }) => {
      if (result === 0) file.made(changes);
      else file.forsake(changes);
    };
  }

  #rename({ kind, path, path2 }: Entry): Ending {
    const changes: NameChange<RecordedFile>[] = [];
    const target = this.#names.now(path);
    if (kind === "mkdir") changes.push(this.#names.begin(path, "directory"));
    else if (kind === "unlink" || kind === "rmdir") changes.push(this.#names.begin(path, "gone"));
    else {
      changes.push(this.#names.begin(path2, target));
      if (kind === "rename") changes.push(this.#names.begin(path, "gone"));
    }
    return ({ result }) => {
      for (const change of changes) {
        if (result < 0) this.#names.remove(change);
        else change.state = "ended";
      }
    };
  }

  #fileOf(fd: number): RecordedFile {
    return this.#descriptors.get(fd)?.file ?? unknown(fd);
  }
}

function unknown(fd: number): never {
  throw new Error(`descriptor ${fd} was never opened`);
}
