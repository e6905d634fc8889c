/** DURABILITY as users ask for it: which level, and what waiting for it takes. */

/**
 * When a commit is acknowledged: `local`, once it is durable on this machine; `remote`, once the sink
 * holds it and all that came before, so that it survives the machine. See docs/durability.md.
 */
export type Durability = "local" | "remote";

export interface DurableOptions {
  /** Default: that of the database, or of the store. */
  readonly level?: Durability;
  /** Ends the waiting, and nothing else. */
  readonly signal?: AbortSignal;
}

const LEVELS: readonly Durability[] = ["local", "remote"];

/** Throws a TypeError for what is no level. */
export function durabilityOf(what: string, level: unknown): Durability {
  if (LEVELS.includes(level as Durability)) return level as Durability;
  throw new TypeError(`${what}: durability is ${JSON.stringify(level)}; want ${LEVELS.join(", ")}`);
}
