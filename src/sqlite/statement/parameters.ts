/**
 * WHAT A STATEMENT TAKES: the names of its parameters, prefix included; undefined for `?`.
 *
 * libSQL's build can only look a name up, not list them. There the names that occur in the text are
 * tried: a word that SQLite does not take for a parameter (within a string, say) has no index.
 */
import type { EngineCore } from "../engine-core.ts";
import type { Pointer } from "../wasm/raw.ts";

/** `?12`, `:name`, `@name`, and `$name` with TCL's `::` and `(…)` behind it. */
const CANDIDATE =
  /\?\d+|[:@#][\w$\u0080-\uffff]+|\$[\w$\u0080-\uffff]+(?:::[\w$\u0080-\uffff]*)*(?:\([^)\s]*\))?/g;

export function readParameterNames(
  core: EngineCore,
  statement: Pointer,
  { sql, count }: { readonly sql: string; readonly count: number },
): (string | undefined)[] {
  const { c, heap } = core;
  if (c.sqlite3_bind_parameter_name !== undefined) {
    return Array.from({ length: count }, (_, index) => {
      const name = c.sqlite3_bind_parameter_name?.(statement, index + 1) ?? 0;
      heap.fresh();
      return heap.cString(name);
    });
  }
  const names: (string | undefined)[] = new Array(count).fill(undefined);
  if (count === 0) return names;
  for (const [candidate] of sql.matchAll(CANDIDATE)) {
    core.exchange.putText(candidate);
    const index = c.sqlite3_bind_parameter_index(statement, core.exchange.address);
    core.exchange.release();
    if (index > 0) names[index - 1] = candidate;
  }
  return names;
}
