/**
 * A PIPELINE: the requests of one HTTP call, one behind the other, on one stream.
 *
 * (1) A request that fails does not stop those behind it; each has a result of its own.
 * (2) A client that hangs up ends its stream: no baton can reach it any more, and a transaction that
 *     nobody can finish must not hold the writer until it expires. A statement by itself goes on.
 *     It is told once. So we listen before the database is opened, which takes its time, and what was
 *     told by then ends the stream before anything runs.
 */
import { HranaError, wireError } from "./error.ts";
import type { PipelineRequest, PipelineResponse, StreamResult } from "./protocol.ts";
import type { ResponseBudget } from "./stream.ts";
import type { StreamEntry, StreamTable } from "./stream-table.ts";

export interface PipelineContext {
  readonly streams: StreamTable;
  readonly database: string;
  readonly responseBytes: number;
  readonly onError: (error: unknown) => void;
  /** Calls back if the client hangs up from now on and before the answer is sent. */
  readonly onHangUp: (callback: () => void) => void;
}

/** Throws only what keeps the stream from being opened or found. */
export async function runPipeline(
  { baton, requests }: PipelineRequest,
  context: PipelineContext,
): Promise<PipelineResponse> {
  const { streams, database } = context;
  let opened: StreamEntry | undefined;
  let gone: HranaError | undefined;
  context.onHangUp(() => {
    gone = new HranaError("CLIENT_GONE", "the client hung up");
    opened?.stream.end(gone);
  });
  const entry =
    baton === undefined ? await streams.open(database) : streams.resume(baton, database);
  opened = entry;
  if (gone !== undefined) entry.stream.end(gone);
  const budget: ResponseBudget = { leftBytes: context.responseBytes };
  const results: StreamResult[] = [];
  try {
    for (const request of requests) {
      results.push(await runOne(request, { entry, budget, onError: context.onError }));
    }
  } finally {
    baton = await streams.release(entry);
  }
  return { baton, results };
}

interface OneContext {
  readonly entry: StreamEntry;
  readonly budget: ResponseBudget;
  readonly onError: (error: unknown) => void;
}

async function runOne(
  request: PipelineRequest["requests"][number],
  { entry, budget, onError }: OneContext,
): Promise<StreamResult> {
  try {
    return { type: "ok", response: await entry.stream.run(request, budget) };
  } catch (error) {
    onError(error);
    return { type: "error", error: wireError(error) };
  }
}
