/**
 * THE MACHINE under a measurement: what must stand next to every number, and what its disk writes.
 */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from "node:fs";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { percentile } from "./harness.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  /** Median of write + fdatasync of 4 KiB, preallocated, in microseconds. */
  readonly flushUs: number;
  readonly fileSystemType: string;
}

const TMPFS = 0x01021994;
/** Place in a line of /sys/dev/block/…/stat, whose sectors are always of 512 bytes. */
const SECTORS_WRITTEN = 6;
const SECTOR_BYTES = 512;

export function describeMachine(directory: string): Machine {
  const processors = cpus();
  const type = statfsSync(directory).type;
  return {
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    flushUs: flushMicroseconds(directory),
    fileSystemType: type === TMPFS ? "tmpfs: NOT A DISK" : `0x${type.toString(16)}`,
  };
}

/** What the device takes for the smallest durable write: the floor of every unshared commit. */
function flushMicroseconds(directory: string): number {
  const path = join(directory, "flush-probe");
  const file = openSync(path, "w");
  const block = new Uint8Array(4096).fill(1);
  writeSync(file, new Uint8Array(4 << 20), 0, 4 << 20, 0);
  fdatasyncSync(file);
  const samples: number[] = [];
  for (let index = 0; index < 500; index++) {
    const began = performance.now();
    writeSync(file, block, 0, block.length, index * block.length);
    fdatasyncSync(file);
    samples.push((performance.now() - began) * 1000);
  }
  closeSync(file);
  rmSync(path);
  return Math.round(percentile(samples, 50));
}

/**
 * Bytes that the device under a directory has taken so far, file system journal included, after
 * everything that is still in memory was written to it. Undefined where the kernel does not say.
 *
 * It counts the whole device, so other writers must be still. The account of the process itself
 * (`write_bytes` in /proc/self/io) would be private, but is wrong: where the page cache keeps large
 * folios it counts 1 MiB for a write of 4 KiB into one, while the device takes the 4 KiB (measured
 * on Linux 6.18, ext4).
 */
export function deviceBytesWritten(directory: string): number | undefined {
  try {
    execFileSync("sync", ["-f", directory]);
    const { dev } = statSync(directory);
    const major = (dev >> 8) & 0xfff;
    const minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
    const fields = readFileSync(`/sys/dev/block/${major}:${minor}/stat`, "utf8")
      .trim()
      .split(/\s+/);
    const sectors = Number(fields[SECTORS_WRITTEN]);
    return Number.isNaN(sectors) ? undefined : sectors * SECTOR_BYTES;
  } catch {
    return undefined;
  }
}
