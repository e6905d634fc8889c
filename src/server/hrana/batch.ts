/**
 * WHICH STEPS OF A BATCH RUN: conditions over what became of the steps before. Pure.
 *
 * A skipped step is neither done nor failed, yet `error` holds for it: `error` is `not ok`, and
 * clients write "roll back unless the commit was ok" with either.
 */
import { unreachable } from "../../base/assert.ts";
import type { Condition, StepOutcome } from "./protocol.ts";

export interface BatchState {
  readonly outcomes: readonly StepOutcome[];
  readonly isAutocommit: boolean;
}

export function holds(condition: Condition, state: BatchState): boolean {
  switch (condition.type) {
    case "ok":
      return state.outcomes[condition.step]?.type === "ok";
    case "error":
      return state.outcomes[condition.step]?.type !== "ok";
    case "not":
      return !holds(condition.condition, state);
    case "and":
      return condition.conditions.every((inner) => holds(inner, state));
    case "or":
      return condition.conditions.some((inner) => holds(inner, state));
    case "is_autocommit":
      return state.isAutocommit;
    default:
      return unreachable(condition);
  }
}
