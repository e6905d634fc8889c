/**
 * GENERATED PARTS OF DOCUMENTS. Prose is written by hand; what code knows better is printed between
 * two markers by `npm run docs`, and tidy compares.
 *
 *     <!-- layout src/wal/batch.ts BATCH_HEADER -->    a layout's table
 *     <!-- grammar src/wal/frame.ts -->                the indented parts of a file's header
 *     <!-- rules src/wal/frame.ts -->                  its numbered rules
 *     <!-- example batch -->                           bytes made by the codecs
 *     <!-- evidence G1 -->                             the tests that prove a promise
 *     <!-- options src/manager/options.ts ManagerOptions -->    an interface of options
 *     …
 *     <!-- end -->
 *
 * (1) A marker that names something that is gone is a problem, not an empty table.
 * (2) Every layout of src/ is printed on some page: a format that is not documented is refused.
 */
import { evidence } from "./documents.ts";
import { EXAMPLES } from "./format-examples.ts";
import { headerParts } from "./headers.ts";
import { allLayouts } from "./layouts.ts";
import { optionRows } from "./options.ts";
import type { Repository, Rule } from "./repository.ts";

const BLOCK =
  /<!-- (layout|grammar|rules|example|evidence|options) ([^>]+?) -->\n[\s\S]*?<!-- end -->/g;

/** The page as it should be, and what is wrong with its markers. */
export function filled(repository: Repository, page: string): { text: string; problems: string[] } {
  const problems: string[] = [];
  const text = page.replace(BLOCK, (block, kind: string, subject: string) => {
    const body = RENDERERS[kind]?.(repository, subject);
    if (body === undefined) problems.push(`there is no ${kind} ${subject}`);
    return body === undefined ? block : `<!-- ${kind} ${subject} -->\n${body}\n<!-- end -->`;
  });
  return { text, problems };
}

type Renderer = (repository: Repository, subject: string) => string | undefined;

const RENDERERS: Readonly<Record<string, Renderer>> = {
  layout(repository, subject) {
    const found = allLayouts(repository).find(({ path, name }) => `${path} ${name}` === subject);
    return found && fenced(found.table);
  },
  grammar: (repository, path) => {
    let blocks = headerParts(repository, path)?.blocks;
    // Tables have a marker of their own.
    for (const { table, ...layout } of allLayouts(repository)) {
      if (layout.path === path) blocks = blocks?.replace(`${table}\n`, "").trim();
    }
    return blocks === undefined ? undefined : fenced(blocks);
  },
  rules: (repository, path) => {
    const rules = headerParts(repository, path)?.rules;
    return rules && `\n${rules.map(listItem).join("\n")}\n`;
  },
  example: (_repository, name) => {
    const example = EXAMPLES[name]?.();
    return example === undefined ? undefined : fenced(example);
  },
  evidence(repository, id) {
    const tests = evidence(repository).get(id);
    const lines = tests?.map(({ path, title }) => listItem(`${title} (\`${path}\`)`));
    return lines && `\n${[...new Set(lines)].join("\n")}\n`;
  },
  options: (repository, subject) => optionRows(repository, subject.split(" ")),
};

/** One item of a list, wrapped at 100 columns. */
function listItem(text: string): string {
  return `- ${text}`.replace(/(?=.{99})(.{1,98}) /g, "$1\n  ").trim();
}

function fenced(text: string): string {
  return `\n\`\`\`text\n${text}\n\`\`\`\n`;
}

export function generatedPages({ paths }: Repository): string[] {
  return paths.filter((path) => path.startsWith("docs/") && path.endsWith(".md"));
}

export const generatedParts: Rule = (repository) =>
  generatedPages(repository).flatMap((path) => {
    const page = repository.text(path) ?? "";
    const { text, problems } = filled(repository, page);
    const stale = text === page ? [] : [`${path}: printed parts are stale; run npm run docs`];
    return [...problems.map((problem) => `${path}: ${problem}`), ...stale];
  });

export const documentedLayouts: Rule = (repository) => {
  const printed = new Set(
    generatedPages(repository).flatMap((path) =>
      [...(repository.text(path) ?? "").matchAll(BLOCK)].map((match) => `${match[1]} ${match[2]}`),
    ),
  );
  return allLayouts(repository)
    .filter(({ path, name }) => !printed.has(`layout ${path} ${name}`))
    .map(({ path, name }) => `${path}: the layout ${name} is on no page of docs/format`);
};
