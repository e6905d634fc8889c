/**
 * THE PUBLIC API AS TEXT: what each entry of package.json exports, with its declaration and comments,
 * so that no change of it goes unnoticed. Works on emitted declarations (`.d.ts`).
 *
 * (1) An exported name is followed through doors to the file that declares it.
 * (2) Order is by name: moving a declaration changes nothing.
 */
import { posix } from "node:path";
import { parseSync } from "oxc-parser";

/** Reads an emitted declaration file by path, such as `index.d.ts`. */
export type ReadDeclarations = (path: string) => string;

/** The declarations of everything that the entry exports. */
export function publicApi(entry: string, read: ReadDeclarations): string {
  const names = new Map<string, string>();
  for (const name of exportedNames(entry, read)) names.set(name, declarationOf(name, entry, read));
  const sorted = [...names].sort(([a], [b]) => (a < b ? -1 : 1));
  return `${sorted.map(([, text]) => text).join("\n\n")}\n`;
}

function exportsOf(path: string, read: ReadDeclarations) {
  const text = read(path);
  const { module } = parseSync(path, text);
  return module.staticExports.flatMap(({ entries, start, end }) =>
    entries.map((entry) => ({ entry, text: declarationText(text, start, end) })),
  );
}

function exportedNames(path: string, read: ReadDeclarations): string[] {
  return exportsOf(path, read).flatMap(({ entry }) => entry.exportName.name ?? []);
}

function declarationOf(name: string, path: string, read: ReadDeclarations): string {
  const found = exportsOf(path, read).find(({ entry }) => entry.exportName.name === name);
  if (found === undefined) throw new Error(`${path} does not export ${name}`);
  const { moduleRequest, importName } = found.entry;
  if (moduleRequest === null) return found.text;
  const specifier = moduleRequest.value;
  if (!specifier.startsWith(".")) return `export { ${name} } from "${specifier}";`;
  const target = posix.join(posix.dirname(path), specifier).replace(/\.(?:js|ts)$/, ".d.ts");
  return declarationOf(importName.name ?? name, target, read);
}

/** A statement with the comment right above it; the first comment of a file is the file's own. */
function declarationText(text: string, start: number, end: number): string {
  const before = text.slice(0, start).trimEnd();
  const opens = before.endsWith("*/") ? before.lastIndexOf("/**") : 0;
  return `${opens === 0 ? "" : `${before.slice(opens)}\n`}${text.slice(start, end)}`;
}
