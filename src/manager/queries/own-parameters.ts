/**
 * PARAMETERS OF A CALL THAT WAITS, in memory of their own. A statement binds when its turn comes, and
 * perhaps again when a group or a missing page makes it run again: each time what the caller gave,
 * whatever he did since with the array, the object or the bytes.
 *
 * (1) They are as right or as wrong as what was given: who binds them judges it.
 */
import type { SqlInput, SqlParameters } from "../../sqlite/index.ts";

export function ownParameters(parameters: SqlParameters): SqlParameters {
  if (Array.isArray(parameters)) return ownValues([...parameters]);
  if (typeof parameters !== "object" || parameters === null) return parameters;
  const own: Record<string, SqlInput> = { ...(parameters as Readonly<Record<string, SqlInput>>) };
  for (const name of Object.keys(own)) own[name] = ownValue(own[name] as SqlInput);
  return own;
}

/** The same for an array that is nobody else's, such as that of rest parameters: changes it. */
export function ownValues(values: SqlInput[]): SqlInput[] {
  for (let at = 0; at < values.length; at++) values[at] = ownValue(values[at] as SqlInput);
  return values;
}

/** Bytes of length 0 stay: there is nothing to change, and of a detached buffer nothing to copy. */
function ownValue(value: SqlInput): SqlInput {
  return value instanceof Uint8Array && value.length > 0 ? new Uint8Array(value) : value;
}
