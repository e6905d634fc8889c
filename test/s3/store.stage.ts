/**
 * THE CONTRACT OF OBJECT STORES AGAINST A REAL SERVICE: run by `npm run s3`, which starts one and
 * says by BOP_S3_ENDPOINT where.
 */
import { randomBytes } from "node:crypto";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { beforeAll, describe, expect, test } from "vitest";
import { MIB } from "../../src/base/units.ts";
import { systemEnv } from "../../src/io/index.ts";
import { runObjectStoreContract } from "../../src/sink/contract/index.ts";
import {
  assertFit,
  listAll,
  type ObjectStore,
  openObjectStore,
  probe,
} from "../../src/sink/index.ts";

const endpoint = process.env.BOP_S3_ENDPOINT ?? "";
const env = systemEnv({ scratchDirectory: "/tmp" });
const BUCKET = "bop-contract";
const PUT_ID = "0123456789abcdef".repeat(2);

/** Parts of the smallest size, so that large bodies of the contract go in several. */
function open(prefix: string, bucket = BUCKET): Promise<ObjectStore> {
  const parameters = `region=us-east-1&endpoint=${endpoint}&partBytes=${5 * MIB}`;
  return openObjectStore(`s3://${bucket}/${prefix}?${parameters}`, env);
}

beforeAll(async () => {
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
});

// evidence: G28
runObjectStoreContract({ describe, test }, "a real service", async () => {
  const prefix = randomBytes(6).toString("hex");
  const opened = [await open(prefix)];
  return {
    largeBytes: 11 * MIB + 3,
    store: opened[0] as ObjectStore,
    another: async () => {
      const store = await open(prefix);
      opened.push(store);
      return store;
    },
    close: async () => {
      const keys: string[] = [];
      for await (const { key } of listAll(opened[0] as ObjectStore, "")) keys.push(key);
      await Promise.all(keys.map((key) => opened[0]?.delete(key)));
      for (const store of opened) await store.close();
    },
  };
});

describe("a real service", () => {
  test("has what a store needs, and the probe leaves nothing behind", async () => {
    const store = await open("probe");
    const report = await probe(store, env);
    console.error(report.findings.map(({ name, says }) => `  ${name}: ${says}`).join("\n"));
    assertFit(report);
    const noticed = report.findings.find(({ name }) => name === "refuses-damage");
    expect(noticed?.passed).toBe(true);
    expect((await store.list("")).objects).toEqual([]);
    await store.close();
  });

  test("says what is to be mended: the key that is wrong, the bucket that is not there", async () => {
    const nowhere = await open("", "bop-no-such-bucket");
    const body = Buffer.from("x");
    const refused = (store: ObjectStore) =>
      store.putIfAbsent("a", body, { putId: PUT_ID }).catch(({ details }) => details.reason);
    expect(await refused(nowhere)).toBe("bucket");
    await nowhere.close();
    const secret = process.env.AWS_SECRET_ACCESS_KEY ?? "";
    process.env.AWS_SECRET_ACCESS_KEY = "wrong";
    try {
      const stranger = await open("");
      expect(await refused(stranger)).toBe("permission");
      await stranger.close();
    } finally {
      process.env.AWS_SECRET_ACCESS_KEY = secret;
    }
  });
});
