/**
 * WHERE THE TOUR IS SHOWN. In a terminal: colours, and a block that is redrawn in place. Anywhere
 * else (a pipe, a file, TERM=dumb): plain lines that stay, and no control characters.
 *
 * (1) A block is never wider than the terminal: a wrapped line would be counted wrongly when the
 *     cursor goes back up.
 * (2) `close` gives the cursor back, whatever the tour was doing.
 */
import { stripVTControlCharacters, styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];
type Sink = Pick<NodeJS.WriteStream, "write"> & { readonly isTTY?: boolean; columns?: number };

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const CLEAR_BELOW = "\x1b[0J";
const COLUMNS_ASSUMED = 80;
const REDRAW_MS = 50;
const PLAIN_PERIOD_MS = 1000;
const INDENT = "     ";

export class Display {
  readonly isTerminal: boolean;
  readonly #sink: Sink;
  readonly #hasColour: boolean;
  #stage = 0;
  #blockLines = 0;
  #shownAtMs = 0;
  #halted = false;

  constructor(sink: Sink, environment: Readonly<Record<string, string | undefined>>) {
    this.#sink = sink;
    this.isTerminal = sink.isTTY === true && environment.TERM !== "dumb";
    this.#hasColour = this.isTerminal && (environment.NO_COLOR ?? "") === "";
    if (this.isTerminal) sink.write(HIDE_CURSOR);
  }

  close(): void {
    if (this.isTerminal) this.#sink.write(SHOW_CURSOR);
  }

  style(style: Style, text: string): string {
    return this.#hasColour ? styleText(style, text) : text;
  }

  title(text: string, below: string): void {
    this.#line(`\n  ${this.style("bold", text)}\n  ${this.style("dim", below)}`);
  }

  act(text: string, below: string): void {
    if (!this.#halted) this.title(text, below);
  }

  stage(name: string, what: string): void {
    if (this.#halted) return;
    this.#stage += 1;
    this.#shownAtMs = performance.now();
    const number = this.style("dim", `${this.#stage}`);
    this.#line(`\n  ${number}  ${this.style("bold", name)}  ${this.style("dim", what)}`);
  }

  fact(text: string): void {
    if (!this.#halted) this.#line(`${INDENT}${text}`);
  }

  success(text: string): void {
    this.fact(`${this.style("green", "✓")} ${text}`);
  }

  failure(text: string): void {
    this.fact(`${this.style("red", "✗")} ${text}`);
  }

  plain(text: string): void {
    this.#line(text);
  }

  /** The tour ends here: what is still under way has no more to show. */
  halt(text: string): void {
    this.endLive();
    this.failure(text);
    this.#halted = true;
  }

  /** Redraws the block, or prints `plainLine` where nothing can be redrawn; not at every call. */
  live(lines: readonly string[], plainLine: string): void {
    const nowMs = performance.now();
    if (this.#halted) return;
    if (nowMs - this.#shownAtMs < (this.isTerminal ? REDRAW_MS : PLAIN_PERIOD_MS)) return;
    this.#shownAtMs = nowMs;
    if (!this.isTerminal) {
      this.#line(`${INDENT}${plainLine}`);
      return;
    }
    const width = (this.#sink.columns || COLUMNS_ASSUMED) - 1; // 0: a terminal without a size.
    const text = lines.map((line) => `${fitted(`${INDENT}${line}`, width)}\n`).join("");
    this.#sink.write(`${this.#toBlockStart()}${text}`);
    this.#blockLines = lines.length;
  }

  /** Takes the block away, for its outcome to stand in its place. */
  endLive(): void {
    if (this.isTerminal) this.#sink.write(this.#toBlockStart());
    this.#blockLines = 0;
  }

  #toBlockStart(): string {
    return this.#blockLines === 0 ? "" : `\x1b[${this.#blockLines}A\r${CLEAR_BELOW}`;
  }

  #line(text: string): void {
    this.#sink.write(`${text}\n`);
  }
}

/** Cut without its colours if it is too wide, since a cut may fall into an escape sequence. */
function fitted(line: string, width: number): string {
  const bare = stripVTControlCharacters(line);
  return bare.length <= width ? line : bare.slice(0, Math.max(0, width));
}
