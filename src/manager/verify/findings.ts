/** WHAT VERIFICATION FINDS, with the place where it was found. */

export interface Finding {
  /**
   * `damage`: bytes that are served or replayed are not what was written. `note`: worth knowing, and
   * nothing is lost: what a crash leaves behind and the next open removes.
   */
  readonly level: "damage" | "note";
  /** As seen from the store's directory. */
  readonly file: string;
  /** Bytes from the beginning of the file. */
  readonly offset?: number;
  readonly what: string;
  readonly database?: string;
  readonly page?: number;
}

export type FindingPlace = Pick<Finding, "file" | "offset" | "database" | "page">;

export class Findings {
  readonly all: Finding[] = [];

  damage(place: FindingPlace, what: string): void {
    this.all.push({ level: "damage", ...place, what });
  }

  note(place: FindingPlace, what: string): void {
    this.all.push({ level: "note", ...place, what });
  }

  get damages(): number {
    return this.all.filter(({ level }) => level === "damage").length;
  }
}
