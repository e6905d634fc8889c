import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MIB } from "../base/units.ts";
import { systemEnv } from "./index.ts";

const env = systemEnv({ scratchDirectory: join(tmpdir(), "bop-never-made") });
const self = env.process;

describe("the identity of a process", () => {
  test("this process is alive, and one of another boot or start is not", () => {
    expect(self.isAlive(self)).toBe(true);
    expect(self.isAlive({ ...self, bootId: "another" })).toBe(false);
    expect(self.isAlive({ ...self, startedAt: "ticks:1" })).toBe(false);
  });

  test.skipIf(process.platform !== "linux")(
    "another process is alive until it was killed, even before anybody waits for it",
    async () => {
      const child = spawn("sleep", ["60"]);
      await once(child, "spawn");
      const pid = child.pid ?? 0;
      const stat = execFileSync("cat", [`/proc/${pid}/stat`], { encoding: "utf8" });
      const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
      const owner = { pid, bootId: self.bootId, startedAt: `ticks:${ticks}` };
      expect(self.isAlive(owner)).toBe(true);
      expect(self.isAlive({ ...owner, startedAt: "ticks:1" })).toBe(false);
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
      expect(self.isAlive(owner)).toBe(false);
    },
  );
});

describe("the clock of the system", () => {
  test("a sleep ends no sooner than it was asked to", async () => {
    for (let n = 0; n < 20; n++) {
      const begin = env.clock.monotonicMs();
      await env.clock.sleep(1.5);
      expect(env.clock.monotonicMs() - begin).toBeGreaterThanOrEqual(1.5);
    }
  });

  test("an aborted sleep rejects with the reason, before it began or while it lasts", async () => {
    const reason = new Error("enough");
    await expect(env.clock.sleep(1e6, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const sleeping = env.clock.sleep(1e6, controller.signal);
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
  });

  test("a disposed timer never fires", async () => {
    let fired = 0;
    const timers = [
      env.clock.after(1, () => {
        fired += 1;
      }),
      env.clock.every(1, () => {
        fired += 1;
      }),
    ];
    for (const timer of timers) timer.dispose();
    await env.clock.sleep(10);
    expect(fired).toBe(0);
  });

  test("a turn comes behind all promise callbacks that are ready", async () => {
    const order: string[] = [];
    const turned = new Promise<void>((resolve) => {
      env.clock.turn(() => {
        order.push("turn");
        resolve();
      });
    });
    await Promise.resolve().then(() => order.push("promise"));
    await turned;
    expect(order).toEqual(["promise", "turn"]);
  });
});

describe("scratch files of the system", () => {
  test("a file that outgrows memory leaves no name behind, and none when it is emptied", async () => {
    const directory = await mkdtemp(join(tmpdir(), "bop-scratch-"));
    try {
      const scratch = systemEnv({ scratchDirectory: join(directory, "s") }).storage.scratch();
      scratch.write(new Uint8Array(3), 0);
      expect(await readdir(directory)).toEqual([]);
      scratch.write(new Uint8Array(10), MIB);
      expect(await readdir(directory)).toEqual(["s"]);
      expect(await readdir(join(directory, "s"))).toEqual([]);
      scratch.truncate(0);
      scratch.write(new Uint8Array(3), 0);
      expect(scratch.sizeBytes).toBe(3);
      scratch.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

test("random numbers keep below their limit, and bytes come in the count asked for", () => {
  const drawn = Array.from({ length: 200 }, () => env.random.below(3));
  expect(new Set(drawn)).toEqual(new Set([0, 1, 2]));
  expect(env.random.bytes(100_000)).toHaveLength(100_000);
  expect(env.random.bytes(16)).not.toEqual(env.random.bytes(16));
});
