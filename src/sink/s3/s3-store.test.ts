import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isStorageError } from "../../base/errors.ts";
import { KIB, MIB } from "../../base/units.ts";
import { systemEnv } from "../../io/index.ts";
import { runObjectStoreContract } from "../contract/index.ts";
import { parseLocation } from "../location.ts";
import { listAll } from "../object-store.ts";
import { S3Store } from "./s3-store.ts";
import { S3Service, type Trouble } from "./service.fixture.ts";

const { clock } = systemEnv({ scratchDirectory: "/tmp" });
const PUT_ID = "0123456789abcdef".repeat(2);
let service: S3Service;
let places = 0;

beforeAll(async () => {
  process.env.AWS_ACCESS_KEY_ID = "test";
  process.env.AWS_SECRET_ACCESS_KEY = "test";
  service = await S3Service.start();
});
afterAll(() => service.stop());

function open(prefix: string, parameters = ""): Promise<S3Store> {
  const text = `s3://bucket/${prefix}?region=here&endpoint=${service.endpoint}&${parameters}`;
  const place = parseLocation(text);
  if (place.kind !== "s3") throw new Error(text);
  return S3Store.open(place, { clock });
}

runObjectStoreContract({ describe, test }, "a bucket", async () => {
  const prefix = `place-${++places}`;
  const parameters = `partBytes=${5 * MIB}`;
  const store = await open(prefix, parameters);
  const others: S3Store[] = [];
  return {
    store,
    largeBytes: 11 * MIB + 3,
    another: async () => {
      const other = await open(prefix, parameters);
      others.push(other);
      return other;
    },
    close: async () => {
      for (const one of [store, ...others]) await one.close();
      service.objects.clear();
      service.uploads.clear();
    },
    damage: async (key) => {
      const body = service.objects.get(`${prefix}/${key}`)?.body;
      if (body) body[100] = (body[100] ?? 0) ^ 4;
    },
  };
});

/** One request of that method goes wrong; what comes of the call is returned. */
async function during(
  method: string,
  trouble: Trouble,
  call: (store: S3Store) => Promise<unknown>,
): Promise<unknown> {
  const timeout = trouble.kind === "hang" ? "timeoutMs=150" : "";
  const store = await open("t", `${timeout}&partBytes=${5 * MIB}`);
  service.next((request) => request.method === method, trouble);
  try {
    return await call(store).catch((error: unknown) => error);
  } finally {
    await store.close();
  }
}

const codeOf = (error: unknown) => (error as { code?: unknown }).code;
const put = (store: S3Store, body = Buffer.from("body")) => store.put("a", body, { putId: PUT_ID });
const create = (store: S3Store) => store.putIfAbsent("a", Buffer.from("body"), { putId: PUT_ID });

describe("a service in trouble", () => {
  test.each([
    [{ kind: "before", status: 500, word: "InternalError" }, "BOP_SINK_UNKNOWN"],
    [{ kind: "before", status: 503, word: "SlowDown" }, "BOP_SINK_UNKNOWN"],
    [{ kind: "before", status: 409, word: "ConditionalRequestConflict" }, "BOP_SINK_UNKNOWN"],
    [{ kind: "before", status: 429, word: "TooManyRequests" }, "BOP_SINK_UNAVAILABLE"],
    [{ kind: "before", status: 400, word: "BadDigest" }, "BOP_SINK_UNAVAILABLE"],
    [{ kind: "before", status: 403, word: "RequestTimeTooSkewed" }, "BOP_SINK_UNAVAILABLE"],
    [{ kind: "before", status: 403, word: "AccessDenied" }, "BOP_SINK_REFUSED"],
    [{ kind: "before", status: 400, word: "ExpiredToken" }, "BOP_SINK_REFUSED"],
    [{ kind: "before", status: 404, word: "NoSuchBucket" }, "BOP_SINK_REFUSED"],
    [{ kind: "before", status: 501, word: "NotImplemented" }, "BOP_SINK_REFUSED"],
    [{ kind: "after", status: 500, word: "InternalError" }, "BOP_SINK_UNKNOWN"],
    [{ kind: "lost" }, "BOP_SINK_UNKNOWN"],
    [{ kind: "hang" }, "BOP_SINK_UNKNOWN"],
  ] as const)(
    "a put that meets %j is told %s, and only one request was sent",
    async (trouble, code) => {
      service.objects.clear();
      const before = service.requests.length;
      expect(codeOf(await during("PUT", trouble, create))).toBe(code);
      expect(service.requests.length - before).toBe(1);
    },
  );

  test("a service that asks to be left alone is understood, in seconds", async () => {
    for (const status of [429, 503]) {
      const error = await during("PUT", { kind: "before", status, word: "SlowDown" }, create);
      expect((error as { details?: unknown }).details).toMatchObject({ retryAfterMs: 3000 });
    }
  });

  test("what is to be mended is told by its reason", async () => {
    const reasons = [
      [404, "NoSuchBucket", "bucket"],
      [403, "AccessDenied", "permission"],
      [400, "ExpiredToken", "permission"],
      [501, "NotImplemented", "request"],
    ] as const;
    for (const [status, word, reason] of reasons) {
      const error = await during("PUT", { kind: "before", status, word }, create);
      expect((error as { details?: unknown }).details).toMatchObject({ reason });
    }
  });

  // evidence: G28
  test("a put whose answer was lost finds itself there when it is repeated", async () => {
    for (const trouble of [
      { kind: "lost" },
      { kind: "after", status: 500, word: "InternalError" },
    ] as const) {
      service.objects.clear();
      const outcome = await during("PUT", trouble, async (store) => {
        expect(codeOf(await create(store).catch((error: unknown) => error))).toBe(
          "BOP_SINK_UNKNOWN",
        );
        return create(store);
      });
      expect(outcome).toEqual({ type: "created" });
    }
  });

  test.each([
    [{ kind: "before", status: 500, word: "InternalError" }, "BOP_SINK_UNAVAILABLE"],
    [{ kind: "lost" }, "BOP_SINK_UNAVAILABLE"],
    [{ kind: "cut" }, "BOP_SINK_UNAVAILABLE"],
    [{ kind: "hang" }, "BOP_SINK_UNAVAILABLE"],
    [{ kind: "short" }, "BOP_SINK_CORRUPT"],
    [{ kind: "wrong" }, "BOP_SINK_CORRUPT"],
  ] as const)(
    "a get that meets %j is told %s, and no byte of it is served",
    async (trouble, code) => {
      const writer = await open("t");
      await put(writer, Buffer.alloc(100_000, 7));
      await writer.close();
      const outcome = await during("GET", trouble, (store) => store.get("a"));
      expect(codeOf(outcome)).toBe(code);
    },
  );

  test("a part that is shorter than asked for is not believed", async () => {
    const outcome = await during("GET", { kind: "short" }, async (store) => {
      await put(store, Buffer.alloc(1000, 7));
      return store.get("a", { range: { offset: 10, bytes: 100 } });
    });
    expect(codeOf(outcome)).toBe("BOP_SINK_CORRUPT");
  });

  test("a service that answers a range with the whole body is understood", async () => {
    const body = Buffer.from("0123456789");
    const outcome = await during("GET", { kind: "whole" }, async (store) => {
      await put(store, body);
      return store.get("a", { range: { offset: 2, bytes: 3 } });
    });
    expect(outcome).toMatchObject({
      info: { sizeBytes: 10 },
      bytes: new Uint8Array(body.subarray(2, 5)),
    });
  });

  test("a service that refuses a large body before it has read it harms nobody", async () => {
    const body = Buffer.alloc(3 * MIB, 7);
    for (let round = 0; round < 4; round++) {
      const trouble = { kind: "early", status: 412, word: "PreconditionFailed" } as const;
      const outcome = await during("PUT", trouble, (store) =>
        store.putIfAbsent("early", body, { putId: PUT_ID }),
      );
      expect(codeOf(outcome)).toBe("BOP_SINK_UNKNOWN"); // Refused, and yet nobody is there.
    }
  });

  test("a service that is not there is unavailable, and its bucket says where it was looked for", async () => {
    const place = parseLocation("s3://bucket?region=here&endpoint=http://127.0.0.1:1");
    if (place.kind !== "s3") throw new Error("no bucket");
    const store = await S3Store.open(place, { clock });
    const error = await create(store as S3Store).catch((thrown: unknown) => thrown);
    expect(isStorageError(error, "BOP_SINK_UNAVAILABLE") && error.message).toContain("127.0.0.1:1");
    await store.close();
  });
});

describe("a large body", () => {
  const body = Buffer.alloc(11 * MIB, 5);

  test("of which one part fails is given up, and no part is left behind", async () => {
    service.uploads.clear();
    const trouble = { kind: "before", status: 500, word: "InternalError" } as const;
    const outcome = await during("PUT", trouble, (store) => put(store, body));
    expect(codeOf(outcome)).toBe("BOP_SINK_UNKNOWN");
    expect(service.uploads.size).toBe(0);
  });

  test("whose end got no answer is there, and that is found out", async () => {
    service.objects.clear();
    const store = await open("t", `partBytes=${5 * MIB}`);
    const ends = ({ query }: { query: URLSearchParams }) =>
      query.has("uploadId") && !query.has("partNumber");
    service.next(ends, { kind: "lost" });
    await put(store, body);
    expect((await store.head("a"))?.putId).toBe(PUT_ID);
    await store.close();
  });
});

describe("requests", () => {
  test("share connections, which close with the store", async () => {
    const store = await open("t", "connections=2");
    const before = service.connections;
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        store.put(`k/${n}`, Buffer.from("x"), { putId: PUT_ID }),
      ),
    );
    expect(service.connections - before).toBeLessThanOrEqual(2);
    await store.close();
  });

  test("go on behind what somebody else put into the bucket", async () => {
    service.objects.clear();
    const store = await open("t");
    for (const key of ["A Stranger's.txt", "a", "z z"]) {
      service.objects.set(`t/${key}`, { body: Buffer.from("x"), metadata: {} });
    }
    const found: string[] = [];
    for await (const { key } of listAll(store, "", { limit: 1 })) found.push(key);
    expect(found).toEqual(["a"]);
    expect(await store.head("a")).toMatchObject({ putId: undefined, sha256: undefined });
    await store.close();
  });

  test("of puts carry what was asked for by the location", async () => {
    const store = await open("t", "storageClass=STANDARD_IA&sse=aws:kms&kmsKeyId=key");
    await put(store);
    expect(service.headers.at(-1)).toMatchObject({
      "x-amz-storage-class": "STANDARD_IA",
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": "key",
      "x-amz-meta-bop-put-id": PUT_ID,
    });
    await store.close();
  });

  test("have more time for a body that is larger, and no more than that", async () => {
    const rate = `timeoutMs=100&minBytesPerSecond=${64 * KIB}`;
    const store = await open("t", rate);
    service.next(({ method }) => method === "PUT", { kind: "hang" });
    const error = await put(store, Buffer.alloc(4 * KIB)).catch((thrown: unknown) => thrown);
    expect((error as Error).message).toContain("163 ms");
    await store.close();
  });

  test("tell what the service can do beyond what is asked of it", async () => {
    const store = await open("t");
    const report = await store.inspect("probe/x", { putId: PUT_ID });
    expect(report).toEqual({ compareAndSwap: "yes", refusesDamage: true });
    expect(await store.head("probe/x")).toBeUndefined();
    await store.close();
  });
});
