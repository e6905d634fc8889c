/** WHAT A PASS GOES OVER: pieces in order of their positions, each of which is read and judged at once. */
import type { PacedReads } from "./paced-reads.ts";
import type { PassBytes } from "./pass-plan.ts";
import type { ScrubFinding } from "./scrub.ts";

/** What was found in a piece. */
export type Found = Omit<ScrubFinding, "part" | "at">;

export interface ScrubPiece {
  /** Orders the pieces of an area; what it is stays the same as long as the piece is there. */
  readonly position: string;
  /** What reading it takes. */
  readonly bytes: number;
  readonly kind: "chunk" | "segment" | "object" | "file";
  /**
   * Finds what is damaged, heals it if that can be done. A piece that is gone by now is fine. Rejects
   * if that cannot be told at present: it is asked again later.
   */
  check(reads: PacedReads): Promise<readonly Found[]>;
}

export interface ScrubArea {
  /** What lies up to a position, and behind it. */
  survey(position: string, reads: PacedReads): Promise<PassBytes>;
  /** Pieces behind a position, those that are there when it is asked. */
  pieces(after: string, reads: PacedReads): AsyncGenerator<ScrubPiece>;
}
