/**
 * SCRUBS A STORE in the background: reads again what was written, a piece at a time, when the plans say
 * that it is due; and at once, when somebody asks.
 *
 *     first look ──► what is due: a piece of a pass, a database to try ──► one timer ──► …
 *
 * (1) One thing at a time, whoever asked for it.
 * (2) An idle store has one timer, which rings once an hour at most unless something is due.
 * (3) How far a pass is, is noted when it begins and ends, when something is found, once a minute while
 *     it runs, and when the store closes. What was not noted is read again.
 * (4) Whatever happens here, the store goes on: what cannot be judged is tried again later.
 * (5) A store that is open for less than a minute is not looked at.
 */
import type { Clock, Disposer, Random, Storage } from "../../base/env.ts";
import { Turns } from "../../base/turns.ts";
import type { StreamId } from "../../base/units.ts";
import type { Manifest, ScrubKey, ScrubRow } from "../../manifest/index.ts";
import type { Found, ScrubArea, ScrubPiece } from "./area.ts";
import { chooseSample, type SampleRow, sampleDueInMs } from "./choose-sample.ts";
import { PacedReads } from "./paced-reads.ts";
import { isAway, Pass } from "./pass.ts";
import type { ScrubFinding, ScrubProgress, ScrubReport } from "./scrub.ts";
import type { ResolvedScrub } from "./scrub-options.ts";
import {
  databaseKey,
  decodePass,
  encodePass,
  encodeSample,
  NEW_PASS,
  type PassName,
} from "./scrub-rows.ts";

export interface Sample {
  readonly bytes: number;
  /** What is wrong; empty if nothing is. */
  readonly problem: string;
}

export interface ScrubberGround {
  readonly clock: Clock;
  readonly random: Random;
  readonly storage: Storage;
  readonly options: ResolvedScrub;
  readonly manifest: Pick<Manifest, "opened" | "publish">;
  readonly local: ScrubArea;
  /** What needs a sink; undefined without one. */
  readonly remote: RemoteScrub | undefined;
  /** Rows may be written. */
  readonly isWritable: () => boolean;
  /** Databases that there are: streams and names. */
  readonly databases: () => Iterable<readonly [StreamId, string]>;
  readonly hasDatabases: () => boolean;
  readonly onFault: (error: unknown) => void;
}

export interface RemoteScrub {
  readonly area: ScrubArea;
  /** The sink can be asked, and is this store's. */
  readonly isThere: () => boolean;
  /** Undefined if it was not there to be tried. */
  trySample(stream: StreamId, reads: PacedReads): Promise<Sample | undefined>;
}

type Part = ScrubFinding["part"];

/** What somebody asked for, checked. */
export interface ScrubNow {
  readonly parts: readonly Part[];
  readonly stream: StreamId | undefined;
  readonly bytesPerSecond: number;
  readonly onProgress: ((progress: ScrubProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

interface TriedDatabase {
  /** Undefined if none was there to be tried. */
  readonly name: string | undefined;
  readonly findings: readonly ScrubFinding[];
}

const NOTHING_TRIED: TriedDatabase = { name: undefined, findings: [] };
const FIRST_LOOK_MS = 60_000;
const LOOK_EVERY_MS = 3_600_000;
const SAVE_EVERY_MS = 60_000;
const AGAIN_MS = 600_000;
const FINDINGS_MAX = 100;

export class Scrubber {
  readonly #ground: ScrubberGround;
  readonly #ended = new AbortController();
  /** See (1). */
  readonly #turns = new Turns();
  readonly #reads: PacedReads;
  readonly #passes = new Map<PassName, Pass>();
  readonly #samples = new Map<StreamId, SampleRow>();
  readonly #findings: ScrubFinding[] = [];
  /** Not before: see (4). Monotonic. */
  readonly #notBeforeMs = new Map<Part, number>();
  readonly #unsaved = new Set<PassName>();
  #savedMs = 0;
  #healed = 0;
  #nowBytes = 0;
  #timer: Disposer | undefined;

  constructor(ground: ScrubberGround) {
    const { clock, storage, options, manifest } = ground;
    this.#ground = ground;
    const bytesPerSecond = options.maxBytesPerSecond;
    this.#reads = new PacedReads({ clock, storage, bytesPerSecond, signal: this.#ended.signal });
    const rows = new Map(manifest.opened.scrubs.map((row) => [`${row.part}/${row.stream}`, row]));
    for (const name of ["local", "remote"] as const) {
      const row = rows.get(`${name}/0`);
      const pass = this.#passOf(name, row && decodePass(row));
      if (pass !== undefined) this.#passes.set(name, pass);
    }
    for (const row of rows.values())
      if (row.part === "database") this.#samples.set(row.stream, row);
  }

  /** Since the store was opened. */
  get counts(): { readonly readBytes: number; readonly healed: number } {
    return { readBytes: this.#reads.readBytes + this.#nowBytes, healed: this.#healed };
  }

  get findings(): readonly ScrubFinding[] {
    return this.#findings;
  }

  get samples(): ReadonlyMap<StreamId, SampleRow> {
    return this.#samples;
  }

  pass(name: PassName): Pass | undefined {
    return this.#passes.get(name);
  }

  /** See (5). */
  start(): void {
    const { localEveryMs, remoteEveryMs, sampleEveryMs } = this.#ground.options;
    const remoteMs = this.#ground.remote === undefined ? 0 : remoteEveryMs + sampleEveryMs;
    if (localEveryMs + remoteMs > 0) this.#ring(FIRST_LOOK_MS);
  }

  /** Resolves when nothing runs. What was found out is noted. */
  async stop(): Promise<void> {
    this.#timer?.dispose();
    this.#ended.abort(new Error("the store was closed"));
    await this.#turns.ended();
    for (const pass of this.#passes.values()) await pass.stop();
    await this.#save();
  }

  /** All of the parts that were asked for, from their beginning. Rejects with the signal's reason. */
  now(wanted: ScrubNow): Promise<ScrubReport> {
    return this.#turns.run(() => this.#now(wanted));
  }

  #passOf(name: PassName, row = NEW_PASS): Pass | undefined {
    const { options, local, remote, clock } = this.#ground;
    const area = name === "local" ? local : remote?.area;
    const everyMs = name === "local" ? options.localEveryMs : options.remoteEveryMs;
    return area && new Pass({ area, everyMs, row, wallMs: () => clock.wallMs() });
  }

  #ring(delayMs: number): void {
    if (this.#ended.signal.aborted) return;
    this.#timer?.dispose();
    this.#timer = this.#ground.clock.after(Math.min(delayMs, LOOK_EVERY_MS), () => {
      void this.#turns.run(() => this.#turn()).then((nextMs) => this.#ring(nextMs));
    });
  }

  /** Does one thing that is due. Resolves with how long until the next is; never rejects. */
  async #turn(): Promise<number> {
    let nextMs = LOOK_EVERY_MS;
    for (const part of ["local", "remote", "sample"] as const) {
      const waitMs = await this.#guarded(part, () => this.#dueInMs(part));
      if (waitMs > 0) {
        nextMs = Math.min(nextMs, waitMs);
        continue;
      }
      await this.#guarded(part, async () => {
        await (part === "sample" ? this.#sample(this.#reads) : this.#step(part));
        return 0;
      });
      nextMs = 0;
    }
    return nextMs;
  }

  /** See (4). */
  async #guarded(part: Part, work: () => Promise<number>): Promise<number> {
    const { clock, onFault } = this.#ground;
    const pauseMs = (this.#notBeforeMs.get(part) ?? 0) - clock.monotonicMs();
    if (pauseMs > 0) return pauseMs;
    try {
      return await work();
    } catch (error) {
      if (!this.#ended.signal.aborted && !isAway(error)) onFault(error);
      this.#notBeforeMs.set(part, clock.monotonicMs() + AGAIN_MS);
      return AGAIN_MS;
    }
  }

  async #dueInMs(part: Part): Promise<number> {
    const { clock, options, remote } = this.#ground;
    if (this.#ended.signal.aborted) return LOOK_EVERY_MS;
    if (part !== "local" && remote?.isThere() !== true) return AGAIN_MS;
    const nowMs = clock.wallMs();
    if (part === "sample") {
      if (!this.#ground.hasDatabases()) return LOOK_EVERY_MS;
      return sampleDueInMs(this.#samples.values(), { everyMs: options.sampleEveryMs, nowMs });
    }
    const pass = this.#passes.get(part);
    await pass?.prepare(this.#reads);
    return pass?.plan.dueInMs(nowMs) ?? LOOK_EVERY_MS;
  }

  async #step(name: PassName): Promise<void> {
    const pass = this.#passes.get(name);
    if (pass === undefined) return;
    const isNew = !pass.plan.isUnderWay;
    const step = await pass.step(this.#reads);
    this.#unsaved.add(name);
    const found = step.type === "piece" ? step.found : [];
    this.#tell(name, found);
    const isLong = this.#ground.clock.monotonicMs() - this.#savedMs >= SAVE_EVERY_MS;
    if (isNew || step.type === "end" || found.length > 0 || isLong) await this.#save();
  }

  /** The name of the database, if one could be tried, and what was found. */
  async #sample(reads: PacedReads, wanted?: StreamId): Promise<TriedDatabase> {
    const { remote, random, clock, databases } = this.#ground;
    const names = new Map(databases());
    await this.#forgetGone(names);
    const stream = wanted ?? chooseSample(names.keys(), this.#samples, random);
    const name = stream === undefined ? undefined : names.get(stream);
    if (remote === undefined || stream === undefined || name === undefined) return NOTHING_TRIED;
    const tried = await remote.trySample(stream, reads);
    const lastTriedMs = Math.max(1, clock.wallMs());
    const before = this.#samples.get(stream);
    const { bytes, problem } = tried ?? { bytes: 0, problem: before?.problem ?? "" };
    const isGood = tried !== undefined && problem === "";
    const lastGoodMs = isGood ? lastTriedMs : (before?.lastGoodMs ?? 0);
    const row = { lastGoodMs, lastTriedMs, bytes, problem };
    this.#samples.set(stream, row);
    await this.#publish([encodeSample(stream, row)], []);
    if (tried === undefined) return NOTHING_TRIED;
    if (problem === "") return { name, findings: [] };
    const found = { what: name, offset: undefined, why: problem, databases: [name] };
    return { name, findings: this.#tell("sample", [{ ...found, outcome: "reported" }]) };
  }

  async #forgetGone(names: ReadonlyMap<StreamId, string>): Promise<void> {
    const gone = [...this.#samples.keys()].filter((stream) => !names.has(stream));
    if (gone.length === 0) return;
    for (const stream of gone) this.#samples.delete(stream);
    await this.#publish([], gone.map(databaseKey));
  }

  #tell(part: Part, found: readonly Found[]): readonly ScrubFinding[] {
    const at = new Date(this.#ground.clock.wallMs());
    const told = found.map((each) => ({ part, ...each, at }));
    this.#healed += found.filter(({ outcome }) => outcome === "healed").length;
    this.#findings.push(...told);
    this.#findings.splice(0, Math.max(0, this.#findings.length - FINDINGS_MAX));
    return told;
  }

  async #now(wanted: ScrubNow): Promise<ScrubReport> {
    const { clock, storage } = this.#ground;
    const { bytesPerSecond, onProgress } = wanted;
    const signal = anyOf([this.#ended.signal, wanted.signal]);
    const reads = new PacedReads({ clock, storage, bytesPerSecond, signal });
    const findings: ScrubFinding[] = [];
    const counts = { chunk: 0, segment: 0, object: 0, file: 0 };
    const databases: string[] = [];
    const took = (part: PassName, piece: ScrubPiece, found: readonly Found[]) => {
      counts[piece.kind] += 1;
      findings.push(...this.#tell(part, found));
    };
    try {
      for (const part of wanted.parts) {
        if (part !== "sample") {
          await this.#wholePass(part, { reads, took, onProgress });
          continue;
        }
        const tried = await this.#sample(reads, wanted.stream);
        if (tried.name !== undefined) databases.push(tried.name);
        findings.push(...tried.findings);
      }
    } finally {
      this.#nowBytes += reads.readBytes;
    }
    const { chunk: chunks, segment: segments, object: objects } = counts;
    const checked = { chunks, segments, objects, bytes: reads.readBytes, databases };
    return { isSound: findings.every(({ outcome }) => outcome === "healed"), checked, findings };
  }

  async #wholePass(
    name: PassName,
    by: {
      readonly reads: PacedReads;
      readonly took: (part: PassName, piece: ScrubPiece, found: readonly Found[]) => void;
      readonly onProgress: ScrubNow["onProgress"];
    },
  ): Promise<void> {
    const before = this.#passes.get(name)?.plan.row ?? NEW_PASS;
    const pass = this.#passOf(name, { ...before, beganMs: 0, position: "" });
    if (pass === undefined) return;
    for (let step = await pass.step(by.reads); step.type === "piece"; ) {
      by.took(name, step.piece, step.found);
      by.onProgress?.({ part: name, ...pass.plan.bytes });
      step = await pass.step(by.reads);
    }
    await this.#passes.get(name)?.stop();
    this.#passes.set(name, pass);
    this.#unsaved.add(name);
    await this.#save();
  }

  /** See (3). */
  async #save(): Promise<void> {
    const rows = [...this.#unsaved].flatMap((name) => {
      const pass = this.#passes.get(name);
      return pass === undefined ? [] : encodePass(name, pass.plan.row);
    });
    this.#unsaved.clear();
    this.#savedMs = this.#ground.clock.monotonicMs();
    if (rows.length > 0) await this.#publish(rows, []);
  }

  /** What is not noted is read again: nothing is lost by it. */
  async #publish(putScrubs: readonly ScrubRow[], removeScrubs: readonly ScrubKey[]): Promise<void> {
    const { manifest, isWritable, onFault } = this.#ground;
    if (!isWritable()) return;
    await manifest.publish({ putScrubs, removeScrubs }).catch(onFault);
  }
}

function anyOf(signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}
