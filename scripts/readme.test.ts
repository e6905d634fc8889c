import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Reader, readmePrograms, runProgram, startServer } from "./readme.ts";

const ROOT = join(import.meta.dirname, "..");
const programs = readmePrograms(readFileSync(join(ROOT, "README.md"), "utf8"));

function program(name: string) {
  const found = programs.find((one) => one.name === name);
  if (found === undefined) throw new Error(`the README has no ${name}`);
  return found;
}

describe("the README", () => {
  let reader: Reader;

  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), "bop-readme-"));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    const built = (path: string) => JSON.stringify(join(ROOT, "dist", path));
    reader = {
      folder,
      bop: [process.execPath, join(ROOT, "dist/cli/main.js")],
      script: [process.execPath],
      extension: ".mjs",
      rewrite: (code) =>
        code
          .replace('"bop-storage/libsql"', built("libsql/index.js"))
          .replace('"bop-storage"', built("index.js")),
    };
  });

  afterAll(() => rmSync(reader.folder, { recursive: true, force: true }));

  test("has a program for each of the ways in, and each says what it prints", () => {
    expect(programs.map(({ name }) => name)).toEqual([
      "embedded.ts",
      "client.ts",
      "libsql.ts",
      "forks.ts",
      "ship.ts",
      "logs.ts",
    ]);
    for (const { prints } of programs) expect(prints).not.toEqual([]);
  });

  test("takes a reader to a durable row through the embedded API, and on to a record log", async () => {
    const [embedded, logs] = [program("embedded.ts"), program("logs.ts")];
    expect(await runProgram(reader, embedded)).toEqual(embedded.prints);
    expect(await runProgram(reader, logs)).toEqual(logs.prints);
  });

  test("takes a reader to a durable row through @libsql/client", async () => {
    const client = program("client.ts");
    const server = await startServer(reader);
    expect(await runProgram(reader, client, server.url)).toEqual(client.prints);
    expect(await server.stop()).toBe(0);
  });

  test("takes a reader to a fork, to the past, and back out of both", async () => {
    const forks = program("forks.ts");
    expect(await runProgram(reader, forks)).toEqual(forks.prints);
  });

  test("takes a reader to a bucket, to a lost disk, and back", async () => {
    const ship = program("ship.ts");
    expect(await runProgram(reader, ship)).toEqual(ship.prints);
  });

  test("takes a reader to the same client in the same process", async () => {
    const libsql = program("libsql.ts");
    expect(await runProgram(reader, libsql)).toEqual(libsql.prints);
  });
});
