/** WHAT A RUN HAS EXERCISED: counts by name, added up over seeds and printed at the end. */
/** Crashes: see simulation.ts. */
export const IMAGES = "images recovered";
/** Of these: see echoes.ts. */
export const ECHO_IMAGES = "images recovered: further ones of a crash";

export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.#counts.set(name, this.of(name) + count);
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  addAll(other: Iterable<readonly [string, number]>): void {
    for (const [name, count] of other) this.add(name, count);
  }

  /** In order of name. */
  entries(): [string, number][] {
    return [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}
