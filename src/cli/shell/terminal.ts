/**
 * THE SHELL AT A TERMINAL: prompt, line editing, history.
 *
 * (1) Ctrl-C drops the statement being typed, never the session; Ctrl-D on an empty line leaves.
 * (2) Lines that arrive while one is being answered (pasted text) wait for their turn.
 */
import { createInterface, type Interface } from "node:readline";
import { HISTORY_LINES } from "./history.ts";
import type { ShellSession } from "./session.ts";

export interface TerminalOptions {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  /** Oldest first. */
  readonly history: readonly string[];
}

/** Resolves with the history, oldest first, when the user leaves. */
export function runTerminal(session: ShellSession, options: TerminalOptions): Promise<string[]> {
  let history: string[] = [...options.history];
  const terminal = createInterface({
    input: options.input,
    output: options.output,
    terminal: true,
    history: history.toReversed(),
    historySize: HISTORY_LINES,
    removeHistoryDuplicates: true,
  });
  terminal.on("history", (newestFirst) => {
    history = newestFirst.toReversed();
  });
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    let isBusy = false;
    let isLeaving = false;
    const finish = () => {
      if (!isBusy && isLeaving) resolve(history);
    };
    const answer = async () => {
      if (isBusy) return;
      isBusy = true;
      for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
        const outcome = await session.line(line);
        if (outcome === "quit") {
          lines.length = 0;
          terminal.close();
        }
      }
      isBusy = false;
      if (!isLeaving) ask(terminal, session);
      finish();
    };
    terminal.on("line", (line) => {
      lines.push(line);
      answer().catch(reject);
    });
    terminal.on("SIGINT", () => cancel(terminal, { session, output: options.output }));
    terminal.on("close", () => {
      isLeaving = true;
      finish();
    });
    ask(terminal, session);
  });
}

function ask(terminal: Interface, session: ShellSession): void {
  terminal.setPrompt(session.prompt);
  terminal.prompt();
}

interface Screen {
  readonly session: ShellSession;
  readonly output: NodeJS.WritableStream;
}

function cancel(terminal: Interface, { session, output }: Screen): void {
  const isIdle = terminal.line === "" && session.isFresh;
  output.write(isIdle ? "^C (Ctrl-D or .quit leaves)\n" : "^C\n");
  session.cancel();
  // The keys of the editor itself: to the end of the line, then delete all before it.
  terminal.write(null, { ctrl: true, name: "e" });
  terminal.write(null, { ctrl: true, name: "u" });
  ask(terminal, session);
}
