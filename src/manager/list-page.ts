/** A PAGE OF A LIST of databases or record logs, as callers ask for one. */
import type { ListOptions } from "./api/manager.ts";
import { shown } from "./option-values.ts";
import { refuseUnknown } from "./refuse-unknown.ts";

const LIMIT_DEFAULT = 1000;
const LIMIT_MAX = 10_000;

/** Throws a TypeError for an unknown option or no text, a RangeError for a limit that is none. */
export function pageWanted(what: string, options: ListOptions): Required<ListOptions> {
  refuseUnknown(what, options, ["prefix", "after", "limit"]);
  const { prefix = "", after = "", limit = LIMIT_DEFAULT } = options;
  for (const [name, text] of Object.entries({ prefix, after })) {
    if (typeof text !== "string") {
      throw new TypeError(`${what}: ${name} is ${shown(text)}; want a text`);
    }
  }
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX) return { prefix, after, limit };
  throw new RangeError(`${what}: limit is ${shown(limit)}; want 1 to ${LIMIT_MAX}`);
}
