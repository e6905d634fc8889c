/**
 * DEAD LETTERS OF SHIPPING: what was refused for a reason that waiting cannot mend. What it concerns
 * waits until somebody decides; the bytes stay on this disk.
 *
 *   retry     it is tried again as it was
 *   discard   log: what was not shipped is given up, a new epoch begins with its own base;
 *             chunk, manifest: the next state is made anew
 *
 * (1) One for each part that waits. A decision is heard once.
 */
import { StorageError } from "../../base/errors.ts";

export type LetterKind = "log" | "chunk" | "manifest";
export type LetterDecision = "retry" | "discard" | "closed";

export interface DeadLetter {
  readonly id: number;
  readonly kind: LetterKind;
  readonly at: Date;
  readonly reason: string;
}

interface Held {
  readonly letter: DeadLetter;
  readonly decide: (decision: LetterDecision) => void;
}

export class DeadLetters {
  readonly #held = new Map<number, Held>();
  #next = 1;
  #isClosed = false;

  get all(): readonly DeadLetter[] {
    return [...this.#held.values()].map(({ letter }) => letter);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves with what was decided. */
  async hold(of: Omit<DeadLetter, "id">): Promise<LetterDecision> {
    if (this.#isClosed) return "closed";
    const id = this.#next++;
    try {
      return await new Promise<LetterDecision>((decide) => {
        this.#held.set(id, { letter: { id, ...of }, decide });
      });
    } finally {
      this.#held.delete(id);
    }
  }

  /** RangeError if there is no such letter. */
  decide(id: number, decision: LetterDecision): void {
    const held = this.#held.get(id);
    if (held === undefined) throw new RangeError(`there is no dead letter ${id}`);
    held.decide(decision);
  }

  /** Whoever waits is told, and so is everybody who comes later. */
  close(): void {
    this.#isClosed = true;
    for (const { decide } of this.#held.values()) decide("closed");
  }
}

/** Which part it concerns; undefined for what may pass by waiting. */
export function letterOf(error: unknown, part: "log" | "manifest"): LetterKind | undefined {
  if (!(error instanceof StorageError)) return undefined;
  switch (error.code) {
    case "BOP_CORRUPT":
      return part === "manifest" || isChunk(fileOf(error)) ? "chunk" : "log";
    case "BOP_SINK_REFUSED":
      return isChunk(fileOf(error)) ? "chunk" : part;
    case "BOP_FORMAT":
      return part;
    default:
      return undefined;
  }
}

function fileOf({ details }: StorageError): string {
  const { file, key } = details as { readonly file?: string; readonly key?: string };
  return file ?? key ?? "";
}

const isChunk = (name: string): boolean => /(^|\/)chunks\//.test(name);
