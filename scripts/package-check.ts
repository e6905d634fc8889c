/**
 * PACKAGE CHECK: packs what npm would publish, installs it into an empty folder and uses it as the
 * README says: the embedded program, `bop --help`, a server with the stock client, the client
 * embedded. Then a strict TypeScript program compiles against the published types.
 *
 * (1) Nothing of this checkout is reachable from that folder: what is missing in the package is
 *     missing here too.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Reader, readmePrograms, runProgram, startServer } from "./readme.ts";

const ROOT = join(import.meta.dirname, "..");
/** What must never be published. */
const UNWANTED = /^(?:src|sim|test|bench|scripts)\/|\.test\.|\.tsbuildinfo$/;

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
  readonly size: number;
}

function pack(into: string): Packed {
  const json = execFileSync("npm", ["pack", "--json", "--pack-destination", into], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [packed] = JSON.parse(json.slice(json.indexOf("["))) as Packed[];
  assert(packed, "npm pack reported nothing");
  const unwanted = packed.files.filter(({ path }) => UNWANTED.test(path));
  assert.deepEqual(unwanted, [], "the package holds files that nobody needs");
  return packed;
}

function install(folder: string, tarball: string): void {
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const client = `@libsql/client@${devDependencies["@libsql/client"]}`;
  execFileSync("npm", ["install", "--no-audit", "--no-fund", tarball, client], {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit"],
  });
}

/** The README's programs once more, as strict TypeScript against the published declarations. */
function compile(reader: Reader, names: readonly string[]): void {
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const options = "--noEmit --strict --module nodenext --target es2023 --lib es2023,dom".split(" ");
  execFileSync(process.execPath, [compiler, ...options, "--types", "", ...names], {
    cwd: reader.folder,
    stdio: "inherit",
  });
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bop-package-"));
  try {
    const packed = pack(folder);
    install(folder, join(folder, packed.filename));
    const bop = join(folder, "node_modules/.bin/bop");
    const script = [process.execPath] as const;
    const rewrite = (code: string) => code;
    const reader: Reader = { folder, bop: [bop], script, extension: ".mjs", rewrite };
    const help = execFileSync(bop, ["--help"], { cwd: folder, encoding: "utf8" });
    assert.match(help, /serve/, "bop --help does not mention serve");

    const programs = readmePrograms(readFileSync(join(ROOT, "README.md"), "utf8"));
    for (const program of programs) {
      const server = program.name === "client.ts" ? await startServer(reader) : undefined;
      assert.deepEqual(await runProgram(reader, program, server?.url), program.prints);
      if (server !== undefined) assert.equal(await server.stop(), 0, server.said());
      writeFileSync(join(folder, program.name), program.code);
      console.error(`package: ${program.name} prints what the README says`);
    }
    compile(
      reader,
      programs.map(({ name }) => name),
    );
    const kilobytes = Math.round(packed.size / 1024);
    console.error(`package: ${packed.files.length} files, ${kilobytes} KiB, types compile`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
