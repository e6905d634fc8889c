/** Changes of record logs that add no entries, and nothing after them: age alone asks for a checkpoint. */
import { expect, test } from "vitest";
import { simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import type { RecordLog } from "../../record-log/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import { Manager } from "../manager.ts";

const AGE_MS = 60_000;
const LAST = 3n;

interface Quiet {
  readonly manager: Manager;
  readonly log: RecordLog;
}

/** What is done to a log whose entries are all in a chunk, and how many chunks there are then. */
const CHANGES: readonly (readonly [string, number, (it: Quiet) => Promise<unknown>])[] = [
  ["a drop", 0, ({ manager, log }) => manager.dropLog(log.name)],
  ["a compaction", 0, ({ log }) => log.compactPrefix(LAST)],
  ["a clearing", 0, ({ log }) => log.clear()],
  ["a vote", 1, ({ log }) => log.setHardState({ term: 1n })],
  ["a renaming", 1, ({ manager, log }) => manager.renameLog(log.name, "another")],
  ["the creation", 1, ({ manager }) => manager.log("another")],
];

test.each(CHANGES)(
  "%s of a record log, with nothing after it, is folded when it is old",
  async (...given) => {
    const [, chunks, change] = given;
    await prepareEngines("sqlite", 1);
    const world = simulatedWorld({ seed: 5 });
    const env = world.start();
    const openKeyValueStore = memoryStores(world.random.fork()).openerFor(env);
    const options = { directory: "/store", env, openKeyValueStore, checkpointAgeMs: AGE_MS };
    await world.run(async () => {
      const manager = await Manager.open(options);
      const log = await manager.log("raft");
      const payload = new Uint8Array(100_000);
      await log.append([1n, 2n, LAST].map((index) => ({ term: 1n, index, payload })));
      await manager.checkpoint();
      const before = manager.diagnostics();
      expect(before.recordLogs.chunks).toBe(1);
      await change({ manager, log });
      await env.clock.sleep(2 * AGE_MS);
      const { recordLogs, pages } = manager.diagnostics();
      expect(pages.checkpoints).toBe(before.pages.checkpoints + 1);
      expect(pages.lastCheckpoint?.reason).toBe("age");
      expect(recordLogs.chunks).toBe(chunks);
      await env.clock.sleep(3 * AGE_MS); // Nothing is left to be folded.
      expect(manager.diagnostics().pages.checkpoints).toBe(pages.checkpoints);
      await manager.close();
    });
  },
);
