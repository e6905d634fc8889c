/**
 * WHICH BLOCKS OF src/ RAN, from V8's own precise coverage. It must be on before the code that it is
 * to see is compiled, so targets are imported after `startCoverage`.
 *
 * (1) Counters are cleared by every look. One look costs milliseconds, so inputs are run by the
 *     hundred between two looks, and only when a hundred did something new is it asked which one.
 * (2) V8 reports ranges of text, and joins neighbours that ran equally often: the ends of a range
 *     depend on what else ran. What is compared is therefore every character of each function.
 */
import { type Profiler, Session } from "node:inspector";

/** A function of which something ran: 1 for each of its characters that did. */
export interface Trace {
  readonly name: string;
  readonly ran: Uint8Array;
}

export interface Coverage {
  /** Functions of which something ran since the last look that never ran before. */
  fresh(): readonly Trace[];
  /** From now on these are no longer fresh. */
  learn(traces: readonly Trace[]): void;
  stop(): void;
}

export function startCoverage(): Coverage {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  const known = new Map<string, Uint8Array>();
  return {
    fresh: () => look(session).filter(({ name, ran }) => hasMore(ran, known.get(name))),
    learn(traces) {
      for (const { name, ran } of traces) {
        const before = known.get(name);
        if (before === undefined) known.set(name, ran);
        else for (let at = 0; at < ran.length; at += 1) if (ran[at] === 1) before[at] = 1;
      }
    },
    stop() {
      session.post("Profiler.stopPreciseCoverage");
      session.disconnect();
    },
  };
}

function hasMore(ran: Uint8Array, known: Uint8Array | undefined): boolean {
  if (known === undefined) return ran.includes(1);
  for (let at = 0; at < ran.length; at += 1) if (ran[at] === 1 && known[at] === 0) return true;
  return false;
}

function look(session: Session): Trace[] {
  let scripts: readonly Profiler.ScriptCoverage[] = [];
  session.post("Profiler.takePreciseCoverage", (error, answer) => {
    if (error !== null) throw error;
    scripts = answer.result;
  });
  const traces: Trace[] = [];
  for (const { url, functions } of scripts) {
    const at = url.indexOf("/src/");
    if (at === -1 || url.includes("/node_modules/")) continue;
    for (const { ranges } of functions) {
      const whole = ranges[0];
      if (whole === undefined) continue;
      const ran = new Uint8Array(whole.endOffset - whole.startOffset);
      // Each range comes before those that it contains.
      for (const { startOffset, endOffset, count } of ranges) {
        ran.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset);
      }
      traces.push({ name: `${url.slice(at)}:${whole.startOffset}`, ran });
    }
  }
  return traces;
}
