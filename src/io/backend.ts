/**
 * WHO CARRIES ASYNCHRONOUS CALLS: libuv's thread pool or, on Linux with UV_USE_IO_URING=1, the
 * kernel's own queue. libuv uses it only where the kernel is new enough and allows it, and says
 * nothing; a ring that exists shows among the open descriptors.
 */
import { readdirSync, readlinkSync } from "node:fs";

const DESCRIPTORS = "/proc/self/fd";

/** Asked behind a first asynchronous call: the ring is made when it is needed. */
export function backend(): "threads" | "io_uring" {
  const wanted = Number(process.env.UV_USE_IO_URING ?? 0) !== 0;
  return process.platform === "linux" && wanted && hasRing() ? "io_uring" : "threads";
}

function hasRing(): boolean {
  try {
    return readdirSync(DESCRIPTORS).some((name) => targetOf(name).includes("io_uring"));
  } catch {
    return false; // No /proc: then nothing is known of a ring, and none is claimed.
  }
}

function targetOf(name: string): string {
  try {
    return readlinkSync(`${DESCRIPTORS}/${name}`);
  } catch {
    return ""; // Closed since the directory was read.
  }
}
