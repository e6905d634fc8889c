import { expect, test } from "vitest";
import { simulatedEnv } from "../../io/index.ts";
import { Janitor } from "./janitor.ts";

const FILES = ["/a", "/b", "/c"];

test("a file that could not be deleted is deleted later, and what went is not owed", async () => {
  const { world, env } = simulatedEnv({ seed: 1 });
  const janitor = new Janitor(env.storage);
  await world.run(async () => {
    for (const path of FILES) await (await env.storage.open(path, "create")).close();
    world.disk.failNext({ operation: "unlink", pathPattern: /b/, error: "EIO" });
    for (const path of FILES) await janitor.storage.unlink(path).catch(() => undefined);
    expect(await env.storage.list("/")).toEqual(["b"]);
    expect(janitor.owed).toBe(1);
    world.disk.failNext({ operation: "unlink", pathPattern: /b/, error: "EIO" });
    await janitor.tryAgain();
    expect(janitor.owed).toBe(1);
    await janitor.tryAgain();
    expect(await env.storage.list("/")).toEqual([]);
    expect(janitor.owed).toBe(0);
  });
});

test("who deletes hears of a failure all the same, and a file that is not there is none", async () => {
  const { world, env } = simulatedEnv({ seed: 1 });
  const janitor = new Janitor(env.storage);
  await world.run(async () => {
    await (await env.storage.open("/a", "create")).close();
    world.disk.failNext({ operation: "unlink", error: "EIO" });
    await expect(janitor.storage.unlink("/a")).rejects.toMatchObject({ code: "EIO" });
    await janitor.storage.unlink("/nothing");
    expect(janitor.owed).toBe(1);
  });
});
