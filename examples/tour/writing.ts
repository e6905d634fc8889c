/**
 * THE WRITING PROCESS seen from outside: started, listened to, killed.
 *
 *   starting ──created──► writing ──kill──► dead
 *       └──────────────────┴─────► failed      it ended before it was killed
 *
 * (1) What it acknowledged is known here, from the pipe alone. The kernel keeps what was in the pipe
 *     when the process died, and `kill` resolves only when the pipe has been read to its end.
 * (2) It does not outlive the tour, however the tour ends: its channel to us closes.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { extname, join } from "node:path";
import type { Ledger } from "./ledger.ts";
import { ACKNOWLEDGEMENTS_FD, type WriterMessage } from "./messages.ts";

/** As this file is: translated already, or not. */
const WRITER = join(import.meta.dirname, `writer${extname(import.meta.filename)}`);

export interface WritingOptions {
  readonly directory: string;
  /** Where every commit is before it is acknowledged. Default: nowhere but on this disk. */
  readonly sink?: string;
  readonly ledger: Ledger;
}

type MessageOf<Kind extends WriterMessage["kind"]> = Extract<WriterMessage, { kind: Kind }>;

export class Writing {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #failed: Promise<never>;
  #complaint = "";
  #killed = false;

  constructor({ directory, sink, ledger }: WritingOptions) {
    const place = sink === undefined ? [directory] : [directory, sink];
    // The flags that let this process read TypeScript are inherited.
    this.#child = fork(WRITER, place, { stdio: ["ignore", "pipe", "pipe", "pipe", "ipc"] });
    const complain = (text: Buffer) => {
      this.#complaint += text.toString();
    };
    this.#child.stdout?.on("data", complain);
    this.#child.stderr?.on("data", complain);
    this.#child.stdio[ACKNOWLEDGEMENTS_FD]?.on("data", (piece: Buffer) => ledger.hear(piece));
    this.#ended = once(this.#child, "close");
    this.#failed = this.#ended.then(() => {
      if (this.#killed) return new Promise<never>(() => {});
      throw new Error(`the writer ended by itself; it said:\n${this.#complaint.trim()}`);
    });
    this.#failed.catch(() => {}); // Whoever waits for a message hears of it.
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves with the next message of that kind; rejects if the process ends by itself. */
  async message<Kind extends WriterMessage["kind"]>(kind: Kind): Promise<MessageOf<Kind>> {
    const heard = new Promise<MessageOf<Kind>>((resolve) => {
      const listen = (message: WriterMessage) => {
        if (message.kind !== kind) return;
        this.#child.off("message", listen);
        resolve(message as MessageOf<Kind>);
      };
      this.#child.on("message", listen);
    });
    return Promise.race([heard, this.#failed]);
  }

  /** SIGKILL: no handler runs, no buffer is written. See (1). */
  async kill(): Promise<void> {
    this.#killed = true;
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}
