/** A store in a world of its own, with a bucket, and hands that damage either. */
import { present } from "../../base/assert.ts";
import type { Env } from "../../base/env.ts";
import { type SimulatedWorld, seeded, simulatedWorld } from "../../io/index.ts";
import { memoryStores } from "../../manifest/index.ts";
import { type SimulatedService, SimulatedStore, simulatedService } from "../../sink/index.ts";
import { prepareEngines } from "../../sqlite/index.ts";
import type { Database } from "../api/database.ts";
import { Manager } from "../manager.ts";
import type { ManagerOptions } from "../options.ts";

const DIRECTORY = "/store";
const RUN_MS_MAX = 24 * 3_600_000;

export class ScrubbedStore {
  readonly world: SimulatedWorld;
  readonly service: SimulatedService;
  readonly #stores: ReturnType<typeof memoryStores>;
  #env: Env | undefined;

  constructor(seed: number) {
    this.world = simulatedWorld({ seed, runMsMax: RUN_MS_MAX });
    this.service = simulatedService(seed);
    this.#stores = memoryStores(seeded(seed));
  }

  /** Runs `work` on the store, opened in a new process, and closes it. */
  async live(
    options: Pick<ManagerOptions, "scrub" | "historyMs"> & { readonly hasSink: boolean },
    work: (manager: Manager) => Promise<void>,
  ): Promise<void> {
    await prepareEngines("sqlite", 2);
    const { hasSink, ...rest } = options;
    const env = this.world.start();
    this.#env = env;
    const sink = new SimulatedStore({ service: this.service, clock: env.clock });
    await this.world.run(async () => {
      const manager = await Manager.open({
        directory: DIRECTORY,
        env,
        openKeyValueStore: this.#stores.openerFor(env),
        segmentBytes: 256 * 1024,
        inlineFlushMs: 0,
        flushIntervalMs: 100,
        ...(hasSink && { sink }),
        ...rest,
      });
      await work(manager);
      await manager.close();
    });
    this.world.kill();
  }

  /** Flips a bit of a file of the store. */
  damageFile(file: string, at: number): void {
    const path = `${DIRECTORY}/${file}`;
    const bytes = this.contents(file).slice();
    bytes[at] = present(bytes[at], "a byte of the file") ^ 4;
    this.world.disk.replace(path, bytes);
  }

  /** Flips a bit of an object in the bucket, behind the back of its service. */
  damageObject(key: string, at: number): void {
    const { bucket } = this.service;
    const nowMs = this.world.nowMs;
    const found = bucket.find(key, nowMs);
    if (found === undefined) throw new Error(`there is no ${key}`);
    const body = found.body.slice();
    body[at] = present(body[at], "a byte of the object") ^ 4;
    bucket.put({ key, body, metadata: found.metadata, ifAbsent: false }, nowMs);
  }

  keys(prefix: string): string[] {
    return this.service.bucket.keys(this.world.nowMs).filter((key) => key.startsWith(prefix));
  }

  /** Files of a folder of the store, as they are called from its directory. */
  async files(folder: string): Promise<string[]> {
    const { storage } = present(this.#env, "a store that is open");
    const found: string[] = [];
    for (const name of await storage.list(`${DIRECTORY}/${folder}`)) {
      const path = `${folder}/${name}`;
      const isFolder = (await storage.stat(`${DIRECTORY}/${path}`))?.kind === "directory";
      if (isFolder) found.push(...(await this.files(path)));
      else found.push(path);
    }
    return found;
  }

  contents(file: string): Uint8Array {
    return present(this.world.disk.contents(`${DIRECTORY}/${file}`), "a file that is there");
  }

  async sleep(ms: number): Promise<void> {
    await this.#env?.clock.sleep(ms);
  }
}

const BATCH = 100;
const INSERT = `insert into note (body)
  with recursive counter (n) as (select 1 union all select n + 1 from counter where n < ?)
  select substr(hex(zeroblob(500)), 1, 1000) from counter`;

/** Some at a time, a commit each. */
export async function fill(manager: Manager, rows: number): Promise<Database> {
  const notes = await manager.database("notes");
  await notes.exec("create table if not exists note (id integer primary key, body text)");
  const insert = notes.prepare(INSERT);
  for (let left = rows; left > 0; left -= BATCH) await insert.run(Math.min(left, BATCH));
  return notes;
}

export const countOf = (database: Database): Promise<number | undefined> =>
  database.prepare("select count(*) from note where length(body) = 1000").pluck<number>().get();
