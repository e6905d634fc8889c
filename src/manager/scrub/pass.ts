/**
 * A PASS CARRIED OUT, one piece at a time: the plan says when (pass-plan.ts), the area what.
 *
 * (1) A piece that could not be judged keeps its turn. After so many tries it is told as it is, and
 *     the pass goes on: one object that nobody can read must not end the scrubbing of all others.
 */
import type { Found, ScrubArea, ScrubPiece } from "./area.ts";
import type { PacedReads } from "./paced-reads.ts";
import { PassPlan } from "./pass-plan.ts";
import type { PassRow } from "./scrub-rows.ts";

export interface PassOptions {
  readonly area: ScrubArea;
  readonly everyMs: number;
  readonly row: PassRow;
  readonly wallMs: () => number;
}

export type PassStep =
  | { readonly type: "piece"; readonly piece: ScrubPiece; readonly found: readonly Found[] }
  | { readonly type: "end" };

const TRIES = 3;

export class Pass {
  readonly plan: PassPlan;
  readonly #options: PassOptions;
  #pieces: AsyncGenerator<ScrubPiece> | undefined;
  /** See (1). */
  #piece: ScrubPiece | undefined;
  #tries = 0;
  #isSurveyed = false;

  constructor(options: PassOptions) {
    this.#options = options;
    this.plan = new PassPlan(options.everyMs, options.row);
  }

  /** What is to be known before the plan can tell when the next piece is due. */
  async prepare(reads: PacedReads): Promise<void> {
    if (this.#isSurveyed || !this.plan.isUnderWay) return;
    await this.#survey(reads);
  }

  /** One piece. Rejects if it cannot be judged at present: the next step tries it again. */
  async step(reads: PacedReads): Promise<PassStep> {
    const { area, wallMs } = this.#options;
    if (!this.#isSurveyed) await this.#survey(reads);
    this.#pieces ??= area.pieces(this.plan.row.position, reads);
    this.#piece ??= await this.#next();
    const piece = this.#piece;
    if (piece === undefined) {
      this.plan.end(wallMs());
      this.#isSurveyed = false;
      this.#pieces = undefined;
      return { type: "end" };
    }
    const found = await this.#judge(piece, reads);
    this.#piece = undefined;
    const left = found.find(({ outcome }) => outcome === "reported");
    const problem = left === undefined ? "" : `${left.what}: ${left.why}`;
    const { position, bytes } = piece;
    this.plan.took({ position, bytes, problem });
    return { type: "piece", piece, found };
  }

  async stop(): Promise<void> {
    await this.#pieces?.return(undefined).catch(() => undefined);
    this.#pieces = undefined;
  }

  async #survey(reads: PacedReads): Promise<void> {
    const { area, wallMs } = this.#options;
    const { plan } = this;
    const from = plan.isUnderWay ? plan.row.position : "";
    plan.begin(wallMs(), await area.survey(from, reads));
    this.#isSurveyed = true;
  }

  /** A list that broke off is begun again. */
  async #next(): Promise<ScrubPiece | undefined> {
    try {
      return (await this.#pieces?.next())?.value ?? undefined;
    } catch (error) {
      this.#pieces = undefined;
      throw error;
    }
  }

  /** See (1). */
  async #judge(piece: ScrubPiece, reads: PacedReads): Promise<readonly Found[]> {
    try {
      const found = await piece.check(reads);
      this.#tries = 0;
      return found;
    } catch (error) {
      this.#tries += 1;
      if (reads.signal.aborted || isAway(error) || this.#tries < TRIES) throw error;
      this.#tries = 0;
      const why = `it could not be judged: ${error instanceof Error ? error.message : error}`;
      return [{ what: piece.position, offset: undefined, why, outcome: "reported", databases: [] }];
    }
  }
}

/** The sink will answer again. */
export function isAway(error: unknown): boolean {
  const { code, retryable } = error as { code?: unknown; retryable?: unknown };
  const isSink = code === "BOP_SINK_UNAVAILABLE" || code === "BOP_SINK_UNKNOWN";
  return isSink || (retryable === true && String(code).startsWith("BOP_SINK"));
}
