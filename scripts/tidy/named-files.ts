/**
 * FILES THAT TEXTS NAME ARE THERE: a path with a folder in it, in a comment or on a page, is the end of
 * the path of a file. So a file that moves takes along those who point at it.
 *
 * (1) Names without a folder are prose: `mirror.ts` may be any of several, or an example.
 */
import type { Repository, Rule } from "./repository.ts";

const NAMED = /(?<![\w./-])(?:\.{1,2}\/)*((?:[\w-][\w.-]*\/)+[\w.-]+\.ts)(?![\w-])/g;

export const namedFiles: Rule = (repository) => {
  const ends = endsOf(repository);
  const pages = repository.paths.filter((path) => path.endsWith(".md"));
  return [
    ...pages.map((path) => ({ path, text: repository.text(path) ?? "" })),
    ...repository.sources.map(({ path, text }) => ({ path, text: commentsOf(text) })),
  ].flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => {
      const named = [...line.matchAll(NAMED)].map((match) => match[1] ?? "");
      return named
        .filter((name) => !ends.has(name))
        .map((name) => `${path}:${index + 1}: there is no ${name}`);
    }),
  );
};

/** `src/wal/frame.ts`, `wal/frame.ts`, `frame.ts`. */
function endsOf({ paths }: Repository): ReadonlySet<string> {
  return new Set(
    paths.flatMap((path) => {
      const parts = path.split("/");
      return parts.map((_, from) => parts.slice(from).join("/"));
    }),
  );
}

/** Lines that are comments, where they are; what is no comment is left empty. */
function commentsOf(text: string): string {
  const lines = text.split("\n");
  return lines.map((line) => (/^\s*(?:\*|\/\/|\/\*)/.test(line) ? line : "")).join("\n");
}
