/**
 * A TREE TO PLANT BUGS IN: copies of src/ and sim/, and what is installed. The bugs never touch the
 * tree that they are copied from.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { applyMutant, type Mutant } from "./patch.ts";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const COPIED = ["src", "sim", "package.json", "tsconfig.json"];

export class Tree {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static make(): Tree {
    const directory = mkdtempSync(join(tmpdir(), "bop-mutants-"));
    for (const name of COPIED) cpSync(join(ROOT, name), join(directory, name), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
    return new Tree(directory);
  }

  /** The mutant's lines are in the tree until the function it returns is called. */
  plant(mutant: Mutant): () => void {
    const changed = applyMutant(mutant, readSource);
    for (const [path, text] of changed) writeFileSync(join(this.directory, path), text);
    return () => {
      for (const path of changed.keys()) {
        writeFileSync(join(this.directory, path), readSource(path));
      }
    };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A file of the tree that is copied from. */
export function readSource(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
