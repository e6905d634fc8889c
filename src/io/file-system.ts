/**
 * WHAT A DIRECTORY LIES ON, as far as the system tells: kind of file system, block of the device.
 * docs/platforms.md says what follows from each.
 */
import { readFile, stat, statfs } from "node:fs/promises";

export interface FileSystemFacts {
  /** "ext4", "tmpfs"…; undefined where the system does not say, or says something unknown. */
  readonly kind: string | undefined;
  /** Undefined where it cannot be read. */
  readonly physicalBlockBytes: number | undefined;
}

/** `f_type` of statfs on Linux. */
const KINDS: ReadonlyMap<number, string> = new Map([
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0xf2f52010, "f2fs"],
  [0x2fc12fc1, "zfs"],
  [0x01021994, "tmpfs"],
  [0x858458f6, "ramfs"],
  [0x794c7630, "overlay"],
  [0x6969, "nfs"],
  [0xff534d42, "cifs"],
  [0xfe534d42, "smb"],
  [0x65735546, "fuse"],
  [0x01021997, "9p"],
]);

/** Nothing on them survives the machine. */
const VOLATILE: ReadonlySet<string> = new Set(["tmpfs", "ramfs"]);
/** What a flush means there is decided by another machine. */
const REMOTE: ReadonlySet<string> = new Set(["nfs", "cifs", "smb", "9p"]);

export async function fileSystemFacts(directory: string): Promise<FileSystemFacts> {
  if (process.platform !== "linux") return { kind: undefined, physicalBlockBytes: undefined };
  const { type } = await statfs(directory);
  const { dev } = await stat(directory);
  return {
    kind: KINDS.get(type >>> 0),
    physicalBlockBytes: await physicalBlockBytes(deviceNumber(dev)),
  };
}

/** What the operator of a store on this file system must know. */
export function warningsOf(directory: string, { kind }: FileSystemFacts): string[] {
  if (kind === undefined) return [];
  if (VOLATILE.has(kind)) {
    return [`${directory} is on ${kind}: memory, of which nothing survives a power cut`];
  }
  if (REMOTE.has(kind)) {
    return [
      `${directory} is on ${kind}: a flush is as good as the server's word, and two machines that ` +
        "open the store do not notice each other",
    ];
  }
  if (kind === "fuse") {
    return [`${directory} is on a FUSE file system: a flush is what its program makes of it`];
  }
  if (kind === "overlay") {
    return [`${directory} is on an overlay, as in a container: it goes with the container`];
  }
  return [];
}

/** As Linux packs it. */
function deviceNumber(dev: number): string {
  const low = dev % 2 ** 32;
  const major = Math.floor(low / 256) & 0xfff;
  const minor = (low & 0xff) | (Math.floor(low / 4096) & 0xfff00);
  return `${major}:${minor}`;
}

/** A partition has no queue of its own; its disk, one directory up, has. */
async function physicalBlockBytes(device: string): Promise<number | undefined> {
  for (const place of ["queue", "../queue"]) {
    const path = `/sys/dev/block/${device}/${place}/physical_block_size`;
    const bytes = Number(await readFile(path, "utf8").catch(() => ""));
    if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  }
  return undefined;
}
