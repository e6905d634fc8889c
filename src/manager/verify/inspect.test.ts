import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { encodeFence } from "../../flush/index.ts";
import { systemEnv } from "../../io/index.ts";
import { bucketKey, openObjectStore } from "../../sink/index.ts";
import { inspectArtefact } from "./inspect.ts";

const STORE_ID = new Uint8Array(16).fill(1);
const PUT_ID = "0123456789abcdef0123456789abcdef";
const OPTIONS = { withFrames: false, limit: 10, hints: {} };

function inspected(bytes: Uint8Array) {
  const view = (offset: number, length: number) => bytes.subarray(offset, offset + length);
  return inspectArtefact({ sizeBytes: bytes.length, view }, OPTIONS);
}

test("an object of a folder is told as what its body is, and damage of the body is found", async () => {
  const directory = mkdtempSync(join(tmpdir(), "bop-inspect-"));
  try {
    const env = systemEnv({ scratchDirectory: directory });
    const store = await openObjectStore(pathToFileURL(join(directory, "sink")).href, env);
    const identity = { storeId: STORE_ID, epoch: 2, number: 5 };
    const nonce = new Uint8Array(16).fill(9);
    const body = encodeFence({ ...identity, of: "wal", byEpoch: 3, wallMs: 6, nonce });
    const key = bucketKey({ kind: "wal", epoch: 2, number: 5 });
    await store.put(key, body, { putId: PUT_ID });
    await store.close();
    const found = readdirSync(directory, { recursive: true, encoding: "utf8" });
    const path = found.find((name) => name.endsWith(key)) ?? "";
    const bytes = new Uint8Array(readFileSync(join(directory, path)));
    expect(inspected(bytes)).toMatchObject({
      kind: "fence",
      sizeBytes: body.length,
      facts: { epoch: 2, number: 5, byEpoch: 3, putId: PUT_ID },
      problems: [],
    });
    expect(inspected(body)).toMatchObject({ kind: "fence", problems: [] });
    bytes[60] = (bytes[60] ?? 0) ^ 1;
    expect(inspected(bytes).problems.map(({ why }) => why)).toContain(
      "the body does not hash to what the trailer says",
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
