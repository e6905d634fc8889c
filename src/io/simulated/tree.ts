/**
 * THE DIRECTORIES OF THE SIMULATED DISK. Paths are absolute or taken from the root, with slashes.
 *
 * (1) A name settles only when its own directory is synced; syncing a file does not do it.
 * (2) After a power cut each unsynced name is what it was or any of what it became, by itself: of a
 *     rename both names, neither, the old or the new one may be there.
 * (3) What no name leads to is gone, except for those who have it open.
 */
import { Content } from "./content.ts";
import { History } from "./history.ts";
import type { SeededRandom } from "./seeded.ts";
import { systemError } from "./system-error.ts";

export type Node = Content | Directory;

export class Directory {
  readonly names = new Map<string, History<Node | undefined>>();

  /** It becomes what the other is, with `same` of the nodes that are there, or may be. */
  become(of: Directory, same: (node: Node | undefined) => Node | undefined): void {
    this.names.clear();
    for (const [name, history] of of.names) this.names.set(name, history.copy(same));
  }

  get(name: string): Node | undefined {
    return this.names.get(name)?.current;
  }

  put(name: string, { node, order }: { node: Node | undefined; order: number }): void {
    let history = this.names.get(name);
    if (history === undefined) {
      history = new History<Node | undefined>(undefined);
      this.names.set(name, history);
    }
    history.put(order, node);
  }

  list(): string[] {
    return [...this.names.keys()].filter((name) => this.get(name) !== undefined).sort();
  }

  sync(order: number): void {
    for (const [name, history] of this.names) {
      history.sync(order);
      if (history.settled && history.current === undefined) this.names.delete(name);
    }
  }

  powerCut(random: SeededRandom): void {
    const mode = random.pick(["lost", "landed", "mixed", "mixed"]);
    for (const [name, history] of this.names) {
      const possible = history.possible();
      const node = mode === "mixed" ? random.pick(possible) : possible.at(mode === "lost" ? 0 : -1);
      if (node === undefined) this.names.delete(name);
      else history.become(node);
    }
  }
}

export class Tree {
  readonly root: Directory;

  constructor(root = new Directory()) {
    this.root = root;
  }

  /** Another with what was written in this one, names and sectors that are undecided included. */
  copy(): Tree {
    const copies = new Map<Node, Node>();
    const copyOf = (node: Node | undefined): Node | undefined => {
      const known = node && copies.get(node);
      if (node === undefined || known !== undefined) return known;
      const copy = copyInto(copies, node, copyOf);
      if (copy instanceof Content) copy.mend();
      return copy;
    };
    return new Tree(copyOf(this.root) as Directory);
  }

  /** Call what it returns, once or again, and each file and directory is as it is now. */
  save(): () => void {
    const saved = new Map<Node, Node>();
    const save = (node: Node | undefined): Node | undefined => {
      if (node !== undefined && !saved.has(node)) copyInto(saved, node, save);
      return node;
    };
    save(this.root);
    return () => {
      for (const [node, copy] of saved) {
        if (node instanceof Content) node.become(copy as Content);
        else node.become(copy as Directory, (child) => child);
      }
    };
  }

  /** Undefined if there is nothing. */
  find(path: string): Node | undefined {
    let node: Node | undefined = this.root;
    for (const name of split(path)) {
      if (!(node instanceof Directory)) return undefined;
      node = node.get(name);
    }
    return node;
  }

  file(path: string, operation: string): Content {
    const node = this.find(path);
    if (node === undefined) throw systemError("ENOENT", { operation, path });
    if (node instanceof Directory) throw systemError("EISDIR", { operation, path });
    return node;
  }

  directory(path: string, operation: string): Directory {
    const node = this.find(path);
    if (node === undefined) throw systemError("ENOENT", { operation, path });
    if (!(node instanceof Directory)) throw systemError("ENOTDIR", { operation, path });
    return node;
  }

  /** The directory that holds the last name of the path, and that name. */
  parent(
    path: string,
    operation: string,
  ): { readonly directory: Directory; readonly name: string } {
    const names = split(path);
    const name = names.pop();
    if (name === undefined) throw systemError("EINVAL", { operation, path });
    return { directory: this.directory(names.join("/"), operation), name };
  }

  /** Creates what is missing on the way. */
  mkdir(path: string, order: number): void {
    let directory = this.root;
    for (const name of split(path)) {
      let next = directory.get(name);
      if (next === undefined) {
        next = new Directory();
        directory.put(name, { node: next, order });
      }
      if (!(next instanceof Directory)) throw systemError("EEXIST", { operation: "mkdir", path });
      directory = next;
    }
  }

  /** Every file by its path, in order of names; one of two names twice. */
  files(): [path: string, file: Content][] {
    const found: [string, Content][] = [];
    const visit = (directory: Directory, path: string): void => {
      for (const name of directory.list()) {
        const node = directory.get(name);
        if (node instanceof Content) found.push([`${path}/${name}`, node]);
        else if (node !== undefined) visit(node, `${path}/${name}`);
      }
    };
    visit(this.root, "");
    return found;
  }

  /** Sum of the sizes of all files. */
  usedBytes(): number {
    let bytes = 0;
    this.#visit((node) => {
      if (node instanceof Content) bytes += node.sizeBytes;
    });
    return bytes;
  }

  powerCut(random: SeededRandom): void {
    // Names first, so that files that are gone are not visited; a file with two names once.
    this.#visit((node) => {
      node.powerCut(random);
    });
  }

  #visit(visitor: (node: Node) => void): void {
    const seen = new Set<Node>();
    const visit = (node: Node): void => {
      if (seen.has(node)) return;
      seen.add(node);
      visitor(node);
      if (!(node instanceof Directory)) return;
      for (const name of node.list()) {
        const child = node.get(name);
        if (child !== undefined) visit(child);
      }
    };
    visit(this.root);
  }
}

/** A copy, known before its children are copied, since they may lead back to it. */
function copyInto(
  copies: Map<Node, Node>,
  node: Node,
  same: (node: Node | undefined) => Node | undefined,
): Node {
  const copy = node instanceof Content ? new Content(node) : new Directory();
  copies.set(node, copy);
  if (copy instanceof Content) copy.become(node as Content);
  else copy.become(node as Directory, same);
  return copy;
}

function split(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}
