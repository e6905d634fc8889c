/**
 * LAYERS: imports go down the list, and enter another folder by its door.
 *
 * (1) A file of src/ imports its own folder, or the door (`index.ts`) of a folder further down.
 *     `base/` has no door: it is vocabulary. `io/simulated/` has a door of its own, so that the real
 *     world does not drag the simulated one along.
 * (2) A folder's own files never import its door.
 * (3) Strangers are pairs that the order would allow and the design does not.
 * (4) Nothing in src/ imports what lies beside it (sim, test, bench, examples, scripts).
 * (5) A core (`core.ts`, `…-core.ts`) imports only base/ and files beside it.
 * (6) Modules never import each other in a circle, in src/ or beside it, not for a type either: who
 *     wants to know one of a circle must know all of it, and what closes it belongs below or into a
 *     module of its own.
 *
 * Tests enter other folders by their doors too, but may look up, since a test of the log may open a
 * store, and may use their own folder's door.
 */
import { basename, dirname } from "node:path";
import type { Import, Repository, Rule, Source } from "./tidy/repository.ts";

export const TOP_TO_BOTTOM = [
  "cli",
  "server",
  "console",
  "replication",
  "libsql",
  "manager",
  "restore",
  "sqlite",
  "record-log",
  "page-store",
  "sqlite-file",
  "page-cache",
  "flush",
  "write",
  "manifest",
  "wal",
  "chunk",
  "sink",
  "io",
  "base",
] as const;

const STRANGERS: ReadonlySet<string> = new Set([
  "record-log → page-store",
  "flush → write",
  "manifest → wal",
]);

const EXTRA_DOORS: ReadonlySet<string> = new Set(["src/io/simulated/index.ts"]);

/** Height of a folder in the order; the root of src/ stands above all. */
function depth(folder: string): number {
  return folder === "" ? -1 : (TOP_TO_BOTTOM as readonly string[]).indexOf(folder);
}

function folderOf(path: string): string {
  const [, folder = "", ...rest] = path.split("/");
  return rest.length === 0 ? "" : folder;
}

export const layers: Rule = (repository) => {
  const inside = repository.sources.filter(({ path }) => path.startsWith("src/"));
  return inside.flatMap((source) => {
    const from = folderOf(source.path);
    if (from !== "" && depth(from) === -1) {
      return [`${source.path}: ${from} has no place in the order of scripts/check-layers.ts`];
    }
    return source.imports.flatMap((one) => {
      const why = refusal(source, one);
      return why === undefined ? [] : [`${source.path}:${one.line}: ${why}`];
    });
  });
};

function refusal({ path, isTest }: Source, { target }: Import): string | undefined {
  if (target === undefined) return undefined;
  const from = folderOf(path);
  if (!target.startsWith("src/")) {
    return isTest ? undefined : `src/ never imports ${target.split("/")[0]}/`;
  }
  const to = folderOf(target);
  if (to === from) {
    const ownDoor = !isTest && from !== "" && target === `src/${from}/index.ts`;
    return ownDoor ? "a folder's own files never import its door" : undefined;
  }
  const down = depth(to) > depth(from);
  if (!isTest && (!down || STRANGERS.has(`${from} → ${to}`))) {
    return `${from === "" ? "src" : from} may not import ${to === "" ? target : to}`;
  }
  const byDoor = target === `src/${to}/index.ts` || EXTRA_DOORS.has(target);
  if (to !== "base" && !byDoor) return `enter ${to} by its door`;
  const isCore = /^(?:.+-)?core\.ts$/.test(basename(path));
  return isCore && to !== "base" ? "a core imports only base/ and files beside it" : undefined;
}

/** See (6). A circle is reported once, from its first file in order of name. */
export const circles: Rule = ({ sources }: Repository) => {
  const edges = new Map<string, string[]>();
  for (const { path, imports } of sources) {
    edges.set(
      path,
      imports.flatMap(({ target }) => target ?? []),
    );
  }
  const finished = new Set<string>();
  const problems: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at !== -1) {
      problems.push(
        `${path}: imports itself: ${[...trail.slice(at), path].map(short).join(" → ")}`,
      );
      return;
    }
    if (finished.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    finished.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return problems;
};

function short(path: string): string {
  return `${basename(dirname(path))}/${basename(path)}`;
}
