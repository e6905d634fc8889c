/**
 * DEAD LETTERS OF SHIPPING: what was refused for a reason that waiting cannot mend. What it concerns
 * waits until somebody decides; the bytes stay on this disk.
 *
 *   retry     it is tried again as it was
 *   discard   log: what was not shipped is given up, of all databases;
 *             chunk, manifest: the next state is made anew;
 *             in either case a new epoch begins, with its own base
 *
 *              refused              retry                   tried again
 *     (none) ─────────► row, held ─────────► row struck ─────────────────► (none), or a new letter
 *                           │ discard
 *                           ▼                    a new epoch begins: the row is struck, and one of
 *                       row: discarded ────────► the lost window is put, in one commit
 *
 * (1) One for each part that waits. A decision is heard once.
 * (2) What was refused while shipping is a row of the manifest: a later process finds it and waits as
 *     this one did, asking nothing of the bucket that concerns it. What was refused before anything
 *     was shipped is asked again by each opening, and needs no row.
 * (3) A decision is durable before it takes effect.
 * (4) Letters of another place than this one count for nothing here.
 * (5) The kind says what rests, and what discarding costs: `log` is every letter that holds up the log,
 *     also where the reason is a chunk that a commit names; `chunk` is one that a state names.
 *
 * The body of a row: part u8 (1 log, 2 manifest), discarded u8.
 */
import { isStorageError } from "../../base/errors.ts";
import type { DeadLetterRow, Manifest } from "../../manifest/index.ts";
import { PREFIXES } from "../../sink/index.ts";

export type LetterKind = "log" | "chunk" | "manifest";
export type LetterPart = "log" | "manifest";
export type LetterDecision = "retry" | "discard" | "closed";

export interface DeadLetter {
  readonly id: number;
  readonly kind: LetterKind;
  readonly at: Date;
  readonly reason: string;
  /** What was durable here and not in the bucket when it was refused. */
  readonly bytes: number;
}

export interface LettersGround {
  readonly manifest: Pick<Manifest, "opened" | "publish" | "nextSequence">;
  /** See (4). */
  readonly location: string;
  readonly report: (error: unknown) => void;
}

export interface Refused extends Omit<DeadLetter, "id"> {
  /** What waits for the decision. */
  readonly part: LetterPart;
  /** See (2). */
  readonly isKept: boolean;
}

interface Held {
  readonly letter: DeadLetter;
  readonly part: LetterPart;
  /** Undefined: it is not kept. See (2). */
  readonly row: DeadLetterRow | undefined;
  readonly decision: Promise<LetterDecision>;
  readonly decide: (decision: LetterDecision) => void;
}

const PARTS = { log: 1, manifest: 2 } as const;
/** Characters of a text in a row. */
const TEXT_MAX = 4000;

export class DeadLetters {
  readonly #ground: LettersGround;
  readonly #held = new Map<number, Held>();
  #discarded: DeadLetterRow | undefined;
  #elsewhere: readonly number[];
  #isClosed = false;

  constructor(ground: LettersGround) {
    this.#ground = ground;
    const rows = lettersOfRows(ground.manifest.opened.deadLetters);
    const isHere = ({ row }: { readonly row: DeadLetterRow }) =>
      row.subject === clipped(ground.location);
    this.#elsewhere = rows.filter((each) => !isHere(each)).map(({ row }) => row.sequence);
    for (const { row, letter } of rows.filter(isHere)) {
      const part = row.body[0] === PARTS.log ? "log" : "manifest";
      if (row.body[1] === 1) this.#discarded = row;
      else this.#add({ letter, part, row });
    }
  }

  get all(): readonly DeadLetter[] {
    return [...this.#held.values()].map(({ letter }) => letter);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Of the log, until an epoch has begun without what it stands for. */
  get discarded(): DeadLetterRow | undefined {
    return this.#discarded;
  }

  /** Rows that are struck when an epoch begins. */
  get struck(): readonly number[] {
    return [...(this.#discarded ? [this.#discarded.sequence] : []), ...this.#elsewhere];
  }

  /** An epoch has begun, and those are struck. */
  begun(): void {
    this.#discarded = undefined;
    this.#elsewhere = [];
  }

  /** What an earlier process left for that part; resolves with what was decided. */
  left(part: LetterPart): Promise<LetterDecision> | undefined {
    return [...this.#held.values()].find((held) => held.part === part)?.decision;
  }

  /** Resolves with what was decided. */
  async hold({ isKept, part, ...of }: Refused): Promise<LetterDecision> {
    const { manifest, location, report } = this.#ground;
    if (this.#isClosed && !isKept) return "closed";
    const id = manifest.nextSequence();
    const letter = { ...of, id, reason: clipped(of.reason) };
    const row = isKept ? rowOf(letter, { part, subject: clipped(location) }) : undefined;
    const decision = this.#add({ letter, part, row });
    // Where it cannot be kept it is held all the same, as long as this process lives.
    if (row !== undefined) await manifest.publish({ putDeadLetters: [row] }).catch(report);
    return this.#isClosed ? "closed" : await decision;
  }

  /** Resolves when it is durable: see (3). RangeError if there is no such letter. */
  async decide(id: number, decision: "retry" | "discard"): Promise<void> {
    const held = this.#held.get(id);
    if (held === undefined) throw new RangeError(`there is no dead letter ${id}`);
    this.#held.delete(id);
    try {
      await this.#keep(held, decision);
    } catch (error) {
      this.#held.set(id, held);
      throw error;
    }
    held.decide(decision);
  }

  /** Whoever waits is told, and so is everybody who comes later. Rows stay. */
  close(): void {
    this.#isClosed = true;
    for (const { decide } of this.#held.values()) decide("closed");
  }

  async #keep({ row, part }: Held, decision: "retry" | "discard"): Promise<void> {
    if (row === undefined) return;
    const { manifest } = this.#ground;
    if (decision === "discard" && part === "log") {
      const discarded = { ...row, body: Uint8Array.of(PARTS[part], 1) };
      await manifest.publish({ putDeadLetters: [discarded] });
      this.#discarded = discarded;
    } else await manifest.publish({ removeDeadLetters: [row.sequence] });
  }

  #add(of: Pick<Held, "letter" | "part" | "row">): Promise<LetterDecision> {
    let decide: Held["decide"] = () => undefined;
    const decision = new Promise<LetterDecision>((resolve) => {
      decide = resolve;
    });
    this.#held.set(of.letter.id, { ...of, decision, decide });
    return decision;
  }
}

/** Of shipping, as the manifest has them. */
export function lettersOfRows(
  rows: readonly DeadLetterRow[],
): { readonly letter: DeadLetter; readonly row: DeadLetterRow }[] {
  return rows.flatMap((row) => {
    const { sequence: id, kind, reason, bytes } = row;
    if (kind === "batch") return [];
    return [{ letter: { id, kind, at: new Date(row.atMs), reason, bytes }, row }];
  });
}

function rowOf(
  { id: sequence, kind, at, reason, bytes }: DeadLetter,
  { part, subject }: { readonly part: LetterPart; readonly subject: string },
): DeadLetterRow {
  const atMs = Math.max(0, Math.floor(at.getTime()));
  const body = Uint8Array.of(PARTS[part], 0);
  return { sequence, kind, atMs, attempts: 1, subject, reason, bytes, body };
}

const clipped = (text: string): string => text.slice(0, TEXT_MAX);

/** What rests for it, see (5); undefined for what may pass by waiting. */
export function letterOf(error: unknown, part: LetterPart): LetterKind | undefined {
  if (isStorageError(error, "BOP_CORRUPT")) return part === "log" ? "log" : "chunk";
  if (isStorageError(error, "BOP_SINK_REFUSED")) {
    const isChunk = error.details.key.startsWith(PREFIXES.chunk);
    return part === "manifest" && isChunk ? "chunk" : part;
  }
  return isStorageError(error, "BOP_FORMAT") ? part : undefined;
}
