/**
 * DOES THIS PLACE DO WHAT A STORE NEEDS OF IT? Tried out, since services say yes to headers that they
 * ignore. `bop doctor` prints it; a store asks once for each bucket and refuses one that fails.
 *
 *   required    stored             what was put is got, with its metadata, by its key and in a list
 *               create-if-absent   the second is refused and changes nothing; of many at once one wins
 *               ranges             a part of an object is that part
 *               deleted            what was deleted is gone at once
 *   reported    compare-and-swap   nothing rests on it
 *               refuses-damage     the service itself notices a body that was damaged on the way
 *
 * (1) Everything happens under `probe/<nonce>…`, and is removed again, whatever comes out.
 * (2) A place that cannot be reached, or refuses for want of permission, is not judged: that error is
 *     thrown.
 * (3) What is damaged on its way there or back says nothing of the place: the same is tried with another
 *     object. One that is damaged each time is thrown.
 */
import type { Random } from "../base/env.ts";
import { isStorageError, StorageError } from "../base/errors.ts";
import { bucketKey, PREFIXES } from "./keys.ts";
import type { ByteRange, ObjectStore, PutOptions } from "./object-store.ts";

export interface ProbeFinding {
  readonly name: string;
  readonly required: boolean;
  readonly passed: boolean;
  /** What it means, in a sentence for who runs the store. */
  readonly says: string;
}

export interface ProbeReport {
  readonly location: string;
  /** Everything that is required has passed. */
  readonly fit: boolean;
  readonly findings: readonly ProbeFinding[];
}

export interface ProbeOptions {
  readonly random: Random;
  readonly signal?: AbortSignal | undefined;
}

const ID_BYTES = 16;
const RACERS = 8;
const PART_READS_MAX = 3;
const TRIALS_MAX = 4;
const BODY_BYTES = 10_000;
/** Unclear outcomes are asked for again: a race brings some services to answer 409 or 500. */
const ATTEMPTS_MAX = 10;

export async function probe(store: ObjectStore, options: ProbeOptions): Promise<ProbeReport> {
  const trial = new Trial(store, options);
  const findings: ProbeFinding[] = [];
  try {
    for (const what of [() => trial.stores(), () => trial.creates(), () => trial.cuts()]) {
      findings.push(await undamaged(what));
    }
    findings.push(...(await trial.inspects()), await trial.deletes());
  } finally {
    await trial.removeAll();
  }
  const fit = findings.every(({ required, passed }) => passed || !required);
  return { location: store.location, fit, findings };
}

/** Throws BOP_SINK_UNFIT if something that is required is missing. */
export function assertFit({ location, findings }: ProbeReport): void {
  const failed = findings.filter(({ required, passed }) => required && !passed);
  if (failed.length === 0) return;
  const details = { store: location, failed: failed.map(({ name }) => name) };
  const why = failed.map(({ says }) => says).join("; ");
  throw new StorageError("BOP_SINK_UNFIT", `${location}: ${why}`, { details });
}

class Trial {
  readonly #store: ObjectStore;
  readonly #options: ProbeOptions;
  readonly #keys: string[] = [];
  readonly #body: Uint8Array;

  constructor(store: ObjectStore, options: ProbeOptions) {
    this.#store = store;
    this.#options = options;
    this.#body = options.random.bytes(BODY_BYTES);
  }

  async stores(): Promise<ProbeFinding> {
    const key = this.#key();
    const options = this.#put();
    await this.#surely(() => this.#store.put(key, this.#body, options));
    const found = await this.#surely(() => this.#store.get(key, this.#call));
    const info = await this.#surely(() => this.#store.head(key, this.#call));
    const { objects } = await this.#surely(() => this.#store.list(PREFIXES.probe, this.#call));
    const whole = found !== undefined && same(found.bytes, this.#body);
    const passed =
      whole &&
      info?.putId === options.putId &&
      info.sha256 !== undefined &&
      objects.some((object) => object.key === key && object.sizeBytes === BODY_BYTES);
    return required("stored", {
      passed,
      yes: "what is put is found at once, with its metadata",
      no: "what was put is not found at once, or not with its metadata",
    });
  }

  async creates(): Promise<ProbeFinding> {
    const verdict = (await this.#createsOnce()) && (await this.#createsOneOfMany());
    return required("create-if-absent", {
      passed: verdict,
      yes: "of several writers of one key exactly one succeeds",
      no: "two writers of one key both succeed, so nothing would keep two machines apart",
    });
  }

  async cuts(): Promise<ProbeFinding> {
    const key = this.#key();
    await this.#surely(() => this.#store.put(key, this.#body, this.#put()));
    const ranges = [
      [{ offset: 100, bytes: 50 }, 100, 150],
      [{ offset: BODY_BYTES - 5, bytes: 100 }, BODY_BYTES - 5, BODY_BYTES],
      [{ lastBytes: 7 }, BODY_BYTES - 7, BODY_BYTES],
    ] as const;
    let passed = true;
    for (const [range, from, to] of ranges) {
      const wanted = this.#body.subarray(from, to);
      let isRight = false;
      // A part bears no checksum: one that was damaged on the way says nothing of the service.
      for (let reads = 0; !isRight && reads < PART_READS_MAX; reads++) {
        const bytes = await this.#part(key, range);
        isRight = bytes !== undefined && same(bytes, wanted);
      }
      passed &&= isRight;
    }
    if (!passed) await this.#surely(() => this.#store.get(key, this.#call)); // Throws if it was damaged.
    return required("ranges", {
      passed,
      yes: "parts of objects can be read",
      no: "a part of an object that is asked for is not what comes",
    });
  }

  async deletes(): Promise<ProbeFinding> {
    const key = this.#key();
    await this.#surely(() => this.#store.put(key, this.#body, this.#put()));
    await this.#surely(() => this.#store.delete(key, this.#call));
    const found = await this.#surely(() => this.#store.head(key, this.#call));
    return required("deleted", {
      passed: found === undefined,
      yes: "what is deleted is gone at once",
      no: "what was deleted is still there",
    });
  }

  async inspects(): Promise<ProbeFinding[]> {
    const report = await this.#store.inspect?.(this.#key(), this.#put());
    if (report === undefined) return [];
    const { compareAndSwap, refusesDamage } = report;
    const swaps = {
      yes: "it has compare-and-swap, which is not needed",
      unquoted: "it has compare-and-swap for ETags without quotes, which is not needed",
      no: "it has no compare-and-swap, which is not needed",
    };
    return [
      {
        name: "compare-and-swap",
        required: false,
        passed: compareAndSwap !== "no",
        says: swaps[compareAndSwap],
      },
      {
        name: "refuses-damage",
        required: false,
        passed: refusesDamage,
        says: refusesDamage
          ? "a body that is damaged on the way is refused"
          : "a body that is damaged on the way is stored, and noticed only when it is read",
      },
    ];
  }

  /** What cannot be removed is left: it harms nobody, and the first error is the one to tell. */
  async removeAll(): Promise<void> {
    const remove = (key: string) => this.#store.delete(key, this.#call).catch(() => undefined);
    await Promise.all(this.#keys.map(remove));
  }

  async #createsOnce(): Promise<boolean> {
    const key = this.#key();
    const first = this.#put();
    const create = (body: Uint8Array, options: PutOptions) =>
      this.#surely(() => this.#store.putIfAbsent(key, body, options));
    const created = await create(this.#body, first);
    const again = await create(this.#body, first);
    const other = await create(this.#options.random.bytes(BODY_BYTES), this.#put());
    const found = await this.#surely(() => this.#store.get(key, this.#call));
    const kept = found !== undefined && same(found.bytes, this.#body);
    const types = [created, again, other].map(({ type }) => type).join();
    return kept && types === "created,created,exists";
  }

  async #createsOneOfMany(): Promise<boolean> {
    const key = this.#key();
    const racers = Array.from({ length: RACERS }, () => this.#put());
    const outcomes = await Promise.all(
      racers.map((options) => {
        const body = Buffer.from(options.putId);
        return this.#surely(() => this.#store.putIfAbsent(key, body, options));
      }),
    );
    const winners = racers.filter((_, index) => outcomes[index]?.type === "created");
    const found = await this.#surely(() => this.#store.get(key, this.#call));
    const there = found && Buffer.from(found.bytes).toString();
    return winners.length === 1 && there === winners[0]?.putId;
  }

  /** Undefined if what came is not even of the right place or length. */
  async #part(key: string, range: ByteRange): Promise<Uint8Array | undefined> {
    try {
      const found = await this.#surely(() => this.#store.get(key, { range, ...this.#call }));
      return found?.bytes;
    } catch (error) {
      if (isStorageError(error, "BOP_SINK_CORRUPT")) return undefined;
      throw error;
    }
  }

  get #call(): { readonly signal: AbortSignal | undefined } {
    return { signal: this.#options.signal };
  }

  #key(): string {
    const key = bucketKey({ kind: "probe", nonce: this.#nonce() });
    this.#keys.push(key);
    return key;
  }

  #put(): PutOptions {
    return { putId: this.#nonce(), ...this.#call };
  }

  #nonce(): string {
    return Buffer.from(this.#options.random.bytes(ID_BYTES)).toString("hex");
  }

  /** Damage on the way and unclear outcomes are not what is asked here. */
  async #surely<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        if (!isStorageError(error, "BOP_SINK_UNKNOWN") || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  }
}

/** See (3). */
async function undamaged<T>(trial: () => Promise<T>): Promise<T> {
  for (let trials = 1; ; trials++) {
    try {
      return await trial();
    } catch (error) {
      if (!isStorageError(error, "BOP_SINK_CORRUPT") || trials === TRIALS_MAX) throw error;
    }
  }
}

function required(
  name: string,
  { passed, yes, no }: { readonly passed: boolean; readonly yes: string; readonly no: string },
): ProbeFinding {
  return { name, required: true, passed, says: passed ? yes : no };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
