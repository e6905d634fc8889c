/**
 * A FILE OF AN INSTALLED PACKAGE: the program's own code (a WebAssembly module), never data. It is
 * therefore read from the real disk in a simulation too.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { resolve } = createRequire(import.meta.url);

/** `path` is relative to the file that an import of `packageName` loads. */
export async function readPackageFile(packageName: string, path: string): Promise<Uint8Array> {
  const entry = pathToFileURL(resolve(packageName));
  return await readFile(new URL(path, entry));
}
