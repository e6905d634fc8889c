/**
 * ROUNDS ON FILE SYSTEMS THAT REALLY FAIL (mount.ts), under a writer's load:
 *
 *   full    no block is left: refused with BOP_DISK_FULL, and nothing else happens. Half of the writers
 *           are killed so, and their store is opened and read on the full disk. The others see room
 *           again: commits are taken by the same process
 *   error   ext4 finds itself damaged and turns read-only under the store: no more is acknowledged
 *   cut     the power goes: what ext4 had not written is forgotten, and its journal replayed
 *
 * After each of them the store is opened where it lies: what was acknowledged is there.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type SeededRandom, seeded } from "../../../src/io/index.ts";
import { Ledger, type Told } from "../ledger.ts";
import { killedLoad, lookAt } from "../processes.ts";
import { Mount, type MountKind } from "./mount.ts";

export interface MountTorture {
  readonly folder: string;
  readonly kind: MountKind;
  readonly rounds: number;
  readonly seed: number;
  readonly onRound?: (round: MountRound) => void;
}

type Happening = "full" | "error" | "cut";

export interface MountRound {
  readonly number: number;
  readonly happening: Happening;
  readonly acknowledged: number;
  /** Of them, after there was room again. */
  readonly acknowledgedAfter: number;
  /** By code. */
  readonly refused: ReadonlyMap<string, number>;
  readonly problems: readonly string[];
}

const MIB = 1024 * 1024;
const OPTIONS = {
  segmentBytes: MIB,
  checkpointLogBytes: 2 * MIB,
  historyMs: 0,
  limits: { reserveBytes: MIB, admissionTimeoutMs: 300 },
};
const HAPPENINGS: Readonly<Record<MountKind, readonly Happening[]>> = {
  tmpfs: ["full"],
  ext4: ["full", "error", "cut"],
  "ext4-journal": ["full", "error", "cut"],
  "ext4-device": ["full", "cut"],
};
/** Answers before something happens, and after. */
const BEFORE_MAX = 400;
const AFTER = 60;
const LIFE_MS = 30_000;

/** Ends at the first round that finds a problem, and leaves what is mounted. */
export async function mountTorture(options: MountTorture): Promise<MountRound[]> {
  const mount = Mount.make(options.folder, options.kind);
  const rounds: MountRound[] = [];
  let ledger = new Ledger();
  for (let number = 1; number <= options.rounds; number++) {
    const random = seeded(options.seed * 100_000 + number);
    const round = await mountRound(mount, { number, random, ledger });
    rounds.push(round);
    options.onRound?.(round);
    if (round.problems.length > 0) return rounds;
    if (number % AFRESH_EVERY !== 0) continue;
    rmSync(join(mount.place, "store"), { recursive: true });
    ledger = new Ledger();
  }
  mount.remove();
  return rounds;
}

/** The store would not fit for ever. */
const AFRESH_EVERY = 5;

interface Turn {
  readonly number: number;
  readonly random: SeededRandom;
  readonly ledger: Ledger;
}

async function mountRound(mount: Mount, turn: Turn): Promise<MountRound> {
  const { number, random, ledger } = turn;
  const happening = random.pick(HAPPENINGS[mount.kind]);
  const getsRoom = happening === "full" && random.chance(0.5);
  const events = new Events(mount, { happening, getsRoom, before: 10 + random.below(BEFORE_MAX) });
  const directory = join(mount.place, "store");
  const task = {
    directory,
    callers: 1 + random.below(16),
    databases: 1 + random.below(4),
    round: number,
    options: { ...OPTIONS, io: random.pick(["direct", "standard"] as const) },
    goesOn: true,
  };
  const problems: string[] = [];
  try {
    await killedLoad(task, {
      killing: { from: "ready", afterMs: LIFE_MS },
      ending: events.over,
      onTold(told) {
        ledger.hear(told);
        events.hear(told);
      },
    });
    if (happening !== "full") mount.again();
    problems.push(...events.problems(), ...ledger.problems(await lookAt(directory), number));
  } catch (error) {
    problems.push(String(error));
  }
  if (problems.length === 0) mount.free();
  const { acknowledged, acknowledgedAfter, refused } = events;
  return { number, happening, acknowledged, acknowledgedAfter, refused, problems };
}

interface EventPlan {
  readonly happening: Happening;
  readonly getsRoom: boolean;
  /** Answers before it happens. */
  readonly before: number;
}

/** What happens to the file system, as the writer gets on. */
class Events {
  readonly #mount: Mount;
  readonly #plan: EventPlan;
  readonly #ending = new AbortController();
  readonly refused = new Map<string, number>();
  acknowledged = 0;
  acknowledgedAfter = 0;
  #told = 0;
  #state: "before" | "happened" | "room" = "before";
  #since = 0;

  constructor(mount: Mount, plan: EventPlan) {
    this.#mount = mount;
    this.#plan = plan;
  }

  /** The writer has seen enough. */
  get over(): AbortSignal {
    return this.#ending.signal;
  }

  hear(told: Told): void {
    this.#told += 1;
    this.#since += 1;
    if (told.kind === "acknowledged") {
      this.acknowledged += 1;
      if (this.#state === "room") this.acknowledgedAfter += 1;
    }
    if ("code" in told) this.refused.set(told.code, (this.refused.get(told.code) ?? 0) + 1);
    if (this.#state === "before" && this.#told >= this.#plan.before) this.#happens();
    else if (this.#since >= AFTER) this.#goesOn(told);
  }

  #happens(): void {
    if (this.#plan.happening === "full") this.#mount.fill();
    else if (this.#plan.happening === "error") this.#mount.fail();
    else this.#mount.cut();
    this.#state = "happened";
    this.#since = 0;
  }

  /** There may have been room for some commits: one that is refused shows that it is over. */
  #goesOn(told: Told): void {
    if (this.#state === "happened" && this.#plan.getsRoom && told.kind === "refused") {
      this.#mount.free();
      this.#state = "room";
      this.#since = 0;
    } else if (this.#state === "room" && this.acknowledgedAfter >= AFTER) this.#ending.abort();
    else if (this.#state === "happened" && !this.#plan.getsRoom && told.kind === "refused") {
      this.#ending.abort();
    }
  }

  problems(): string[] {
    const problems: string[] = [];
    if (this.#state === "before") problems.push(`nothing happened in ${this.#told} answers`);
    if (this.#plan.getsRoom && this.acknowledgedAfter === 0)
      problems.push("there was room again in vain");
    if (this.#plan.happening !== "full") return problems;
    for (const code of this.refused.keys()) {
      if (!PATIENT.includes(code)) problems.push(`a full disk was told as ${code}`);
    }
    return problems;
  }
}

const PATIENT: readonly string[] = ["BOP_DISK_FULL", "BOP_BACKPRESSURE", "BOP_TIMEOUT"];
