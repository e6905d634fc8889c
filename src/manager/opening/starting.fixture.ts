/** MACHINES THAT START FROM THEIR BUCKET, each in a directory of its own. */
import { ForwardingStore, type ObjectStore, type StoreCall } from "../../sink/index.ts";
import type { Database } from "../api/database.ts";
import { Manager } from "../manager.ts";
import type { ManagerOptions } from "../options.ts";
import { Machines } from "../shipping/machines.fixture.ts";
import { type VerifyReport, verifyStore } from "../verify/verify.ts";

type Rest = Omit<ManagerOptions, "directory" | "env" | "openKeyValueStore">;

const SEGMENT_BYTES = 1024 * 1024;
export const ROW_BYTES = 8000;
/** What it returns takes the place of the answer. */
export type OnCall = (call: StoreCall) => Promise<never> | undefined;

class WatchedStore extends ForwardingStore {
  readonly #onCall: OnCall;

  constructor(store: ObjectStore, onCall: OnCall = () => undefined) {
    super(store);
    this.#onCall = onCall;
  }

  protected override around<T>(call: StoreCall, send: () => Promise<T>): Promise<T> {
    return this.#onCall(call) ?? send();
  }
}

/** Machines that start from their bucket. */
export class Starting extends Machines {
  open(disk: string, options: Rest = {}, onCall?: OnCall): Promise<Manager> {
    const place = this.disk(disk);
    return Manager.open({
      ...place,
      sink: new WatchedStore(this.bucket(place.env, 20), onCall),
      segmentBytes: SEGMENT_BYTES,
      inlineFlushMs: 0,
      flushIntervalMs: 50,
      startFromSink: true,
      ...options,
    });
  }

  /** Opens it as a directory whose sink is not given. */
  withoutSink(disk: string): Promise<Manager> {
    return Manager.open({ ...this.disk(disk), segmentBytes: SEGMENT_BYTES });
  }

  /** Something lies there that is opened as any other store is. */
  async isStore(disk: string): Promise<boolean> {
    const { storage } = this.world.start();
    const isMarked = (await storage.stat(`/${disk}/restoring`)) !== undefined;
    return !isMarked && (await storage.stat(`/${disk}/superblock`)) !== undefined;
  }

  verify(disk: string, { withSink }: { readonly withSink: boolean }): Promise<VerifyReport> {
    const place = this.disk(disk);
    return verifyStore({ ...place, ...(withSink && { sink: this.bucket(place.env) }) });
  }
}

export const INSERT = "insert into t (body) values (?)";

/** A database of so many bytes. */
export async function filled(manager: Manager, name: string, bytes: number): Promise<Database> {
  const database = await manager.database(name);
  await database.exec("create table if not exists t (id integer primary key, body text)");
  await database.transaction(async (tx) => {
    for (let at = 0; at < bytes; at += ROW_BYTES)
      await tx.prepare(INSERT).run("x".repeat(ROW_BYTES));
  });
  return database;
}

export const countIn = async (manager: Manager, name: string) =>
  (await manager.database(name)).prepare("select count(*) from t").pluck<number>().get();
