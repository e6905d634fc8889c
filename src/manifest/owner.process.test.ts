/**
 * Owners as processes of a real system: on one machine, in another pid namespace, killed. A process
 * of another namespace sees neither whether the pid of a record lives nor whose it is, and may well
 * have the same pid.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, onTestFinished, test } from "vitest";

/** What was built: it is read in a third of the time that its source takes. */
const BUILT = new URL("../../dist/", import.meta.url);
const OWNER = new URL("manifest/owner.js", BUILT).href;
const STORE = new URL("manifest/stores/lmdb-store.js", BUILT).href;
const WORLD = new URL("io/index.js", BUILT).href;

/** Claims the directory, prints how that went, and holds it until its input ends. */
const PROGRAM = `
  import { claimOwnership } from ${JSON.stringify(OWNER)};
  import { openLmdbStore } from ${JSON.stringify(STORE)};
  import { systemEnv } from ${JSON.stringify(WORLD)};
  const [owned] = process.argv.slice(1);
  const env = systemEnv({ scratchDirectory: owned });
  const say = (what) => console.log(JSON.stringify({ pid: process.pid, ...what }));
  try {
    const { lastStop, crashCount, release } = await claimOwnership({
      openStore: openLmdbStore, env, owned,
    });
    say({ lastStop, crashCount });
    process.stdin.once("end", release).resume();
  } catch (error) {
    say({ code: error.code, owner: error.details?.pid, message: error.message });
  }
`;

const ISOLATED = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

interface Answer {
  readonly pid: number;
  readonly lastStop?: string;
  readonly crashCount?: number;
  readonly code?: string;
  readonly owner?: number;
  readonly message?: string;
}

interface Claimant {
  readonly child: ChildProcess;
  readonly answer: Answer;
}

async function start(owned: string, before: readonly string[] = []): Promise<Claimant> {
  const command = [process.execPath, "--input-type=module", "-e", PROGRAM, owned];
  const [program = "", ...args] = [...before, ...command];
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  return { child, answer: JSON.parse(String(line)) };
}

async function end({ child }: Claimant, how: "release" | "SIGKILL"): Promise<void> {
  const ended = once(child, "exit");
  if (how === "release") child.stdin?.end();
  else child.kill(how);
  await ended;
}

async function place(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "bop-owner-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Why no process can be started in another pid namespace here; undefined if one can. */
function whyNotIsolated(): string | undefined {
  try {
    execFileSync(ISOLATED[0] ?? "", [...ISOLATED.slice(1), "true"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "no permission to make a pid namespace";
  }
}

describe.skipIf(process.platform === "win32")("processes that own a directory", () => {
  // evidence: G8
  test("a second process is refused, and a killed owner is taken over as crashed", async () => {
    const owned = await place();
    const first = await start(owned);
    expect(first.answer.lastStop).toBe("first-open");
    const second = await start(owned);
    expect(second.answer).toMatchObject({ code: "BOP_LOCKED", owner: first.answer.pid });
    await end(first, "SIGKILL");
    const third = await start(owned);
    expect(third.answer).toMatchObject({ lastStop: "crash", crashCount: 1 });
    await end(third, "release");
    const fourth = await start(owned);
    expect(fourth.answer).toMatchObject({ lastStop: "clean", crashCount: 1 });
    await end(fourth, "release");
  });

  // evidence: G8
  test.skipIf(whyNotIsolated() !== undefined)(
    "a process of another container is refused, whatever its pid, until the owner has died",
    async () => {
      const owned = await place();
      const owner = await start(owned, ISOLATED);
      expect(owner.answer).toMatchObject({ pid: 1, lastStop: "first-open" });
      const twin = await start(owned, ISOLATED);
      expect(twin.answer).toMatchObject({ pid: 1, code: "BOP_LOCKED", owner: 1 });
      const outside = await start(owned);
      expect(outside.answer).toMatchObject({ code: "BOP_LOCKED", owner: 1 });
      expect(outside.answer.message).toMatch(/process 1 of another container, since 20/);
      await end(owner, "SIGKILL");
      const next = await start(owned, ISOLATED);
      expect(next.answer).toMatchObject({ pid: 1, lastStop: "crash" });
      await end(next, "SIGKILL");
    },
  );

  // evidence: G8
  test("of processes that start at once exactly one owns the directory", async () => {
    const owned = await place();
    const claimants = await Promise.all([0, 1, 2, 3].map(() => start(owned)));
    const owners = claimants.filter(({ answer }) => answer.lastStop !== undefined);
    expect(owners).toHaveLength(1);
    const others = claimants.filter(({ answer }) => answer.code === "BOP_LOCKED");
    expect(others).toHaveLength(3);
    for (const claimant of owners) await end(claimant, "release");
  });
});
