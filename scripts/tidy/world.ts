/**
 * THE WORLD STAYS OUTSIDE: only src/io names a clock, a timer, a random number, a thread or a file.
 *
 * (1) Servers, command lines and sinks live in the world and may use what their trade needs; so may
 *     tests, benchmarks, examples and scripts. sim/ is held to the ban except for its runner, since
 *     one look at the real clock loses the seed.
 * (2) `new Date(ms)` is arithmetic and allowed; `Date.now()` and `new Date()` look at the clock.
 * (3) Only manifest/ opens LMDB; only server/, cli/ and sink/ open sockets.
 */
import { isNode, type Node, type Rule, type Source, walk } from "./repository.ts";

const INSTEAD = {
  clock: "take Env.clock",
  random: "take Env.random",
  files: "take Env.storage",
} as const;

const BANNED_GLOBALS: Readonly<Record<string, string>> = {
  performance: INSTEAD.clock,
  setTimeout: INSTEAD.clock,
  setInterval: INSTEAD.clock,
  setImmediate: INSTEAD.clock,
  clearTimeout: INSTEAD.clock,
  clearInterval: INSTEAD.clock,
  clearImmediate: INSTEAD.clock,
  fetch: "only server/, cli/ and sink/ open sockets",
  WebSocket: "only server/, cli/ and sink/ open sockets",
};

const BANNED_MEMBERS: Readonly<Record<string, string>> = {
  "Date.now": INSTEAD.clock,
  "Math.random": INSTEAD.random,
  "process.hrtime": INSTEAD.clock,
  "process.uptime": INSTEAD.clock,
  "AbortSignal.timeout": INSTEAD.clock,
  "crypto.getRandomValues": INSTEAD.random,
  "crypto.randomUUID": INSTEAD.random,
};

const BANNED_MODULES: Readonly<Record<string, string>> = {
  "node:fs": INSTEAD.files,
  "node:fs/promises": INSTEAD.files,
  "node:perf_hooks": INSTEAD.clock,
  "node:timers": INSTEAD.clock,
  "node:timers/promises": INSTEAD.clock,
  "node:worker_threads": "threads are made in src/io",
  "node:child_process": "processes are made in src/io",
  "node:net": "only server/, cli/ and sink/ open sockets",
  "node:http": "only server/, cli/ and sink/ open sockets",
  "node:https": "only server/, cli/ and sink/ open sockets",
};

const WORLDLY_FOLDERS = ["src/io/", "src/server/", "src/cli/", "src/sink/"];

/** They start simulations and time them from outside; nothing that is simulated sees them. */
const SIMULATION_RUNNER: ReadonlySet<string> = new Set([
  "sim/run.ts",
  "sim/seeds.ts",
  "sim/night/bundle.ts",
  "sim/night/crew.ts",
  "sim/night/ledger.ts",
  "sim/night/main.ts",
  "sim/night/source.ts",
  "sim/night/worker.ts",
  "sim/mutants/list.ts",
  "sim/mutants/tree.ts",
  "sim/mutants/watch.ts",
  "sim/fuzz/main.ts",
  "sim/fuzz/corpus-files.ts",
]);

export const world: Rule = ({ sources }) =>
  sources
    .filter(isHeld)
    .flatMap((source) => [
      ...bannedImports(source).map(({ line, why }) => `${source.path}:${line}: ${why}`),
      ...bannedNames(source).map(({ line, why }) => `${source.path}:${line}: ${why}`),
    ]);

function isHeld({ path, isTest }: Source): boolean {
  if (isTest || SIMULATION_RUNNER.has(path) || path.endsWith("contract.ts")) return false;
  if (path.startsWith("sim/")) return true;
  return path.startsWith("src/") && !WORLDLY_FOLDERS.some((folder) => path.startsWith(folder));
}

interface Finding {
  readonly line: number;
  readonly why: string;
}

function bannedImports({ path, imports }: Source): Finding[] {
  return imports.flatMap(({ specifier, names, line }): Finding[] => {
    const module = specifier.startsWith("node:") ? specifier : `node:${specifier}`;
    const instead = BANNED_MODULES[module];
    if (instead !== undefined) return [{ line, why: `${specifier}: ${instead}` }];
    if (specifier === "lmdb" && !path.startsWith("src/manifest/")) {
      return [{ line, why: "lmdb: only manifest/ opens it" }];
    }
    const random = module === "node:crypto" && names.find((name) => /^(?:random|web)/.test(name));
    return random ? [{ line, why: `${random}: ${INSTEAD.random}` }] : [];
  });
}

function bannedNames(source: Source): Finding[] {
  const found: Finding[] = [];
  walk(source.program, (node, ancestors) => {
    const why = bannedUse(node, ancestors.at(-1));
    if (why !== undefined) found.push({ line: source.lineOf(node.start), why });
  });
  return found;
}

function bannedUse(node: Node, parent: Node | undefined): string | undefined {
  if (node.type === "Identifier" && isReference(node, parent)) {
    const name = String(node.name);
    const instead = BANNED_GLOBALS[name];
    return instead === undefined ? undefined : `${name}: ${instead}`;
  }
  if (node.type === "MemberExpression" && isNode(node.object) && isNode(node.property)) {
    const name = memberName(node.object, node.property);
    const instead = BANNED_MEMBERS[name] ?? (/^crypto\.random/.test(name) && INSTEAD.random);
    return instead ? `${name}: ${instead}` : undefined;
  }
  const makesDate = ["NewExpression", "CallExpression"].includes(node.type) && isNode(node.callee);
  if (!makesDate || !isNode(node.callee) || node.callee.name !== "Date") return undefined;
  const looks = node.type === "CallExpression" || (node.arguments as unknown[]).length === 0;
  return looks ? `Date: ${INSTEAD.clock}` : undefined;
}

/** `a.b`, and `globalThis.a.b` as well; `a["b"]` too. */
function memberName(object: Node, property: Node): string {
  const owner = object.type === "MemberExpression" ? object.property : object;
  const left = isNode(owner) ? String(owner.name ?? "") : "";
  return `${left}.${String(property.name ?? property.value ?? "")}`;
}

/** False for keys, names of members and names of types. */
function isReference(node: Node, parent: Node | undefined): boolean {
  if (parent === undefined || parent.type.startsWith("TS")) return false;
  const isName = parent.key === node || parent.property === node;
  const isGlobal = isNode(parent.object) && parent.object.name === "globalThis";
  return parent.computed === true || isGlobal || !isName;
}
