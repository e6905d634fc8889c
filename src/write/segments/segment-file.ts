/**
 * FILES OF SEGMENTS made: preallocated ones that take batches, and copies of what was written to them
 * (history-segments.ts (3)). What a failure leaves half made is removed.
 */
import type { File, Storage } from "../../base/env.ts";
import { systemCode } from "../../base/errors.ts";
import { KIB } from "../../base/units.ts";

const COPY_BYTES = 256 * KIB;

/** A file of zeros, durable but for its directory entry. What lies at its path counts for nothing. */
export async function makeSegmentFile(
  storage: Storage,
  { path, bytes }: { readonly path: string; readonly bytes: number },
): Promise<void> {
  const file = await createAnew(storage, path);
  try {
    await file.preallocate(bytes);
    await file.sync();
    await file.close();
  } catch (cause) {
    await file.close().catch(() => undefined);
    await storage.unlink(path).catch(() => undefined);
    throw cause;
  }
}

/** The first bytes of a file once more, durable but for its directory entry. */
export async function copyFile(
  storage: Storage,
  { from, to, bytes }: { readonly from: string; readonly to: string; readonly bytes: number },
): Promise<void> {
  const source = await storage.open(from, "read");
  try {
    const copy = await createAnew(storage, to);
    try {
      await copyBytes(source, copy, bytes);
      await copy.sync();
      await copy.close();
    } catch (cause) {
      await copy.close().catch(() => undefined);
      await storage.unlink(to).catch(() => undefined);
      throw cause;
    }
  } finally {
    await source.close().catch(() => undefined);
  }
}

async function copyBytes(source: File, copy: File, bytes: number): Promise<void> {
  const buffer = new Uint8Array(Math.min(bytes, COPY_BYTES));
  for (let done = 0; done < bytes; ) {
    const read = await source.read(buffer.subarray(0, bytes - done), done);
    if (read === 0) throw new Error(`the file ends at ${done}`);
    await copy.write(buffer.subarray(0, read), done);
    done += read;
  }
}

/** What a crash has left there is removed first. */
async function createAnew(storage: Storage, path: string): Promise<File> {
  try {
    return await storage.open(path, "create");
  } catch (cause) {
    if (systemCode(cause) !== "EEXIST") throw cause;
    await storage.unlink(path);
    return await storage.open(path, "create");
  }
}
