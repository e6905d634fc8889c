/** AN ERROR IN THE SHELL: what SQLite says, its code, and where in the text it stumbled. */
import { StorageError } from "../../base/errors.ts";
import { SqliteError } from "../../sqlite/index.ts";
import { displayWidth, visible } from "../visible.ts";

/** At most this much of the line stands on either side of the place. */
const CONTEXT_CHARACTERS = 35;

export function errorText(error: unknown, sql: string | undefined): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  const first = `error: ${visible(message)}${code === undefined ? "" : ` (${code})`}\n`;
  const offset = error instanceof SqliteError ? error.sqlOffset : undefined;
  return offset === undefined || sql === undefined ? first : first + caret(sql, offset);
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof SqliteError) return error.sqliteCode;
  return error instanceof StorageError ? error.code : undefined;
}

/** The line of the text that holds the place, and a caret below the place. */
function caret(sql: string, offset: number): string {
  const lineAt = sql.lastIndexOf("\n", offset - 1) + 1;
  const lineEnd = sql.slice(offset).search(/\r?\n/);
  const before = sql.slice(Math.max(lineAt, offset - CONTEXT_CHARACTERS), offset);
  const end = lineEnd === -1 ? sql.length : offset + lineEnd;
  const after = sql.slice(offset, Math.min(end, offset + CONTEXT_CHARACTERS));
  const indent = " ".repeat(2 + displayWidth(visible(before)));
  return `  ${visible(before)}${visible(after)}\n${indent}^\n`;
}
