/** What can be said of scrubbing, and what is refused before anything is opened. */
import { describe, expect, test } from "vitest";
import { resolveManagerOptions } from "../resolve-options.ts";
import { ScrubbedStore } from "./scrub.fixture.ts";

const scrubOf = (scrub: object) => resolveManagerOptions({ directory: "/d", scrub }).scrub;

describe("options of scrubbing", () => {
  test("have defaults, each by itself", () => {
    const day = 86_400_000;
    const byDefault = {
      localEveryMs: 7 * day,
      remoteEveryMs: 30 * day,
      sampleEveryMs: day,
      maxBytesPerSecond: 16 * 1024 * 1024,
    };
    expect(scrubOf({})).toEqual(byDefault);
    expect(scrubOf({ localEveryMs: 0 })).toEqual({ ...byDefault, localEveryMs: 0 });
  });

  test("out of range, or unknown, are refused by name", () => {
    expect(() => scrubOf({ localEveryMs: 999 })).toThrow("localEveryMs is 999; want 0 for never");
    expect(() => scrubOf({ sampleEveryMs: Number.NaN })).toThrow(RangeError);
    expect(() => scrubOf({ maxBytesPerSecond: 1 })).toThrow("maxBytesPerSecond is 1");
    expect(() => scrubOf({ everyMs: 1000 })).toThrow('unknown option "everyMs"');
  });

  test("of a pass on demand that ask for a sink where there is none are refused", async () => {
    const store = new ScrubbedStore(20);
    await store.live({ hasSink: false }, async (manager) => {
      await expect(manager.scrub({ parts: ["remote"] })).rejects.toThrow(TypeError);
      await expect(manager.scrub({ maxBytesPerSecond: 5 })).rejects.toThrow(RangeError);
      const ended = manager.scrub({ signal: AbortSignal.abort(new Error("enough")) });
      await expect(ended).rejects.toThrow("enough");
      expect(await manager.scrub()).toMatchObject({ isSound: true });
    });
  });
});
