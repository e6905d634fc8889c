/** Stores that start where their sink holds none, and are not alone, or die. */
import { beforeEach, describe, expect, test } from "vitest";
import { prepareEngines } from "../../sqlite/index.ts";
import { countIn, filled, INSERT, Starting } from "./starting.fixture.ts";

beforeEach(() => prepareEngines("sqlite", 4));

describe("machines that start at once where the sink holds no store", () => {
  // evidence: G41
  test("make one store: the one that was not first takes it up when it starts again", async () => {
    const machines = new Starting(10);
    await machines.world.run(async () => {
      const disks = ["one", "two"];
      const outcomes = await Promise.allSettled(disks.map((disk) => machines.open(disk)));
      const at = outcomes.findIndex(({ status }) => status === "fulfilled");
      const [won, lost] = [outcomes[at], outcomes[1 - at]];
      if (won?.status !== "fulfilled" || lost?.status !== "rejected") throw new Error("one wins");
      const refusal = { code: expect.stringMatching(/BOP_SINK_(FOREIGN|AHEAD)/) };
      expect(lost.reason).toMatchObject(refusal);
      await filled(won.value, "t", 24_000);
      await won.value.close();
      const loser = disks[1 - at] ?? "";
      expect(await machines.isStore(loser)).toBe(false);
      const again = await machines.open(loser, { durability: "remote" });
      expect(await countIn(again, "t")).toBe(3);
      await (await again.database("t")).prepare(INSERT).run("goes on");
      await again.close();
    });
  });

  test("and die anywhere in it can start again, with whatever has become of the bucket", async () => {
    let unfinished = 0;
    for (let delayMs = 5; delayMs <= 365; delayMs += 30) {
      const machines = new Starting(11);
      const { world } = machines;
      await world.run(async () => {
        const opening = machines.open("first").catch((error: unknown) => error);
        await Promise.race([opening, world.start().clock.sleep(delayMs)]);
      });
      world.kill();
      await world.run(async () => {
        const isClaimed = machines.service.bucket.find("store.json", Number.MAX_SAFE_INTEGER);
        if (await machines.isStore("first")) expect(isClaimed).toBeDefined();
        else unfinished += 1;
        if (!(await machines.isStore("first")) && unfinished % 2 === 0) {
          const second = await machines.open("second");
          await filled(second, "t", 8000);
          await second.close();
        }
        const first = await machines.open("first");
        if ((await first.list()).length > 0) expect(await countIn(first, "t")).toBe(1);
        await filled(first, "own", 8000);
        await first.close();
        const again = await machines.open("first");
        expect(await countIn(again, "own")).toBe(1);
        await again.close();
      });
    }
    expect(unfinished).toBeGreaterThan(2);
  });

  test("are told that the sink did not answer, and leave no store", async () => {
    const machines = new Starting(12);
    await machines.world.run(async () => {
      const { state } = machines.service.faults;
      let isIdentified = false;
      const opening = machines.open("first", { sinkTimeoutMs: 0 }, ({ key, body }) => {
        isIdentified ||= key === "store.json" && body !== undefined;
        if (isIdentified) state.down = true;
        return undefined;
      });
      await expect(opening).rejects.toMatchObject({ code: "BOP_SINK_UNAVAILABLE" });
      expect(await machines.isStore("first")).toBe(false);
      state.down = false;
      const again = await machines.open("first");
      await filled(again, "t", 8000);
      await again.close();
    });
  });
});
