/**
 * HEADERS AS DOCUMENTATION: the comment that opens a file holds pictures and grammars, indented by
 * two columns or more, and numbered rules. Pages of docs/format print them as they stand.
 */
import type { Repository } from "./repository.ts";

export interface HeaderParts {
  /** Indented lines, with blank lines between those that stand apart. */
  readonly blocks: string;
  /** "(1) …" as one line each. */
  readonly rules: readonly string[];
}

/** Undefined if there is no such file, or it has no header. */
export function headerParts({ sources }: Repository, path: string): HeaderParts | undefined {
  const header = sources.find((one) => one.path === path)?.header;
  if (header === undefined) return undefined;
  const blocks: string[] = [];
  const rules: string[] = [];
  let inRule = false;
  for (const raw of header.split("\n")) {
    const line = raw.replace(/^\s*\*? ?/, "").trimEnd();
    const isBlock = raw.startsWith(" *  ");
    if (/^\(\d+\) /.test(line)) {
      inRule = true;
      rules.push(line);
    } else if (inRule && isBlock) {
      rules.push(`${rules.pop()} ${line.trim()}`);
    } else {
      inRule = false;
      if (isBlock) blocks.push(raw.slice(3).trimEnd());
      else if (blocks.at(-1) !== "") blocks.push("");
    }
  }
  return { blocks: outdented(blocks), rules };
}

function outdented(lines: readonly string[]): string {
  const text = lines.filter((line) => line !== "");
  const indent = Math.min(...text.map((line) => line.length - line.trimStart().length));
  return lines
    .map((line) => line.slice(indent))
    .join("\n")
    .trim();
}
