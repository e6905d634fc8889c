/**
 * WHICH DRIVER A STORE GETS on this machine.
 *
 *   io          where direct writes work      where they do not
 *   direct      direct                        BOP_IO, which says what to do
 *   standard    standard                      standard
 *   auto        direct, unless it is clearly  standard, and `fallback` says why
 *               the slower one
 *
 * (1) Where it could not be tried out, `auto` is standard. `direct` is refused with what the system said,
 *     unless that is a lack of room: a store opens on a full disk, too. It is taken untried then.
 */
import { constants } from "node:fs";
import type { Driver, DriverOptions } from "../base/driver.ts";
import { ioError, isStorageError, StorageError, systemCode } from "../base/errors.ts";
import { backend } from "./backend.ts";
import { CAN_BE_DIRECT, DIRECT_FLAGS, directDriver } from "./direct-driver.ts";
import { type ProbeResult, probeDirect } from "./driver-probe.ts";
import { type FileSystemFacts, fileSystemFacts, warningsOf } from "./file-system.ts";
import { LOG_BLOCK_BYTES, standardDriver } from "./standard-driver.ts";
import { openDescriptor, SystemFile } from "./system-file.ts";

/** Direct is chosen although it takes a little longer: it spares the copy and the page cache. */
const SLOWER_MAX = 1.25;
const FILE_MODE = 0o600;

/** What the system says when a file system takes no direct writes. */
const UNSUPPORTED = ["EINVAL", "EOPNOTSUPP", "ENOTSUP"];

/** `probe` tries direct writes out. */
export async function systemDriver(
  { directory, io }: DriverOptions,
  probe: typeof probeDirect = probeDirect,
): Promise<Driver> {
  const facts = await fileSystemFacts(directory);
  const warnings = [...warningsOf(directory, facts), ...blockWarnings(facts)];
  if (io === "standard") return standard({ warnings, fallback: undefined });
  const why = await whyNotDirect({ directory, io }, probe);
  if (why === undefined) return direct(warnings);
  if (io === "auto") return standard({ warnings, fallback: why.reason });
  throw impossible(directory, why);
}

interface WhyNot {
  readonly reason: string;
  readonly cause?: unknown;
}

async function whyNotDirect(
  { directory, io }: DriverOptions,
  probe: typeof probeDirect,
): Promise<WhyNot | undefined> {
  if (!CAN_BE_DIRECT) {
    return { reason: `${process.platform} has no O_DIRECT with O_DSYNC` };
  }
  try {
    const compares = io === "auto";
    const tried = await probe({ directory, blockBytes: LOG_BLOCK_BYTES, compares });
    if (tried.isReadBack) return tooSlow(tried);
    return { reason: "a direct write was not read back as it was written" };
  } catch (cause) {
    const code = systemCode(cause) ?? "";
    if (UNSUPPORTED.includes(code)) {
      return { reason: `the file system takes no direct writes (${code})`, cause };
    }
    const refusal = ioError("trying direct writes", directory, cause);
    if (io === "auto") return { reason: refusal.message, cause };
    if (!isStorageError(refusal, "BOP_DISK_FULL")) throw refusal; // See (1).
    return undefined;
  }
}

function tooSlow({ directMs, standardMs }: ProbeResult): WhyNot | undefined {
  if (directMs === undefined || standardMs === undefined) return undefined;
  if (directMs <= standardMs * SLOWER_MAX) return undefined;
  const took = `${directMs.toFixed(2)} ms against ${standardMs.toFixed(2)} ms`;
  return { reason: `a direct write takes longer than write and fdatasync: ${took}` };
}

function standard(rest: Pick<Driver, "warnings" | "fallback">): Driver {
  return standardDriver({
    ...rest,
    backend: backend(),
    openFile: async (path) => {
      const fd = await openDescriptor(path, { flags: constants.O_RDWR, mode: FILE_MODE });
      return new SystemFile(fd);
    },
  });
}

function direct(warnings: readonly string[]): Driver {
  return directDriver({
    warnings,
    backend: backend(),
    blockBytes: LOG_BLOCK_BYTES,
    openFile: async (path) => {
      const fd = await openDescriptor(path, { flags: DIRECT_FLAGS, mode: FILE_MODE });
      return new SystemFile(fd, { stepBytes: LOG_BLOCK_BYTES });
    },
  });
}

/** The log pads to its own block: what lies in one block of the device is rewritten beside it. */
function blockWarnings({ physicalBlockBytes = LOG_BLOCK_BYTES }: FileSystemFacts): string[] {
  if (physicalBlockBytes <= LOG_BLOCK_BYTES) return [];
  return [
    `the device writes blocks of ${physicalBlockBytes} bytes and the log ${LOG_BLOCK_BYTES}: ` +
      "a power cut is as safe as the device makes its own rewriting of a block",
  ];
}

function impossible(directory: string, { reason, cause }: WhyNot): StorageError {
  const message = `io: "direct" cannot be had in ${directory}: ${reason}. Use io: "auto"`;
  return new StorageError("BOP_IO", message, {
    details: { operation: "direct writes", file: directory },
    cause,
  });
}
