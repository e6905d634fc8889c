/**
 * A MODEL OF SEVERAL WRITERS ON ONE BUCKET, small enough that everything that can happen is tried:
 * any of them goes on at any moment, any put may be lost, be answered by nothing though it was done,
 * or land when its sender has long given up, and any of them may die or sleep at any step.
 *
 * (1) A writer claims, takes over (the real core), may publish a state, appends, and may delete what
 *     older epochs have put. What the real shell does with an answer, `step` does here.
 * (2) A state is plain data, so that one that was met before is not visited again.
 * (3) One that dies, or sleeps for ever, is one that is not chosen any more: what must hold is asked
 *     of every state, as if it were the last.
 * (4) What was deleted is not there for anybody, but the model still knows it: `shadow`.
 */
import { afterLook, beginEnding, questionOf, type Seen, type Tried } from "./ending-core.ts";
import {
  beginTakeOver,
  type EndedEpoch,
  looked,
  moveOf,
  stateFound,
  type TakeOver,
  tried,
} from "./take-over-core.ts";

/** "c" claims, "d" data (with its LSN), "s" states (with the chain below them), "f" fences. */
interface Thing {
  readonly type: "c" | "d" | "s" | "f";
  readonly by: number;
  readonly lsn?: number;
  readonly wal?: { readonly epoch: number; readonly number: number; readonly chain: Chain };
}

/** Who shipped LSN 0, 1, 2 …: epochs. */
type Chain = readonly number[];
type Things = Readonly<Record<string, Thing>>;

type Phase =
  | { readonly type: "claiming"; readonly epoch: number }
  | { readonly type: "taking over"; readonly epoch: number; readonly at: TakeOver }
  | {
      readonly type: "writing";
      readonly epoch: number;
      readonly number: number;
      readonly chainBelow: number;
      readonly published: "no" | "yes" | "collected";
    }
  | { readonly type: "fenced" };

export interface Model {
  readonly things: Things;
  readonly shadow: Things;
  readonly late: readonly { readonly key: string; readonly thing: Thing }[];
  readonly writers: readonly Phase[];
  /** By LSN: epochs that have acknowledged it. */
  readonly acknowledged: readonly (readonly number[])[];
  readonly troubles: number;
}

export interface Bounds {
  readonly writers: number;
  readonly appends: number;
  /** Puts that do not simply succeed. */
  readonly troubles: number;
  readonly publishes: boolean;
}

/** Mistakes that the enumeration must find. */
export type Mistake = "unclear is done" | "unclear is failed" | "no fence" | "newest epoch only";

const BY_FATE = ["done", "unheard", "lost", "late"] as const;
type Fate = (typeof BY_FATE)[number];

export function firstModel({ writers }: Bounds): Model {
  return {
    things: {},
    shadow: {},
    late: [],
    writers: Array.from({ length: writers }, () => ({ type: "claiming", epoch: 1 }) as const),
    acknowledged: [],
    troubles: 0,
  };
}

/** Everything that can happen next. */
export function* nextModels(model: Model, bounds: Bounds, mistake?: Mistake): Generator<Model> {
  for (const [index, { key, thing }] of model.late.entries()) {
    const late = model.late.filter((_, each) => each !== index);
    yield put({ ...model, late }, key, thing);
  }
  for (const [index, phase] of model.writers.entries()) {
    yield* stepsOf({ model, index, bounds, mistake }, phase);
  }
}

interface Place {
  readonly model: Model;
  readonly index: number;
  readonly bounds: Bounds;
  readonly mistake: Mistake | undefined;
}

function* stepsOf(place: Place, phase: Phase): Generator<Model> {
  if (phase.type === "claiming") yield* claim(place, phase);
  if (phase.type === "taking over") yield* takeOver(place, phase);
  if (phase.type === "writing") yield* write(place, phase);
}

function* claim(place: Place, { epoch }: Extract<Phase, { type: "claiming" }>): Generator<Model> {
  const thing = { type: "c", by: place.index } as const;
  for (const { model, outcome } of create(place, `epoch/${epoch}`, thing)) {
    const from = { ...place, model };
    if (outcome === "created") yield advance(from, epoch, beginTakeOver(epoch));
    else if (outcome === "unclear") yield model;
    else yield moved(from, { type: "claiming", epoch: epoch + 1 });
  }
}

function* takeOver(place: Place, phase: Extract<Phase, { type: "taking over" }>): Generator<Model> {
  const { model, mistake } = place;
  const { epoch, at } = phase;
  const move = moveOf(at);
  if (move === undefined || move.type === "state") return; // `advance` has gone beyond these.
  const goOn = (next: TakeOver, from = model) => advance({ ...place, model: from }, epoch, next);
  const key = `${move.kind}/${move.epoch}/${move.number}`;
  if (mistake === "newest epoch only" && move.epoch < epoch - 1) {
    yield goOn({ phase: "over", ended: at.ended });
  } else if (move.type === "look") {
    yield goOn(looked(at, seen(model, key)));
  } else if (mistake === "no fence") {
    yield goOn(tried(at, "created"));
  } else {
    for (const { model: from, outcome } of create(place, key, { type: "f", by: epoch })) {
      yield goOn(tried(at, outcome), from);
    }
  }
}

/** What is read of an epoch that has ended does not change any more, so it is no step of its own. */
function advance(place: Place, epoch: number, from: TakeOver): Model {
  const { model } = place;
  let at = from;
  for (let move = moveOf(at); move?.type === "state"; move = moveOf(at)) {
    const isState = model.things[`manifest/${move.epoch}/0`]?.type === "s";
    at = stateFound(at, isState ? 0 : undefined);
  }
  if (at.phase !== "over") return moved(place, { type: "taking over", epoch, at });
  const chainBelow = chainLength(model, at.ended);
  return moved(place, { type: "writing", epoch, number: 0, chainBelow, published: "no" });
}

function* write(place: Place, phase: Extract<Phase, { type: "writing" }>): Generator<Model> {
  const { bounds, mistake } = place;
  const { epoch, number, chainBelow, published } = phase;
  if (bounds.publishes && published === "no") yield* publish(place, phase);
  if (published === "yes") yield collect(place, phase);
  if (number >= bounds.appends) return;
  const lsn = chainBelow + number;
  const thing = { type: "d", by: epoch, lsn } as const;
  for (const { model: from, outcome } of create(place, `wal/${epoch}/${number}`, thing)) {
    const isDone =
      outcome === "created" || (outcome === "unclear" && mistake === "unclear is done");
    const failed = outcome === "unclear" && mistake === "unclear is failed";
    if (isDone) {
      const next = { ...phase, number: number + 1 };
      yield moved({ ...place, model: acknowledge(from, lsn, epoch) }, next);
    } else if (failed) {
      // The number is given up, and the same log is put under the next one.
      yield moved(
        { ...place, model: from },
        { ...phase, number: number + 1, chainBelow: chainBelow - 1 },
      );
    } else if (outcome === "unclear") {
      yield from;
    } else {
      yield moved({ ...place, model: from }, { type: "fenced" });
    }
  }
}

function* publish(place: Place, phase: Extract<Phase, { type: "writing" }>): Generator<Model> {
  const { epoch, number } = phase;
  const chain = chainOf(place.model).slice(0, phase.chainBelow + number);
  const wal = { ...newestWal(place.model, chain.length - 1), chain };
  const thing = { type: "s", by: epoch, wal } as const;
  for (const { model, outcome } of create(place, `manifest/${epoch}/0`, thing)) {
    if (outcome === "unclear") yield model;
    else if (outcome === "created")
      yield moved({ ...place, model }, { ...phase, published: "yes" });
    else yield moved({ ...place, model }, { type: "fenced" });
  }
}

/** Deletes what older epochs have put, but for fences and the newest data of each. */
function collect(place: Place, phase: Extract<Phase, { type: "writing" }>): Model {
  const { model } = place;
  const newest = new Map<string, string>();
  for (const key of Object.keys(model.things).sort()) {
    if (model.things[key]?.type === "d") newest.set(key.split("/")[1] ?? "", key);
  }
  const kept = new Set(newest.values());
  const isGarbage = ([key, { type, by }]: [string, Thing]) =>
    (type === "d" || type === "s") && by < phase.epoch && !kept.has(key);
  const all = Object.entries(model.things);
  const things = Object.fromEntries(all.filter((each) => !isGarbage(each)));
  const shadow = { ...model.shadow, ...Object.fromEntries(all.filter(isGarbage)) };
  return moved(
    { ...place, model: { ...model, things, shadow } },
    { ...phase, published: "collected" },
  );
}

/** Every fate of a put, and what its sender is told. */
function* create(
  { model, bounds }: Place,
  key: string,
  thing: Thing,
): Generator<{ model: Model; outcome: Tried }> {
  const there = model.things[key];
  const isOurs = there !== undefined && JSON.stringify(there) === JSON.stringify(thing);
  const answered: Tried =
    there === undefined || isOurs ? "created" : there.type === "f" ? "fence" : "data";
  yield { model: put(model, key, thing), outcome: answered };
  if (model.troubles >= bounds.troubles) return;
  for (const fate of BY_FATE.slice(1)) {
    yield { model: trouble(model, fate, { key, thing }), outcome: "unclear" };
  }
}

function trouble(model: Model, fate: Fate, sent: { key: string; thing: Thing }): Model {
  const troubled = { ...model, troubles: model.troubles + 1 };
  if (fate === "unheard") return put(troubled, sent.key, sent.thing);
  return fate === "late" ? { ...troubled, late: [...model.late, sent] } : troubled;
}

function put(model: Model, key: string, thing: Thing): Model {
  if (model.things[key] !== undefined) return model;
  return { ...model, things: { ...model.things, [key]: thing } };
}

function seen({ things }: Model, key: string): Seen {
  const thing = things[key];
  if (thing === undefined) return "absent";
  return thing.type === "f" ? "fence" : "data";
}

function moved({ model, index }: Place, phase: Phase): Model {
  const writers = model.writers.map((each, at) => (at === index ? phase : each));
  return { ...model, writers };
}

function acknowledge(model: Model, lsn: number, epoch: number): Model {
  const acknowledged = [...model.acknowledged];
  while (acknowledged.length <= lsn) acknowledged.push([]);
  const those = acknowledged[lsn] ?? [];
  if (!those.includes(epoch)) acknowledged[lsn] = [...those, epoch].sort();
  return { ...model, acknowledged };
}

/** As the shell does it: by what the take-over has ended, or by the newest state. */
function chainLength(model: Model, ended: readonly EndedEpoch[]): number {
  for (const { epoch, walEnd } of ended) {
    const last = model.things[`wal/${epoch}/${walEnd - 1}`];
    if (last?.lsn !== undefined) return last.lsn + 1;
  }
  const published = ended.find(({ state }) => state !== undefined);
  return model.things[`manifest/${published?.epoch}/0`]?.wal?.chain.length ?? 0;
}

/** Where readers find the log: behind what the newest state speaks of, dense, up to a fence. */
export function chainOf(model: Model): Chain {
  const start = newestState(model)?.wal;
  const chain = [...(start?.chain ?? [])];
  for (let epoch = start?.epoch ?? 1; model.things[`epoch/${epoch}`] !== undefined; epoch++) {
    let number = epoch === start?.epoch ? start.number + 1 : 0;
    for (; ; number++) {
      const thing = model.things[`wal/${epoch}/${number}`];
      if (thing?.type !== "d") break;
      if (thing.lsn !== chain.length) return [...chain, Number.NaN]; // No chain at all.
      chain.push(thing.by);
    }
  }
  return chain;
}

function newestState({ things }: Model): Thing | undefined {
  for (let epoch = 9; epoch > 0; epoch--) {
    const state = things[`manifest/${epoch}/0`];
    if (state?.type === "s") return state;
  }
  return undefined;
}

/** The object with this LSN. */
function newestWal({ things, shadow }: Model, lsn: number): { epoch: number; number: number } {
  const all = Object.entries({ ...shadow, ...things });
  const [key = "wal/1/-1"] = all.find(([, thing]) => thing.type === "d" && thing.lsn === lsn) ?? [];
  const [, epoch, number] = key.split("/").map(Number);
  return { epoch: epoch ?? 0, number: number ?? 0 };
}

/** What must hold in every state that can be reached; undefined if it does. */
export function broken(model: Model): string | undefined {
  const chain = chainOf(model);
  if (chain.some(Number.isNaN)) return "the log in the bucket is no chain";
  for (const [lsn, epochs] of model.acknowledged.entries()) {
    if (epochs.length > 1) return `${lsn} was acknowledged by ${epochs.join(" and ")}`;
    const [by] = epochs;
    if (by !== undefined && chain[lsn] !== by) return `${lsn}, acknowledged by ${by}, is not there`;
  }
  return undefined;
}

/** Steps of the search alone, for tests of its cost: how many looks until the end of `count`. */
export function looksFor(count: number, known = 0): number {
  let ending = beginEnding(known);
  let looks = 0;
  for (let asked = questionOf(ending); asked?.type === "look"; asked = questionOf(ending)) {
    ending = afterLook(ending, asked.number < count ? "data" : "absent");
    looks += 1;
  }
  return questionOf(ending)?.number === count ? looks : Number.NaN;
}
