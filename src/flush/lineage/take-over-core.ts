/**
 * TAKING OVER: which sequences are to be ended, in which order, and when that is enough. Plain data
 * and pure functions; ending-core.ts ends one sequence.
 *
 *     epoch 7 is ours:  manifest/6, wal/6, manifest/5, wal/5, manifest/4 … down to the newest epoch
 *     that has published a state of the manifest, that one included
 *
 * (1) Every older epoch is ended before ours writes: epochs are dense, so the older ones are all
 *     numbers below ours, those included whose claimant has written nothing yet and sleeps.
 * (2) An epoch publishes only after it has ended all that are older. So below the newest epoch with
 *     a state nothing is left to be ended; and nothing may be: objects of those epochs may have been
 *     deleted, and a fence could fall into the hole.
 * (3) Manifests first: what an epoch has published is final before its log is.
 * (4) It may be cut off anywhere and begun again, by us or by another, at the same time too: fences
 *     are for ever, and whoever finds one goes on.
 */
import { assert } from "../../base/assert.ts";
import {
  afterLook,
  afterTry,
  beginEnding,
  questionOf,
  type Seen,
  type SequenceEnding,
  type Tried,
} from "./ending-core.ts";

export type SequenceKind = "manifest" | "wal";

export interface EndedEpoch {
  readonly epoch: number;
  /** Number of the first fence: so many objects are data. */
  readonly manifestEnd: number;
  readonly walEnd: number;
  /** Number of its newest state; undefined if it has published none. */
  readonly state: number | undefined;
}

export type TakeOver =
  | {
      readonly phase: "ending";
      readonly kind: SequenceKind;
      readonly epoch: number;
      readonly ending: SequenceEnding;
      /** Of `epoch`, once that is known. */
      readonly manifest: ManifestEnd | undefined;
      /** Newest first. */
      readonly ended: readonly EndedEpoch[];
    }
  /** What did the epoch publish? Its objects below `end` are final. */
  | {
      readonly phase: "asking";
      readonly epoch: number;
      readonly end: number;
      readonly ended: readonly EndedEpoch[];
    }
  | { readonly phase: "over"; readonly ended: readonly EndedEpoch[] };

interface ManifestEnd {
  readonly end: number;
  readonly state: number | undefined;
}

/** What to do next. `state`: which is the newest state among that epoch's manifests below `end`? */
export type Move =
  | {
      readonly type: "look" | "fence";
      readonly kind: SequenceKind;
      readonly epoch: number;
      readonly number: number;
    }
  | { readonly type: "state"; readonly epoch: number; readonly end: number };

/** How many objects of an epoch are known to be there: where to begin the search. */
export type KnownEnds = (kind: SequenceKind, epoch: number) => number;

const NOTHING_KNOWN: KnownEnds = () => 0;

export function beginTakeOver(epoch: number, known: KnownEnds = NOTHING_KNOWN): TakeOver {
  return visit(epoch - 1, { ended: [], known });
}

/** Undefined when it is over. */
export function moveOf(takeOver: TakeOver): Move | undefined {
  if (takeOver.phase === "over") return undefined;
  const { epoch } = takeOver;
  if (takeOver.phase === "asking") return { type: "state", epoch, end: takeOver.end };
  const question = questionOf(takeOver.ending);
  assert(question !== undefined, "a sequence that has ended is not asked about");
  return { ...question, kind: takeOver.kind, epoch };
}

export function looked(takeOver: TakeOver, seen: Seen, known: KnownEnds = NOTHING_KNOWN): TakeOver {
  assert(takeOver.phase === "ending", "nothing was looked at");
  return advance({ ...takeOver, ending: afterLook(takeOver.ending, seen) }, known);
}

export function tried(
  takeOver: TakeOver,
  outcome: Tried,
  known: KnownEnds = NOTHING_KNOWN,
): TakeOver {
  assert(takeOver.phase === "ending", "nothing was tried");
  return advance({ ...takeOver, ending: afterTry(takeOver.ending, outcome) }, known);
}

/** The answer to the move `state`. */
export function stateFound(
  takeOver: TakeOver,
  state: number | undefined,
  known: KnownEnds = NOTHING_KNOWN,
): TakeOver {
  assert(takeOver.phase === "asking", "no state was asked for");
  const { epoch, end, ended } = takeOver;
  const ending = beginEnding(known("wal", epoch));
  return { phase: "ending", kind: "wal", epoch, ending, manifest: { end, state }, ended };
}

type Ended = Extract<TakeOver, { phase: "ending" }>;

function advance(takeOver: Ended, known: KnownEnds): TakeOver {
  const { ending, epoch, kind, manifest, ended } = takeOver;
  if (ending.phase !== "ended") return takeOver;
  if (kind === "manifest") return { phase: "asking", epoch, end: ending.number, ended };
  assert(manifest !== undefined, "manifests are ended before the log");
  const { end: manifestEnd, state } = manifest;
  const all = [...ended, { epoch, manifestEnd, walEnd: ending.number, state }];
  if (state !== undefined) return { phase: "over", ended: all }; // See (2).
  return visit(epoch - 1, { ended: all, known });
}

function visit(
  epoch: number,
  { ended, known }: { readonly ended: readonly EndedEpoch[]; readonly known: KnownEnds },
): TakeOver {
  if (epoch < 1) return { phase: "over", ended };
  const ending = beginEnding(known("manifest", epoch));
  return { phase: "ending", kind: "manifest", epoch, ending, manifest: undefined, ended };
}
