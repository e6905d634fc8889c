/** A store with record logs on a disk, and a bucket, that tests hurt: what they hold is in chunks only. */
import { present } from "../../base/assert.ts";
import type { File, Storage } from "../../base/env.ts";
import { ForwardingStore, type StoreCall } from "../../sink/index.ts";
import { Manager } from "../manager.ts";
import type { ManagerOptions } from "../options.ts";
import { Machines } from "../shipping/machines.fixture.ts";

const ENTRY_BYTES = 1000;
/** Everything is in the bucket by then. */
const SHIPPED_MS = 3000;

type Options = Partial<ManagerOptions> & { readonly hasSink?: boolean };

/** Notes which chunks are asked for, and whose bucket it is, whatever comes of it. */
class WatchedBucket extends ForwardingStore {
  readonly asked: string[] = [];

  protected override around<T>({ operation, key }: StoreCall, send: () => Promise<T>): Promise<T> {
    if (operation === "get" && /^(chunks|store)/.test(key)) this.asked.push(key);
    return send();
  }
}

export class LogsOnDisk extends Machines {
  /** Paths under which files were opened that nobody has closed. */
  openFiles: string[] = [];
  #sink: WatchedBucket | undefined;

  open({ hasSink = false, ...options }: Options = {}): Promise<Manager> {
    const place = this.disk("store");
    this.openFiles = [];
    const storage = watched(place.env.storage, this.openFiles);
    this.#sink = hasSink ? new WatchedBucket(this.bucket(place.env)) : undefined;
    return Manager.open({
      ...place,
      env: { ...place.env, storage },
      segmentBytes: 2 ** 20,
      flushIntervalMs: 100,
      logCacheBytes: 0,
      ...(this.#sink && { sink: this.#sink }),
      ...options,
    });
  }

  /** How often the bucket was asked for a chunk since the store was opened. */
  get asked(): number {
    return this.#sink?.asked.length ?? 0;
  }

  /** What was checkpointed is in the bucket, too. */
  shipped(): Promise<void> {
    return this.world.start().clock.sleep(SHIPPED_MS);
  }

  /** Files of chunks, oldest first. */
  get chunks(): string[] {
    return this.world.disk.files(/\.chunk$/).sort();
  }

  contents(path: string): Uint8Array {
    return present(this.world.disk.contents(path), "a file that is there");
  }

  flip(path: string, at: number): void {
    const bytes = this.contents(path).slice();
    bytes[at] = present(bytes[at], "a byte of the file") ^ 4;
    this.world.disk.replace(path, bytes);
  }

  /** Flips a bit of each chunk in the bucket. */
  flipObjects(at: number): void {
    const { bucket } = this.service;
    const { nowMs } = this.world;
    for (const key of bucket.keys(nowMs).filter((name) => name.startsWith("chunks/"))) {
      const { body, metadata } = present(bucket.find(key, nowMs), "an object that is there");
      const damaged = body.slice();
      damaged[at] = present(damaged[at], "a byte of the object") ^ 4;
      bucket.put({ key, body: damaged, metadata, ifAbsent: false }, nowMs);
    }
  }
}

/** Notes what is open. */
function watched(storage: Storage, paths: string[]): Storage {
  const open: Storage["open"] = async (path, mode) => {
    const file = await storage.open(path, mode);
    paths.push(path);
    const close = async () => {
      const at = paths.indexOf(path);
      if (at >= 0) paths.splice(at, 1);
      await file.close();
    };
    return instead<File>(file, { close });
  };
  return instead(storage, { open });
}

/** The same, but for these. */
function instead<T extends object>(of: T, those: Partial<T>): T {
  return new Proxy(of, {
    get: (target, name) => {
      if (name in those) return Reflect.get(those, name);
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

export const entryOf = (index: number) => ({
  term: 1n,
  index: BigInt(index),
  payload: new Uint8Array(ENTRY_BYTES).fill(index % 251),
});

export const entriesOf = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, at) => entryOf(first + at));
