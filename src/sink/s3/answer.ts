/**
 * WHAT THE SDK THREW, as the answer of a service (sink-error.ts).
 *
 * (1) A system's error may sit inside of another one, or in a list of them (one for each address).
 * (2) Credentials that cannot be found are a matter of permission: nothing was sent.
 */
import { TimeIsUp } from "../call-signal.ts";
import type { ServiceAnswer } from "../sink-error.ts";

interface Thrown {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly errors?: unknown;
  readonly cause?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: unknown };
  readonly $response?: { readonly headers?: Readonly<Record<string, unknown>> };
}

const DEPTH_MAX = 4;

export function answerOf(error: unknown): ServiceAnswer {
  if (error instanceof TimeIsUp) return { status: undefined, word: error.message, cause: error };
  const thrown = (typeof error === "object" && error !== null ? error : {}) as Thrown;
  if (thrown.name === "CredentialsProviderError") {
    return { status: 403, word: `no credentials: ${String(thrown.message)}`, cause: error };
  }
  const status = thrown.$metadata?.httpStatusCode;
  return {
    status: typeof status === "number" ? status : undefined,
    word: systemWord(error, 0) ?? String(thrown.name ?? error),
    retryAfterMs: retryAfterMs(thrown.$response?.headers?.["retry-after"]),
    cause: error,
  };
}

export function statusOf(error: unknown): number | undefined {
  return answerOf(error).status;
}

function systemWord(error: unknown, depth: number): string | undefined {
  if (typeof error !== "object" || error === null || depth > DEPTH_MAX) return undefined;
  const { code, errors, cause } = error as Thrown;
  if (typeof code === "string" && /^E[A-Z_]+$/.test(code)) return code;
  const inner = [...(Array.isArray(errors) ? errors : []), cause];
  for (const one of inner) {
    const word = systemWord(one, depth + 1);
    if (word !== undefined) return word;
  }
  return undefined;
}

/** Seconds; a date is not worth a clock. */
function retryAfterMs(header: unknown): number | undefined {
  return typeof header === "string" && /^\d{1,5}$/.test(header) ? Number(header) * 1000 : undefined;
}
