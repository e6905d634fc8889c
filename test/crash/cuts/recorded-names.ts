/**
 * THE NAMES BELOW A FOLDER AS A DEVICE MAY HAVE THEM: what each name stood for when its directory was
 * last synced, and since.
 *
 * (1) A sync of a directory makes its names durable, those changes of them that had ended before.
 * (2) Each name goes its own way in a power cut: of a rename both may be there, or neither.
 * (3) What lies in a directory that is not there is not there.
 */
import type { Chance } from "./recorded-file.ts";

/** `gone`: the name stands for nothing. */
export type Target<F> = F | "directory" | "gone";

export interface NameChange<F> {
  readonly path: string;
  readonly target: Target<F>;
  state: "begun" | "ended" | "durable";
  isForsaken: boolean;
}

export interface NameCut {
  readonly chance: Chance;
  readonly keeps: "all" | "none" | "some";
}

export class RecordedNames<F> {
  /** By path: its versions, the first of them durable. */
  readonly #versions = new Map<string, NameChange<F>[]>();

  begin(path: string, target: Target<F>): NameChange<F> {
    const change: NameChange<F> = { path, target, state: "begun", isForsaken: false };
    const versions = this.#versions.get(path);
    if (versions === undefined) this.#versions.set(path, [change]);
    else versions.push(change);
    return change;
  }

  /** As the system has it now. */
  now(path: string): Target<F> {
    return this.#versions.get(path)?.findLast(({ state }) => state !== "begun")?.target ?? "gone";
  }

  covered(directory: string): NameChange<F>[] {
    const covered: NameChange<F>[] = [];
    for (const [path, versions] of this.#versions) {
      if (parentOf(path) !== directory) continue;
      covered.push(...versions.filter(({ state, isForsaken }) => state === "ended" && !isForsaken));
    }
    return covered;
  }

  made(changes: readonly NameChange<F>[]): void {
    for (const change of changes) {
      if (change.isForsaken) continue;
      change.state = "durable";
      const versions = this.#versions.get(change.path) ?? [];
      versions.splice(0, versions.indexOf(change));
    }
  }

  remove(change: NameChange<F>): void {
    const versions = this.#versions.get(change.path) ?? [];
    this.#versions.set(
      change.path,
      versions.filter((each) => each !== change),
    );
  }

  /** What is there after a power cut, by path, directories before what is in them. */
  image(cut: NameCut): Map<string, F | "directory"> {
    const image = new Map<string, F | "directory">();
    for (const path of [...this.#versions.keys()].sort()) {
      const versions = this.#versions.get(path) ?? [];
      const target = chosen(versions, cut);
      const parent = parentOf(path);
      const isReachable = parent === "" || image.get(parent) === "directory";
      if (path !== "" && target !== "gone" && isReachable) image.set(path, target);
    }
    return image;
  }
}

function chosen<F>(versions: readonly NameChange<F>[], { chance, keeps }: NameCut): Target<F> {
  if (keeps === "all") return versions.at(-1)?.target ?? "gone";
  const durable = versions[0]?.state === "durable" ? 1 : 0;
  if (keeps === "none") return durable === 1 ? (versions[0]?.target ?? "gone") : "gone";
  const count = durable + chance.below(versions.length - durable + 1);
  return versions[count - 1]?.target ?? "gone";
}

/** "" is the folder itself. */
export function parentOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}
