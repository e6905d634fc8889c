/**
 * THE SIMULATED DISK: files that outlive processes, and everything that can go wrong with them.
 *
 * Fault model, weaker than any real file system:
 *
 *   an asynchronous call   completes after a latency drawn by seed, so that calls overtake each
 *                          other. Its buffer is read (or filled) at that moment.
 *   sync                   covers the file's writes that completed before it was called, and the
 *                          size; neither its name nor any other file
 *   kill                   completed writes stay in the page cache; one that was under way may have
 *                          landed up to any sector
 *   power cut              every unsynced sector, size and name falls back or not, on its own; a
 *                          tenth of such sectors is garbage (content.ts, tree.ts)
 *   a failed call          see faults.ts
 *   damage at rest         where it is asked for: see damage.ts
 *
 * It never loses what was synced, unless a test damages it with `replace` or `decay`.
 */
import { assert } from "../../base/assert.ts";
import { Content, SECTOR_BYTES } from "./content.ts";
import { Decay, type Decayed, type DecayOrder } from "./decay.ts";
import {
  type DiskOperation,
  type FaultChances,
  type FaultOrder,
  Faults,
  type HangChance,
  type HangOrder,
} from "./faults.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SeededRandom } from "./seeded.ts";
import { systemError } from "./system-error.ts";
import { Tree } from "./tree.ts";

export type Crash = "kill" | "power";

/** Who calls the disk: a process, which may die while it waits. */
export interface Caller {
  /** Throws DeadProcessError. */
  assertAlive(): void;
  /** A call of it is under way: `reject` hears of its death. */
  await(reject: (error: Error) => void): Pending;
}

/** A call under way. `settle` says whether its outcome still matters, once. */
export interface Pending {
  readonly settle: () => boolean;
}

export interface DiskCall<T> {
  readonly operation: DiskOperation;
  readonly path: string;
  /** Does it, all at once, at the moment of completion. */
  readonly act: () => T;
  /** Does a part of it, as a failed or interrupted call may. */
  readonly actPartly?: () => void;
  /** How a failed sync, or a failed write that would have been durable, fails. */
  readonly fail?: (fault: { after: "kept" | "dropped" | "partial" | undefined }) => void;
  /** What a read that is cut short does. */
  readonly actShort?: () => T;
}

/** What a crash has left, or could have. */
export interface Image {
  readonly tree: Tree;
  /** Of the newest change in it: what a process that was killed has not synced stays unsynced. */
  readonly order: number;
}

export interface DiskOptions {
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  /** What lies on it at first. Default: nothing. */
  readonly image?: Image;
  /** Ends every process, since it was its turn: see `crashAt`. */
  readonly crash: (how: Crash) => void;
}

const READS: ReadonlySet<DiskOperation> = new Set(["open", "read", "list", "stat", "freeBytes"]);
const SLOW_CHANCE = 0.02;
const SLOW_MS_MAX = 20;

/** What a test may ask of the disk, and do to it. */
export interface SimulatedDisk {
  /** Bytes that fit on the disk. May be changed at any time. Default: no limit. */
  capacityBytes: number;
  /** What a driver that may choose makes of it: writes that are durable when they return. */
  autoIsDirect: boolean;
  /** Calls made so far, by operation. */
  readonly calls: Readonly<Partial<Record<DiskOperation, number>>>;
  /** Faults that have hit calls so far, by what they were. */
  readonly injected: ReadonlyMap<string, number>;
  /** Calls so far that change something: the numbers that `crashAt` counts. */
  readonly changeCount: number;
  /** Makes the next matching call fail. Orders stand until they have been used up. */
  failNext(order: FaultOrder): void;
  /** From now on calls fail by chance: those on paths that match, or all. */
  failSometimes(chances: FaultChances, zone?: RegExp): void;
  /** Makes the next matching asynchronous call take that long. */
  hangNext(order: HangOrder): void;
  /** From now on asynchronous calls hang by chance. */
  hangSometimes(hanging: HangChance): void;
  /** Forgets all faults that were asked for. What hangs already comes back when it is due. */
  heal(): void;
  /** Crashes at the `n`-th change from now (1 is the next), while that call is under way. */
  crashAt(n: number, how: Crash): void;
  /** What was written there; undefined if there is no such file. */
  contents(path: string): Uint8Array | undefined;
  /** Paths of files that match. */
  files(zone: RegExp): string[];
  /** Files that are created from now on keep older versions of their sectors, to show them again. */
  keepsOlder: boolean;
  /** Hurts what lies at rest; undefined if nothing there can be hurt so. */
  decay(order: DecayOrder): Decayed | undefined;
  /** Takes back all damage at rest that nobody has written over. */
  mend(): void;
  /** Files that have damage at rest, by the names that they have now. */
  readonly hurtFiles: readonly string[];
  /** Puts bytes into an existing file, durable at once: bit rot, stale copies, lost writes. */
  replace(path: string, bytes: Uint8Array): void;
}

export class Disk implements SimulatedDisk {
  capacityBytes = Number.POSITIVE_INFINITY;
  autoIsDirect = false;
  keepsOlder = false;
  readonly calls: Partial<Record<DiskOperation, number>> = {};
  readonly injected = new Map<string, number>();
  readonly tree: Tree;
  readonly #options: DiskOptions;
  #random: SeededRandom;
  readonly #faults: Faults;
  #decay: Decay | undefined;
  readonly #inFlight = new Set<DiskCall<unknown>>();
  #order: number;
  #changes = 0;
  #crashAt: { readonly change: number; readonly how: Crash } | undefined;

  constructor(options: DiskOptions) {
    this.#options = options;
    this.#random = options.random;
    this.tree = options.image?.tree ?? new Tree();
    this.#order = options.image?.order ?? 0;
    this.#faults = new Faults(options.random.fork());
  }

  get changeCount(): number {
    return this.#changes;
  }

  failNext(order: FaultOrder): void {
    this.#faults.order(order);
  }

  failSometimes(chances: FaultChances, zone?: RegExp): void {
    this.#faults.chances = chances;
    this.#faults.zone = zone;
  }

  hangNext(order: HangOrder): void {
    this.#faults.hang(order);
  }

  hangSometimes(hanging: HangChance): void {
    this.#faults.hanging = hanging;
  }

  heal(): void {
    this.#faults.clear();
  }

  crashAt(n: number, how: Crash): void {
    assert(Number.isSafeInteger(n) && n > 0, "the first change is number 1");
    this.#crashAt = { change: this.#changes + n, how };
  }

  contents(path: string): Uint8Array | undefined {
    const node = this.tree.find(path);
    if (!(node instanceof Content)) return undefined;
    const bytes = new Uint8Array(node.sizeBytes);
    node.peek(bytes, 0);
    return bytes;
  }

  files(zone: RegExp): string[] {
    return this.tree.files().flatMap(([path]) => (zone.test(path) ? [path] : []));
  }

  /** Made when it is first asked for: a disk that is well throws no dice for it. */
  decay(order: DecayOrder): Decayed | undefined {
    const { tree } = this;
    const injected = (what: string) => this.noteInjected(what);
    this.#decay ??= new Decay({ tree, random: this.#options.random.fork(), injected });
    return this.#decay.hurt(order);
  }

  mend(): void {
    for (const [, file] of this.tree.files()) file.mend();
  }

  get hurtFiles(): readonly string[] {
    return this.tree.files().flatMap(([path, file]) => (file.isHurt ? [path] : []));
  }

  replace(path: string, bytes: Uint8Array): void {
    this.tree.file(path, "replace").replace(bytes);
  }

  /** The order of the newest change: what a sync that begins now covers */
  get newestOrder(): number {
    return this.#order;
  }

  nextOrder(): number {
    this.#order += 1;
    return this.#order;
  }

  /** At the moment of a call: while further images of a crash are drawn, it is theirs. */
  get random(): SeededRandom {
    return this.#random;
  }

  /** An asynchronous call of a process */
  call<T>(process: Caller, call: DiskCall<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      process.assertAlive();
      this.#inFlight.add(call);
      const pending = process.await(reject);
      const hangMs = this.#faults.nextHangMs(call.operation, call.path);
      if (hangMs > 0) this.noteInjected(`${call.operation} hangs`);
      this.#options.scheduler.schedule(this.#latencyMs(call.operation) + hangMs, () => {
        if (!pending.settle()) return; // The process died meanwhile; see `crash`.
        this.#inFlight.delete(call);
        try {
          resolve(this.#complete(call));
        } catch (error) {
          reject(error);
        }
      });
      this.#count(call);
    });
  }

  /** A call that the process waits for: it takes time, but nothing happens meanwhile */
  callSync<T>(process: Caller, call: DiskCall<T>): T {
    process.assertAlive();
    this.#inFlight.add(call);
    this.#count(call);
    process.assertAlive();
    this.#inFlight.delete(call);
    this.#options.scheduler.spend(this.#latencyMs(call.operation));
    return this.#complete(call);
  }

  /** Nothing is under way any more, and the files are as it has left them. */
  crash(how: Crash): void {
    this.#crashAt = undefined;
    this.#leave(how);
    this.#inFlight.clear();
  }

  /** What a crash could leave just now, once for each of the dice. Nothing here is changed by it. */
  images(images: readonly { readonly how: Crash; readonly random: SeededRandom }[]): Image[] {
    if (images.length === 0) return [];
    const [order, ours] = [this.#order, this.#random];
    const restore = this.tree.save();
    const drawn = images.map(({ how, random }) => {
      this.#random = random;
      this.#leave(how);
      const image = { tree: this.tree.copy(), order: this.#order };
      restore();
      return image;
    });
    this.#random = ours;
    this.#order = order;
    return drawn;
  }

  /** Ends what is under way, then does to the files what the crash does. */
  #leave(how: Crash): void {
    for (const call of this.#inFlight) {
      if (call.actPartly !== undefined) attempt(call.actPartly);
      else if (!READS.has(call.operation) && call.operation !== "sync" && this.random.chance(0.5)) {
        attempt(call.act);
      }
    }
    if (how === "power") this.tree.powerCut(this.random);
  }

  /** Throws ENOSPC if the file cannot grow by that much. */
  assertRoom(growthBytes: number, path: string): void {
    if (growthBytes <= 0 || this.capacityBytes === Number.POSITIVE_INFINITY) return;
    if (this.tree.usedBytes() + growthBytes <= this.capacityBytes) return;
    this.noteInjected("no room");
    throw systemError("ENOSPC", { operation: "write", path });
  }

  #complete<T>(call: DiskCall<T>): T {
    const { operation, path } = call;
    const fault = this.#faults.next(operation, path);
    if (fault === undefined) return call.act();
    this.noteInjected(`${operation} ${fault.code}`);
    if (fault.code === "SHORT" && call.actShort !== undefined) return call.actShort();
    if (call.fail !== undefined) call.fail({ after: fault.after });
    else call.actPartly?.();
    throw systemError(fault.code, { operation, path });
  }

  /** Something went wrong as it should. */
  noteInjected(fault: string): void {
    this.injected.set(fault, (this.injected.get(fault) ?? 0) + 1);
  }

  #count(call: DiskCall<unknown>): void {
    const { operation } = call;
    this.calls[operation] = (this.calls[operation] ?? 0) + 1;
    if (READS.has(operation)) return;
    this.#changes += 1;
    if (this.#crashAt?.change === this.#changes) this.#options.crash(this.#crashAt.how);
  }

  #latencyMs(operation: DiskOperation): number {
    const { random } = this.#options;
    const slow = random.chance(SLOW_CHANCE) ? random.fraction() * SLOW_MS_MAX : 0;
    const typicalMs = operation === "sync" || operation === "syncDirectory" ? 0.4 : 0.1;
    return typicalMs * (0.2 + random.fraction()) + slow;
  }
}

/** A prefix of the bytes that ends at a sector of the file: what an interrupted write leaves. */
export function prefixOf(
  bytes: Uint8Array,
  { at, random }: { readonly at: number; readonly random: SeededRandom },
): Uint8Array {
  const sectors = Math.ceil(bytes.length / SECTOR_BYTES) + 1;
  const end = Math.floor(at / SECTOR_BYTES + random.below(sectors + 1)) * SECTOR_BYTES - at;
  return bytes.subarray(0, Math.min(bytes.length, Math.max(0, end)));
}

/** A call that was under way may find, after all, that it cannot be done. Nobody hears of it. */
function attempt(act: () => unknown): void {
  try {
    act();
  } catch {
    // As on a real disk: the caller died before it could be told.
  }
}
