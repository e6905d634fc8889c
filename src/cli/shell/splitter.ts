/**
 * SQL TEXT, LINE BY LINE, CUT INTO STATEMENTS. A semicolon ends a statement unless it lies in a
 * string, a quoted name or a comment, or within the body of a trigger, which ends at `END;`.
 *
 *   between    before the first word of a statement
 *   explain    EXPLAIN was read
 *   create     CREATE was read, perhaps TEMP too
 *   plain      any other statement: the next semicolon ends it
 *   body       CREATE TRIGGER was read
 *   bodySemi   a semicolon in the body: END may follow
 *   bodyEnd    END after it: a semicolon now ends the statement
 *
 * (1) What was pushed comes out once, in order, and nothing is lost: the statements and `pending`,
 *     one behind the other, are the text.
 * (2) Text is scanned once, whatever the number of lines: the state is kept between them.
 */

type State = "between" | "explain" | "create" | "plain" | "body" | "bodySemi" | "bodyEnd";
type Token = "semicolon" | "explain" | "create" | "temp" | "trigger" | "end" | "other";
/** What the end of a line lies in; each names the character that closes it. */
type Inside = "'" | '"' | "`" | "]" | "*/" | undefined;

const NEXT: Readonly<Record<State, Readonly<Partial<Record<Token, State>> & { other: State }>>> = {
  between: { semicolon: "between", explain: "explain", create: "create", other: "plain" },
  // EXPLAIN QUERY PLAN CREATE TRIGGER is a statement, too, so other words are passed over.
  explain: { semicolon: "between", create: "create", other: "explain" },
  create: { semicolon: "between", temp: "create", trigger: "body", other: "plain" },
  plain: { semicolon: "between", other: "plain" },
  body: { semicolon: "bodySemi", other: "body" },
  bodySemi: { semicolon: "bodySemi", end: "bodyEnd", other: "body" },
  bodyEnd: { semicolon: "between", other: "body" },
};

const KEYWORDS: Readonly<Record<string, Token>> = {
  explain: "explain",
  create: "create",
  temp: "temp",
  temporary: "temp",
  trigger: "trigger",
  end: "end",
};

const CLOSERS: Readonly<Record<string, Exclude<Inside, undefined>>> = {
  "'": "'",
  '"': '"',
  "`": "`",
  "[": "]",
};

/** White space, line comment, beginning of a block comment, quote, word, or one character. */
const TOKEN = /\s+|--[^\n]*|\/\*|['"`[]|[\p{L}\p{N}_$]+|[\s\S]/uy;

export class StatementSplitter {
  #state: State = "between";
  #inside: Inside;
  #text = "";

  /** What was read of a statement that has not ended. */
  get pending(): string {
    return this.#text;
  }

  /** True between statements: what is pending is white space and comments. */
  get isBetween(): boolean {
    return this.#state === "between" && this.#inside === undefined;
  }

  /** The character or word that must come before anything else counts: `'`, `;`, `END;`… */
  get awaits(): string {
    if (this.#inside !== undefined) return this.#inside;
    return this.#state.startsWith("body") ? "END;" : ";";
  }

  /** Takes a line, without its line end; returns the statements that it completes. */
  push(line: string): string[] {
    const statements: string[] = [];
    const text = `${line}\n`;
    let statementAt = 0;
    for (let at = 0; at < text.length; ) {
      if (this.#inside !== undefined) {
        at = this.#leave(text, at);
        continue;
      }
      TOKEN.lastIndex = at;
      const token = TOKEN.exec(text)?.[0] ?? "";
      at += token.length;
      if (this.#take(token) === "ended") {
        statements.push(this.#text + text.slice(statementAt, at));
        this.#text = "";
        statementAt = at;
      }
    }
    this.#text += text.slice(statementAt);
    return statements;
  }

  /** Forgets what is pending. */
  reset(): void {
    this.#state = "between";
    this.#inside = undefined;
    this.#text = "";
  }

  #leave(text: string, at: number): number {
    const closer = this.#inside ?? "";
    const closedAt = text.indexOf(closer, at);
    if (closedAt === -1) return text.length;
    this.#inside = undefined;
    return closedAt + closer.length;
  }

  #take(token: string): "ended" | "open" {
    if (token.startsWith("--") || token.trim() === "") return "open";
    if (token === "/*") {
      this.#inside = "*/";
      return "open";
    }
    this.#inside = CLOSERS[token];
    const kind = token === ";" ? "semicolon" : (KEYWORDS[token.toLowerCase()] ?? "other");
    const moves = NEXT[this.#state];
    this.#state = moves[kind] ?? moves.other;
    return kind === "semicolon" && this.#state === "between" ? "ended" : "open";
  }
}
