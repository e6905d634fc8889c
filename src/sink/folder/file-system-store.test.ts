import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "vitest";
import { MIB } from "../../base/units.ts";
import { systemEnv } from "../../io/index.ts";
import { runObjectStoreContract } from "../contract/index.ts";
import { FileSystemStore } from "./file-system-store.ts";

runObjectStoreContract({ describe, test }, "a folder", async () => {
  const directory = await mkdtemp(join(tmpdir(), "bop-sink-"));
  const env = systemEnv({ scratchDirectory: join(directory, "scratch") });
  const open = () => FileSystemStore.open({ env, directory: join(directory, "backup") });
  const store = await open();
  return {
    store,
    largeBytes: 5 * MIB + 3, // More than one piece.
    another: open,
    close: async () => {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
    damage: async (key) => {
      const path = join(directory, "backup", key);
      const bytes = await readFile(path);
      bytes[100] = (bytes[100] ?? 0) ^ 4;
      await writeFile(path, bytes);
    },
  };
});
