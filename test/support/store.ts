/** A store in a directory of its own that goes with the test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import {
  type Database,
  type DatabaseOptions,
  Manager,
  type ManagerOptions,
} from "../../src/index.ts";

export type StoreOptions = Partial<ManagerOptions>;

/** Small enough that a test does not wait for 64 MiB of zeros. */
const SMALL = { segmentBytes: 4 * 1024 * 1024 } as const;

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "bop-test-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export async function openStore(options: StoreOptions = {}): Promise<Manager> {
  const directory = options.directory ?? (await temporaryDirectory());
  const manager = await Manager.open({ ...SMALL, ...options, directory });
  onTestFinished(() => manager.close());
  return manager;
}

export async function openDatabase(
  options: DatabaseOptions = {},
  storeOptions: StoreOptions = {},
): Promise<Database> {
  return (await openStore(storeOptions)).database("test", options);
}
