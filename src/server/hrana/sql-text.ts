/**
 * JUST ENOUGH SQL to count the statements of a text and to know a read-only BEGIN. Not a parser:
 * it tells words, strings, comments and semicolons apart, as SQLite's own sqlite3_complete() does,
 * and knows that a trigger's body holds semicolons of its own.
 *
 * libSQL has `BEGIN READONLY`; to SQLite that is a transaction named "readonly" in which one may
 * write. So the server has to look for it (see stream.ts).
 */

/** The first words of each statement, upper case. */
export function statementHeads(sql: string): string[][] {
  const heads: string[][] = [];
  let words: string[] = [];
  let empty = true;
  let behindSemicolon = false;
  let bodyEnded = false;
  for (const { kind, text } of tokens(sql)) {
    if (kind === "semicolon") {
      // A trigger's body is over at the semicolon behind `; END`, and at no other.
      if (isTrigger(words) && !bodyEnded) {
        behindSemicolon = true;
        continue;
      }
      if (!empty) heads.push(words);
      words = [];
      empty = true;
      behindSemicolon = bodyEnded = false;
      continue;
    }
    empty = false;
    if (kind === "word" && words.length < HEAD_WORDS) words.push(text.toUpperCase());
    bodyEnded = behindSemicolon && kind === "word" && text.toUpperCase() === "END";
    behindSemicolon = false;
  }
  if (!empty) heads.push(words);
  return heads;
}

/** `BEGIN READONLY`, with or without the word TRANSACTION, as the text's only statement. */
export function beginsReadOnly(sql: string): boolean {
  if (!/readonly/i.test(sql)) return false;
  const heads = statementHeads(sql);
  return heads.length === 1 && isReadOnlyBegin(heads[0] ?? []);
}

/** A read-only BEGIN among others. */
export function holdsReadOnlyBegin(sql: string): boolean {
  return /readonly/i.test(sql) && statementHeads(sql).some(isReadOnlyBegin);
}

function isReadOnlyBegin([first, second, third]: readonly string[]): boolean {
  if (first !== "BEGIN") return false;
  return second === "READONLY" || (second === "TRANSACTION" && third === "READONLY");
}

/** EXPLAIN QUERY PLAN CREATE TEMPORARY TRIGGER: enough words to see that far. */
const HEAD_WORDS = 6;

function isTrigger(words: readonly string[]): boolean {
  const create = words.indexOf("CREATE");
  if (create === -1 || (create > 0 && words[0] !== "EXPLAIN")) return false;
  const next = words[create + 1];
  const temporary = next === "TEMP" || next === "TEMPORARY";
  return (temporary ? words[create + 2] : next) === "TRIGGER";
}

interface Token {
  readonly kind: "word" | "semicolon" | "other";
  readonly text: string;
}

/** Comments, white space, quoted things, words, and any other single character. */
const TOKEN =
  /\s+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'[^']*(?:'|$)|"[^"]*(?:"|$)|`[^`]*(?:`|$)|\[[^\]]*(?:\]|$)|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|[\s\S]/gy;

function* tokens(sql: string): Generator<Token> {
  for (const [text] of sql.matchAll(TOKEN)) {
    const first = text[0] ?? "";
    if (text === ";") yield { kind: "semicolon", text };
    else if (/^\s/.test(text) || text.startsWith("--") || text.startsWith("/*")) continue;
    else yield { kind: /[A-Za-z_\u0080-\uffff]/.test(first) ? "word" : "other", text };
  }
}
