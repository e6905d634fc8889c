/** Many small databases in one store: what they share, and what each of them may not cost. */
import { beforeEach, expect, test } from "vitest";
import { Manager } from "../../src/index.ts";
import { seeded, simulatedWorld } from "../../src/io/index.ts";
import { memoryStores } from "../../src/manifest/index.ts";
import { prepareEngines } from "../../src/sqlite/index.ts";

const DATABASES = 300;
const STORE = "/store";
const BODY = "select body from note where id = 1";

beforeEach(() => prepareEngines("sqlite", 2));

test("hundreds of databases share a few files and connections, and each has its own rows when the store is opened again", async () => {
  const world = simulatedWorld({ seed: 4 });
  const stores = memoryStores(seeded(5));
  const env = world.start();
  const openKeyValueStore = stores.openerFor(env);
  const open = () => Manager.open({ directory: STORE, env, openKeyValueStore, maxConnections: 32 });
  const files = async (folder: string): Promise<number> => {
    let count = 0;
    for (const name of await env.storage.list(folder)) {
      const path = `${folder}/${name}`;
      const isFile = (await env.storage.stat(path))?.kind === "file";
      count += isFile ? 1 : await files(path);
    }
    return count;
  };
  await world.run(async () => {
    let manager = await open();
    const names = Array.from({ length: DATABASES }, (_, n) => `tenant-${n}`);
    await Promise.all(
      names.map(async (name) => {
        const database = await manager.database(name);
        await database.exec("create table note (id integer primary key, body text)");
        await database.prepare("insert into note (body) values (?)").run(`of ${name}`);
      }),
    );
    await manager.checkpoint();
    expect(await files(`${STORE}/chunks`)).toBe(1);
    expect(await files(`${STORE}/wal`)).toBeLessThan(8);
    await manager.close();

    manager = await open();
    for (const name of names) {
      const database = await manager.database(name);
      expect(await database.prepare(BODY).pluck().get()).toBe(`of ${name}`);
    }
    const { databases, pages } = manager.diagnostics();
    expect(databases).toMatchObject({ known: DATABASES, open: DATABASES });
    expect(pages).toMatchObject({ overlayBytes: 0, openSnapshots: 0 });
    expect(pages.cacheBytes).toBeLessThan(DATABASES * 5 * 4096);
    await manager.close();
  });
});
