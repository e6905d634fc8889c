/** An engine that is used again, in simulations. */
import { describe, expect, test } from "vitest";
import { DeadProcessError, simulatedEnv } from "../io/index.ts";
import { type EngineKind, loadEngine } from "./index.ts";
import { prepareReusedEngine } from "./reuse.ts";
import { loadRawModule } from "./wasm/raw.ts";

const KINDS: readonly EngineKind[] = ["sqlite", "libsql"];

/** What its next owner finds, once somebody has used it for a while. */
async function usedFor(kind: EngineKind, use: (raw: Raw) => void): Promise<Uint8Array> {
  await prepareReusedEngine(kind);
  use(await loadRawModule(kind));
  await prepareReusedEngine(kind);
  return new Uint8Array((await loadRawModule(kind)).memory.buffer).slice();
}
type Raw = Awaited<ReturnType<typeof loadRawModule>>;

describe("an engine that is used again", () => {
  test.each(KINDS)("of %s is what it was at first, to the byte", async (kind) => {
    const unused = await usedFor(kind, () => undefined);
    const used = await usedFor(kind, (raw) => {
      const into = raw.c.sqlite3_malloc(1000);
      raw.c.sqlite3_randomness(1000, into);
      raw.install("i(p)", () => 0);
    });
    expect(Buffer.compare(used, unused)).toBe(0);
  });

  test("a process that is dead cannot call into it any more", async () => {
    await prepareReusedEngine("sqlite");
    const before = await loadRawModule("sqlite");
    await prepareReusedEngine("sqlite");
    await loadRawModule("sqlite");
    expect(() => before.c.sqlite3_malloc(8)).toThrow(DeadProcessError);
  });

  test("it is loaded and works as one that is new, again and again", async () => {
    for (let n = 0; n < 3; n++) {
      await prepareReusedEngine("sqlite");
      const { env } = simulatedEnv({ seed: n });
      const engine = await loadEngine({ kind: "sqlite", env });
      expect(engine.version).toMatch(/^3\./);
      expect(engine.broken).toBe(false);
    }
  });
});
