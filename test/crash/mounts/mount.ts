/**
 * SMALL FILE SYSTEMS OF THE KERNEL'S OWN, to be filled, broken and cut off: ext4 in a file, over a loop
 * device, or tmpfs.
 *
 * (1) What is done to a file system is done to a loop device that was made here, and to no other.
 * (2) A cut is the real thing but for the disk itself: ext4 forgets its cache and its open transaction,
 *     and replays its journal when it is mounted again.
 * (3) Of `ext4-device` the device is cut off, not the file system: it lies on a mapped one, which from
 *     then on takes no block and gives none. That needs the kernel's device mapper.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";

export type MountKind = "ext4" | "ext4-journal" | "ext4-device" | "tmpfs";

const OPTIONS: Readonly<Record<MountKind, string>> = {
  ext4: "loop,errors=remount-ro,data=ordered",
  "ext4-journal": "loop,errors=remount-ro,data=journal",
  "ext4-device": "errors=remount-ro,data=ordered",
  tmpfs: "",
};
const SIZE_MIB = 64;
const BLOCK_BYTES = 64 * 1024;

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

/** Why that cannot be mounted here; undefined: it can. */
export function whyNoMount(kind: MountKind): string | undefined {
  if (process.platform !== "linux") return "mounts of Linux are meant";
  if (process.getuid?.() !== 0) return "only root may mount";
  for (const program of ["mkfs.ext4", "losetup", "fsck.ext4"]) {
    if (spawnSync("which", [program]).status !== 0) return `there is no ${program}`;
  }
  if (kind === "ext4-device" && spawnSync("dmsetup", ["version"]).status !== 0) {
    return "this kernel has no device mapper (dmsetup version)";
  }
  const mounting = "d=$(mktemp -d) && mount -t tmpfs -o size=64k tmpfs $d && umount $d; rmdir $d";
  return spawnSync("sh", ["-ec", mounting]).status === 0 ? undefined : "nothing can be mounted";
}

export class Mount {
  /** Where it is mounted. */
  readonly place: string;
  readonly kind: MountKind;
  readonly #image: string;
  readonly #folder: string;
  /** See (3). */
  readonly #mapped: MappedDevice | undefined;

  private constructor(folder: string, kind: MountKind) {
    this.#folder = folder;
    this.kind = kind;
    this.place = join(folder, "mounted");
    this.#image = join(folder, "image");
    mkdirSync(this.place, { recursive: true });
    if (kind === "tmpfs") return;
    run("truncate", "-s", `${SIZE_MIB}M`, this.#image);
    run("mkfs.ext4", "-q", "-F", this.#image);
    if (kind === "ext4-device") this.#mapped = new MappedDevice(this.#image);
  }

  static make(folder: string, kind: MountKind): Mount {
    const mount = new Mount(folder, kind);
    if (kind !== "tmpfs") mount.#mount();
    else run("mount", "-t", "tmpfs", "-o", `size=${SIZE_MIB}m`, "tmpfs", mount.place);
    return mount;
  }

  /** Takes what there is, to the last block. */
  fill(): void {
    const file = openSync(this.#ballast, "a");
    for (let bytes = BLOCK_BYTES; bytes >= 512; ) {
      try {
        writeSync(file, new Uint8Array(bytes).fill(1));
      } catch {
        bytes /= 2; // ENOSPC, which was wanted.
      }
    }
    closeSync(file);
  }

  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  /** As when the kernel finds it damaged: it is read-only from now on, whoever has it open. */
  fail(): void {
    const device = run("findmnt", "-n", "-o", "SOURCE", this.place).replace("/dev/", "");
    if (!/^loop\d+$/.test(device)) throw new Error(`${device} is none of ours`);
    writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, "torture\n");
  }

  /** See (2). Nothing can be read or written until `again`. */
  cut(): void {
    if (this.#mapped !== undefined) {
      this.#mapped.cut();
      return;
    }
    const program = join(this.#folder, "go-down");
    run("cc", "-o", program, join(import.meta.dirname, "go-down.c"));
    run(program, this.place);
  }

  /** As after a boot: mounted again, and checked before if the kernel has found it damaged. */
  again(): void {
    run("umount", this.place);
    this.#mapped?.again();
    const { status } = spawnSync("fsck.ext4", ["-p", this.#device]);
    if ((status ?? 8) > 1) throw new Error(`fsck.ext4 ended with ${status}`);
    this.#mount();
  }

  remove(): void {
    spawnSync("umount", [this.place]);
    this.#mapped?.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #ballast(): string {
    return join(this.place, "ballast");
  }

  get #device(): string {
    return this.#mapped?.path ?? this.#image;
  }

  #mount(): void {
    run("mount", "-o", OPTIONS[this.kind], this.#device, this.place);
  }
}

/** A device over a loop device, which can be cut off from it. */
class MappedDevice {
  readonly #name = `bop-torture-${process.pid}`;
  readonly #loop: string;
  readonly #sectors: string;

  constructor(image: string) {
    this.#loop = run("losetup", "--find", "--show", image);
    this.#sectors = run("blockdev", "--getsz", this.#loop);
    run("dmsetup", "create", this.#name, "--table", this.#linear);
  }

  get path(): string {
    return `/dev/mapper/${this.#name}`;
  }

  cut(): void {
    this.#become(`0 ${this.#sectors} error`);
  }

  again(): void {
    this.#become(this.#linear);
  }

  remove(): void {
    spawnSync("dmsetup", ["remove", this.#name]);
    spawnSync("losetup", ["--detach", this.#loop]);
  }

  get #linear(): string {
    return `0 ${this.#sectors} linear ${this.#loop} 0`;
  }

  /** Without writing out what is in the cache. */
  #become(table: string): void {
    run("dmsetup", "suspend", "--noflush", "--nolockfs", this.#name);
    run("dmsetup", "load", this.#name, "--table", table);
    run("dmsetup", "resume", this.#name);
  }
}
