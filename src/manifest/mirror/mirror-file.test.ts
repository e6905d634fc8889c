import { describe, expect, test } from "vitest";
import { type SimulatedWorld, simulatedWorld } from "../../io/index.ts";
import { firstRows } from "../opening/first-rows.ts";
import { readMirror } from "../opening/rebuild.ts";
import { TABLE } from "../rows/keys.ts";
import { auditMirror } from "./audit-mirror.ts";
import { mirrorPath } from "./mirror.ts";
import { MirrorFile } from "./mirror-file.ts";
import { MIRROR_BLOCK_BYTES } from "./mirror-format.ts";

const DIRECTORY = "/store";
const PATH = mirrorPath(DIRECTORY);
const [STORE, MARKS] = firstRows(new Uint8Array(16));
const rowKey = (n: number) => Uint8Array.of(TABLE.databases, n);

async function withBase(
  { random }: SimulatedWorld,
  storage: Parameters<typeof MirrorFile.create>[0],
) {
  await storage.mkdir(DIRECTORY);
  const file = await MirrorFile.create(storage, PATH, random);
  await file.add([STORE, MARKS]);
  await file.endBase();
  return file;
}

describe("a file of the mirror", () => {
  // evidence: G12
  test("keeps what was synced, whatever a power cut makes of what is written behind it", async () => {
    for (let seed = 0; seed < 300; seed++) {
      const world = simulatedWorld({ seed });
      const { storage } = world.start();
      await world.run(async () => {
        const file = await withBase(world, storage);
        const value = world.random.bytes(world.random.below(700));
        await file.add([{ key: rowKey(1), value }, MARKS]);
        await file.sync();
        await storage.syncDirectory(DIRECTORY);
        await storage.syncDirectory("/");
        await file.add([{ key: rowKey(2), value: world.random.bytes(300) }]);
      });
      world.powerCut();
      const again = world.start();
      const { rows } = await world.run(readMirror(again.storage, DIRECTORY));
      expect(
        rows.some(({ key }) => key[1] === 1),
        `seed ${seed}`,
      ).toBe(true);
    }
  });

  test("ends with a block when it is synced, and with `closed` when it is closed", async () => {
    for (let sizeBytes = 0; sizeBytes < 5000; sizeBytes += 37) {
      const world = simulatedWorld({ seed: sizeBytes });
      const { storage } = world.start();
      await world.run(async () => {
        const file = await withBase(world, storage);
        await file.add([{ key: rowKey(1), value: new Uint8Array(sizeBytes) }]);
        await file.sync();
        expect(file.bytes % MIRROR_BLOCK_BYTES).toBe(0);
        const { bytes } = file;
        await file.sync();
        expect(file.bytes).toBe(bytes);
        await file.add([{ key: rowKey(2), value: new Uint8Array(sizeBytes) }]);
        await file.endWith(5);
        await file.sync();
        expect(file.bytes % MIRROR_BLOCK_BYTES).toBe(0);
        const added = await MirrorFile.continue(storage, PATH, 5);
        expect(added?.bytes).toBe(file.bytes);
      });
      const audit = auditMirror(world.disk.contents(PATH) ?? new Uint8Array());
      expect(audit).toMatchObject({
        isWhole: true,
        isClosed: true,
        problem: undefined,
        operations: 4,
      });
    }
  });
});
