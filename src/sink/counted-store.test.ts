import { expect, test } from "vitest";
import { systemEnv } from "../io/index.ts";
import { CountedStore } from "./counted-store.ts";
import { bucketKey } from "./keys.ts";
import { simulatedService } from "./simulated/service.ts";
import { SimulatedStore } from "./simulated/simulated-store.ts";

const PUT_ID = "0123456789abcdef0123456789abcdef";

test("requests are counted as services charge for them, and answers are those of the store beneath", async () => {
  const { clock } = systemEnv({ scratchDirectory: "/tmp" });
  const beneath = new SimulatedStore({ service: simulatedService(1), clock });
  const store = new CountedStore(beneath, { knowsObjects: true });
  const wal = bucketKey({ kind: "wal", epoch: 1, number: 0 });
  const chunk = bucketKey({ kind: "chunk", id: 7, epoch: 1 });
  await store.put(wal, new Uint8Array(100), { putId: PUT_ID });
  expect(await store.putIfAbsent(chunk, new Uint8Array(50), { putId: PUT_ID })).toEqual({
    type: "created",
  });
  expect((await store.get(wal, { range: { offset: 90, bytes: 5 } }))?.bytes.length).toBe(5);
  expect((await store.get(wal))?.bytes.length).toBe(100);
  expect(await store.get("elsewhere")).toBeUndefined();
  expect((await store.head(chunk))?.sizeBytes).toBe(50);
  expect((await store.list("")).objects.map(({ key }) => key)).toEqual([chunk, wal]);
  await store.delete(chunk);
  expect(store.counts).toEqual({
    ...{ writes: 3, reads: 4, deletes: 1, readBytes: 105 },
    putsByKind: { store: 0, epoch: 0, wal: 1, manifest: 0, chunk: 1, other: 0 },
    bytesByKind: { store: 0, epoch: 0, wal: 100, manifest: 0, chunk: 50, other: 0 },
  });
  expect(store.reads).toEqual({ requests: 5, objects: 1, bytes: 105 });
});
