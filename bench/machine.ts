/**
 * THE MACHINE under a measurement: what must stand next to every number, and what its disk writes.
 */
import {
  closeSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
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
 * Bytes that this process caused to be written to the device so far, by the kernel's own account:
 * pages made dirty, whoever writes them back. Undefined where the kernel does not say.
 */
export function deviceBytesWritten(): number | undefined {
  try {
    const text = readFileSync("/proc/self/io", "utf8");
    const found = /^write_bytes: (\d+)$/m.exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}
