/** A SERVER ASKED what its store does. */
import { CommandError } from "../exit.ts";
import type { Facts, Sample } from "./pace.ts";

const ANSWER_MS_MAX = 10_000;

export const isServer = (place: string): boolean => /^https?:\/\//.test(place);

export async function askServer(url: string): Promise<Sample> {
  const place = new URL("diagnostics", url.endsWith("/") ? url : `${url}/`);
  let answer: Response;
  try {
    answer = await fetch(place, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  } catch (cause) {
    const why = cause instanceof Error ? (cause.cause ?? cause) : cause;
    throw new CommandError(
      `${url} does not answer: ${why instanceof Error ? why.message : String(why)}`,
      "`bop serve` prints the URL that it listens on",
    );
  }
  if (!answer.ok) throw new CommandError(`${url} answers ${answer.status}: it is no bop server`);
  return { atMs: performance.now(), facts: (await answer.json()) as Facts };
}
