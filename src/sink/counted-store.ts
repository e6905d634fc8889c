/**
 * AN OBJECT STORE WHOSE REQUESTS ARE COUNTED, as services charge for them: by class, what is put by the
 * kind of object, and what was read.
 *
 * (1) What is counted is what was asked for: repetitions are counted by who repeats (RetryStats).
 * (2) Which objects were read is remembered only for whoever asks: that takes memory for each of them.
 */
import { ForwardingStore, type StoreCall } from "./forwarding-store.ts";
import { parseKey } from "./keys.ts";
import type { GetOptions, ObjectStore, StoredObject } from "./object-store.ts";

const KINDS = ["store", "epoch", "wal", "manifest", "chunk", "other"] as const;
type PutKind = (typeof KINDS)[number];

/** What the requests of a store have come to since it was opened. */
export interface RequestCounts {
  /** Puts and lists: the dear ones. */
  readonly writes: number;
  readonly reads: number;
  /** Most services do not charge for them. */
  readonly deletes: number;
  readonly putsByKind: Readonly<Record<PutKind, number>>;
  readonly bytesByKind: Readonly<Record<PutKind, number>>;
  readonly readBytes: number;
}

export interface ReadCounts {
  /** Calls that asked for an object, or for a part of one, or what there is. */
  readonly requests: number;
  /** Different objects that something was read of. */
  readonly objects: number;
  readonly bytes: number;
}

export class CountedStore extends ForwardingStore {
  /** See (2). */
  readonly #seen: Set<string> | undefined;
  readonly #puts = zeros();
  readonly #bytes = zeros();
  #reads = 0;
  #lists = 0;
  #deletes = 0;
  #readBytes = 0;

  constructor(store: ObjectStore, options: { readonly knowsObjects?: boolean } = {}) {
    super(store);
    this.#seen = options.knowsObjects === true ? new Set() : undefined;
  }

  get counts(): RequestCounts {
    const puts = Object.values(this.#puts).reduce((sum, count) => sum + count, 0);
    return {
      writes: puts + this.#lists,
      reads: this.#reads,
      deletes: this.#deletes,
      putsByKind: { ...this.#puts },
      bytesByKind: { ...this.#bytes },
      readBytes: this.#readBytes,
    };
  }

  /** `objects` is 0 unless it was asked to know them. */
  get reads(): ReadCounts {
    const objects = this.#seen?.size ?? 0;
    return { requests: this.#reads + this.#lists, objects, bytes: this.#readBytes };
  }

  override async get(key: string, options?: GetOptions): Promise<StoredObject | undefined> {
    const found = await super.get(key, options);
    if (found !== undefined) this.#seen?.add(key);
    this.#readBytes += found?.bytes.length ?? 0;
    return found;
  }

  protected override around<T>(call: StoreCall, send: () => Promise<T>): Promise<T> {
    this.#count(call);
    return send();
  }

  #count({ operation, key, body }: StoreCall): void {
    switch (operation) {
      case "put":
      case "putIfAbsent": {
        const kind = kindOf(key);
        this.#puts[kind] += 1;
        this.#bytes[kind] += body?.length ?? 0;
        return;
      }
      case "get":
      case "head":
        this.#reads += 1;
        return;
      case "list":
        this.#lists += 1;
        return;
      case "delete":
        this.#deletes += 1;
        return;
      case "inspect":
        return; // Of `bop doctor` only.
    }
  }
}

function kindOf(key: string): PutKind {
  const kind = parseKey(key)?.kind;
  return kind === undefined || kind === "probe" ? "other" : kind;
}

function zeros(): Record<PutKind, number> {
  return Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<PutKind, number>;
}
