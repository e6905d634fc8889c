/** Folders as maps: by path below them, directories before what is in them. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type Folder = ReadonlyMap<string, Uint8Array | "directory">;

/** An absent folder has nothing in it. */
export function readFolder(root: string): Folder {
  const folder = new Map<string, Uint8Array | "directory">();
  const names = readdirSync(root, { recursive: true, encoding: "utf8" }).sort();
  for (const name of names) {
    const path = join(root, name);
    folder.set(name, statSync(path).isDirectory() ? "directory" : readFileSync(path));
  }
  return folder;
}

/** Into a folder that is not there yet. */
export function writeFolder(root: string, folder: Folder): void {
  mkdirSync(root, { recursive: true });
  for (const [path, content] of folder) {
    if (content === "directory") mkdirSync(join(root, path));
    else writeFileSync(join(root, path), content, { mode: 0o600 });
  }
}

/** What is said of it does not change with it. */
export function copyFolder(folder: Folder): Folder {
  const copy = [...folder].map(([path, content]) => {
    return [path, content === "directory" ? content : Uint8Array.from(content)] as const;
  });
  return new Map(copy);
}
