/** Which letters a later process finds: the table alone, without a store that ships. */
import { describe, expect, test } from "vitest";
import { seeded, simulatedWorld } from "../../io/index.ts";
import { type Manifest, memoryStores, openManifest } from "../../manifest/index.ts";
import { DeadLetters, type Refused } from "./dead-letters.ts";
import { STORE_ID } from "./ship.fixture.ts";

describe("letters", () => {
  async function manifestOf(work: (open: () => Promise<Manifest>) => Promise<void>): Promise<void> {
    const world = simulatedWorld({ seed: 3 });
    const stores = memoryStores(seeded(4));
    const { clock } = world.start();
    const openStore = stores.openerFor(world.start());
    const place = { openStore, directory: "/store/manifest", storeIdForNew: STORE_ID, clock };
    await world.run(() => work(() => openManifest(place)));
  }
  const refusal: Omit<Refused, "isKept"> = {
    ...{ kind: "log", part: "log" },
    ...{ at: new Date(5), reason: "no", bytes: 7 },
  };
  const report = (error: unknown): never => {
    throw error;
  };

  test("of another place count for nothing, and go when an epoch begins", async () => {
    await manifestOf(async (open) => {
      const manifest = await open();
      const letters = new DeadLetters({ manifest, location: "s3://here", report });
      void letters.hold({ ...refusal, isKept: true });
      const [held] = letters.all;
      await manifest.close();
      const again = await open();
      const elsewhere = new DeadLetters({ manifest: again, location: "s3://there", report });
      expect([elsewhere.all, elsewhere.left("log"), elsewhere.struck]).toEqual([
        [],
        undefined,
        [held?.id],
      ]);
      const here = new DeadLetters({ manifest: again, location: "s3://here", report });
      expect([here.all, here.struck]).toEqual([[held], []]);
      await again.close();
    });
  });

  test("of what was refused before anything was shipped are gone with their process", async () => {
    await manifestOf(async (open) => {
      const manifest = await open();
      const letters = new DeadLetters({ manifest, location: "s3://here", report });
      const decision = letters.hold({ ...refusal, isKept: false });
      expect(letters.all).toHaveLength(1);
      letters.close();
      expect(await decision).toBe("closed");
      await manifest.close();
      const again = await open();
      expect(again.opened.deadLetters).toEqual([]);
      await again.close();
    });
  });
});
