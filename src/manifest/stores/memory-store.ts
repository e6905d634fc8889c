/**
 * THE KEY-VALUE STORE OF A SIMULATED WORLD: it outlives the processes that use it, and behaves at a
 * crash as LMDB does on a device that keeps its word.
 *
 * (1) A commit takes simulated time; until it resolves, a crash keeps it wholly or not at all:
 *     which of the two the dice say when the directory is opened next.
 * (2) What was committed survives every crash.
 * (3) A commit may fail and its values be there all the same after reopening (`failNextCommit`).
 * (4) The owner is known by whether its process lives in this world, not by what processes tell of
 *     each other: as the kernel knows it.
 */
import type { Env, Random } from "../../base/env.ts";
import { ioError } from "../../base/errors.ts";
import { Turns } from "../../base/turns.ts";
import { type KeyValueBackend, KeyValueHandle } from "./handle.ts";
import type {
  ClaimValue,
  KeyValueOperation,
  KeyValuePair,
  OpenKeyValueStore,
  Owned,
  ReaderFacts,
} from "./key-value.ts";

export interface MemoryStores {
  /** How a process of the simulated world opens its stores. */
  openerFor(env: Env): OpenKeyValueStore;
  /**
   * The next commit, or a later one, is rejected; `applied` says what is found when the store is opened
   * again.
   */
  failNextCommit(fault: CommitFault): void;
  /** What lies in the directory is gone from the disk. Nobody may have it open. */
  lose(directory: string): void;
  /**
   * The same as it is now, in a world of its own: what a crash has left undecided is decided there
   * by other dice, and no fault is due. Nobody may have any of it open.
   */
  copy(random: Random): MemoryStores;
}

export interface CommitFault {
  readonly applied: boolean;
  /** Default EIO. */
  readonly error?: "EIO" | "ENOSPC";
  /** Commits that succeed before it. Default 0. */
  readonly after?: number;
}

/** A commit whose outcome is decided when the directory is opened next, unless it finishes. */
interface Undecided {
  readonly batch: readonly KeyValueOperation[];
  readonly owner: Env["process"];
  /** Set when it failed. */
  outcome: "applied" | "lost" | undefined;
}

const COMMIT_MS_MIN = 0.3;
const COMMIT_MS_SPREAD = 2;

/** What lies in one directory. Keys are strings of one character a byte, in the bytes' order. */
class Directory {
  readonly #values = new Map<string, Uint8Array>();
  #sortedKeys: readonly string[] | undefined;
  #undecided: Undecided[] = [];
  /** See (4). */
  owner: { readonly backend: object; readonly process: Env["process"] } | undefined;
  /** There is one writer at a time, of all processes. */
  readonly commits = new Turns();

  /** Values are never changed in place, so both may have the same. */
  copy(): Directory {
    const copy = new Directory();
    for (const [key, value] of this.#values) copy.#values.set(key, value);
    copy.#sortedKeys = this.#sortedKeys;
    copy.#undecided = [...this.#undecided];
    return copy;
  }

  get(key: string): Uint8Array | undefined {
    return this.#values.get(key);
  }

  range(from: string, to: string): KeyValuePair[] {
    this.#sortedKeys ??= [...this.#values.keys()].sort();
    const pairs: KeyValuePair[] = [];
    for (let at = lowerBound(this.#sortedKeys, from); at < this.#sortedKeys.length; at++) {
      const key = this.#sortedKeys[at] as string;
      if (key >= to) break;
      const value = this.#values.get(key) as Uint8Array;
      pairs.push({ key: Buffer.from(key, "latin1"), value: value.slice() });
    }
    return pairs;
  }

  begin(undecided: Undecided): void {
    this.#undecided.push(undecided);
  }

  /** A commit that succeeded. */
  finish(undecided: Undecided): void {
    this.#undecided = this.#undecided.filter((each) => each !== undecided);
    this.#apply(undecided.batch);
  }

  /** See (1) and (3). What a living process is about to commit stays its own. */
  decide({ env, random }: { readonly env: Env; readonly random: Random }): void {
    const isOpen = ({ outcome, owner }: Undecided) =>
      outcome === undefined && env.process.isAlive(owner);
    const ended = this.#undecided.filter((each) => !isOpen(each));
    this.#undecided = this.#undecided.filter(isOpen);
    for (const { batch, outcome } of ended) {
      const applied = outcome === undefined ? random.below(2) === 0 : outcome === "applied";
      if (applied) this.#apply(batch);
    }
  }

  #apply(batch: readonly KeyValueOperation[]): void {
    for (const { key, value } of batch) {
      if (value === undefined) this.#values.delete(textOf(key));
      else this.#values.set(textOf(key), value.slice());
    }
    this.#sortedKeys = undefined;
  }
}

export function memoryStores(random: Random): MemoryStores {
  return storesIn(new Map(), random);
}

function storesIn(directories: Map<string, Directory>, random: Random): MemoryStores {
  let fault: CommitFault | undefined;
  const takeFault = () => {
    const { after = 0 } = fault ?? {};
    const taken = after > 0 ? undefined : fault;
    fault = fault && after > 0 ? { ...fault, after: after - 1 } : undefined;
    return taken;
  };
  return {
    failNextCommit(next) {
      fault = next;
    },
    lose: (directory) => {
      directories.delete(directory);
    },
    copy: (dice) => {
      const copies = [...directories].map(([path, each]) => [path, each.copy()] as const);
      return storesIn(new Map(copies), dice);
    },
    openerFor: (env) => async (path) => {
      await env.clock.sleep(COMMIT_MS_MIN);
      const directory = directories.get(path) ?? new Directory();
      directories.set(path, directory);
      directory.decide({ env, random });
      return new KeyValueHandle(new MemoryBackend({ path, directory, env, random, takeFault }));
    },
  };
}

interface Opened {
  readonly path: string;
  readonly directory: Directory;
  readonly env: Env;
  readonly random: Random;
  readonly takeFault: () => CommitFault | undefined;
}

class MemoryBackend implements KeyValueBackend {
  readonly #opened: Opened;

  constructor(opened: Opened) {
    this.#opened = opened;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#opened.directory.get(textOf(key))?.slice();
  }

  range(from: Uint8Array, to: Uint8Array): Iterable<KeyValuePair> {
    return this.#opened.directory.range(textOf(from), textOf(to));
  }

  commit(batch: readonly KeyValueOperation[], expected?: KeyValueOperation): Promise<boolean> {
    return this.#opened.directory.commits.run(() => this.#commit(batch, expected));
  }

  own(key: Uint8Array, claim: ClaimValue): Promise<Owned> {
    const { directory, env } = this.#opened;
    return directory.commits.run(async () => {
      const found = this.get(key);
      const owner = directory.owner?.process;
      if (owner?.isAlive(owner)) return { owned: false, found };
      const value = claim(found);
      if (value === undefined) return { owned: false, found };
      await this.#commit([{ key, value }], undefined);
      directory.owner = { backend: this, process: env.process };
      return { owned: true, found };
    });
  }

  /** Its room is not of the simulated disk. */
  keepRoom(): undefined {
    return undefined;
  }

  /** Its reads are over when they return. */
  readers(): ReaderFacts {
    return { count: 0, lagMax: 0 };
  }

  async release(): Promise<void> {
    const { directory } = this.#opened;
    if (directory.owner?.backend === this) directory.owner = undefined;
  }

  async #commit(
    batch: readonly KeyValueOperation[],
    expected: KeyValueOperation | undefined,
  ): Promise<boolean> {
    const { directory, env, path, random, takeFault } = this.#opened;
    const halfMs = (COMMIT_MS_MIN + (random.below(1000) / 1000) * COMMIT_MS_SPREAD) / 2;
    await env.clock.sleep(halfMs); // A dead process ends here, before it touched anything.
    if (expected !== undefined && !this.#holds(expected)) return false;
    const undecided: Undecided = { batch, owner: env.process, outcome: undefined };
    directory.begin(undecided);
    await env.clock.sleep(halfMs);
    const fault = takeFault();
    if (fault === undefined) {
      directory.finish(undecided);
      return true;
    }
    undecided.outcome = fault.applied ? "applied" : "lost";
    const code = fault.error ?? "EIO";
    const cause = Object.assign(new Error(`${code}: simulated, commit '${path}'`), { code });
    throw ioError("commit", path, cause);
  }

  #holds({ key, value }: KeyValueOperation): boolean {
    const found = this.#opened.directory.get(textOf(key));
    if (found === undefined || value === undefined) return found === value;
    return Buffer.compare(found, value) === 0;
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

function lowerBound(sorted: readonly string[], key: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
