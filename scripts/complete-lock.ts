/**
 * COMPLETE LOCK: adds to package-lock.json what it lacks of other platforms.
 *
 * Native tools come as one optional package for each platform. A registry that mirrors only some of
 * them makes npm leave the others out of the lock, and then refuse that very lock in `npm ci`. An
 * entry that says for which platform it is, without a checksum, is enough: npm installs it only on
 * that platform. Run it after `npm install` on such a machine; tidy tells when it is needed.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Rule } from "./tidy/repository.ts";

interface LockedPackage {
  readonly version?: string;
  readonly dev?: true;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Lock {
  readonly packages: Record<string, LockedPackage>;
}

const PLACES = "node_modules/";
const SYSTEMS = ["android", "darwin", "freebsd", "linux", "openharmony", "win32", "aix", "sunos"];
const SYSTEM = new RegExp(`(?:^|[-/])(${SYSTEMS.join("|")}|netbsd|openbsd)-([a-z0-9]+)`);
/** Names of processors that packages use and `process.arch` does not. */
const PROCESSORS: Readonly<Record<string, string>> = { armv7: "arm", i686: "ia32" };

/** Optional packages that something locked depends on and that are not locked themselves. */
export function unlocked({ packages }: Lock): Map<string, LockedPackage> {
  const found = new Map<string, LockedPackage>();
  for (const { optionalDependencies = {}, dev } of Object.values(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const place = `${PLACES}${name}`;
      const isLocked = Object.keys(packages).some((one) => one.endsWith(place));
      if (!isLocked) found.set(place, { ...stub(name, version), ...(dev ? { dev } : {}) });
    }
  }
  return found;
}

export const lockIsComplete: Rule = ({ text }) => {
  const lock = JSON.parse(text("package-lock.json") ?? '{ "packages": {} }') as Lock;
  const command = "npx tsx scripts/complete-lock.ts";
  return [...unlocked(lock).keys()].map(
    (place) => `package-lock.json: no ${place}; run ${command}`,
  );
};

/** Undefined parts are left out: then npm tries, fails, and goes on, since it is optional. */
function stub(name: string, version: string): LockedPackage {
  const [, system, processor = ""] = SYSTEM.exec(name) ?? [];
  const platform =
    system === undefined
      ? {}
      : { cpu: [PROCESSORS[processor] ?? processor], os: [system], ...libc(name) };
  return Object.assign({ version: version.replace(/^[^\d]+/, "") }, platform, { optional: true });
}

function libc(name: string): object {
  if (/-musl/.test(name)) return { libc: ["musl"] };
  return /-gnu/.test(name) ? { libc: ["glibc"] } : {};
}

function main(): void {
  const path = join(import.meta.dirname, "..", "package-lock.json");
  const lock = JSON.parse(readFileSync(path, "utf8")) as Lock;
  const added = unlocked(lock);
  const entries = [...Object.entries(lock.packages), ...added];
  const sorted = entries.sort(([a], [b]) => a.localeCompare(b, "en"));
  const complete = { ...lock, packages: Object.fromEntries(sorted) };
  writeFileSync(path, `${JSON.stringify(complete, undefined, 2)}\n`);
  console.error(`lock: ${added.size} packages of other platforms added`);
}

if (process.argv[1] === import.meta.filename) main();
