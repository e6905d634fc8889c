/**
 * A LARGE BODY IN PARTS: they go side by side, and appear as one object at the end.
 *
 * (1) Each part is signed with its own SHA-256, so that the service refuses one that is damaged.
 * (2) The first failure ends the others, and the upload is given up. A service that hears nothing of
 *     that keeps the parts, and their price, until a rule of the bucket removes them: docs/sinks.md.
 * (3) The end of an upload whose answer is lost is looked up: the object bears this put's id or not.
 */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type PutObjectCommandInput,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { Clock } from "../../base/env.ts";
import { isStorageError } from "../../base/errors.ts";
import { CallSignal } from "../call-signal.ts";
import { sha256Of } from "../digest.ts";
import { decodeMetadata } from "../metadata.ts";
import type { ObjectInfo } from "../object-store.ts";
import { corruptObject, type SinkCall, sinkError } from "../sink-error.ts";
import type { S3Calls } from "./calls.ts";
import { signedBody } from "./client.ts";

const PARTS_AT_A_TIME = 4;

export interface LargePut {
  readonly call: SinkCall;
  readonly body: Uint8Array;
  readonly input: Omit<PutObjectCommandInput, "Body">;
  readonly partBytes: number;
  readonly clock: Clock;
  readonly calls: S3Calls;
  readonly signal: AbortSignal | undefined;
}

interface Upload {
  readonly Bucket: string | undefined;
  readonly Key: string | undefined;
  readonly UploadId: string;
}

interface Part {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
}

/** `look` finds what the object's head says. */
export async function putInParts(
  put: LargePut,
  look: () => Promise<ObjectInfo | undefined>,
): Promise<void> {
  const upload = await begin(put);
  try {
    await finish(put, { upload, parts: await sendAll(put, upload) });
  } catch (error) {
    const unclear = isStorageError(error, "BOP_SINK_UNKNOWN");
    if (unclear && isOurs(put, await look().catch(() => undefined))) return;
    await giveUp(put, upload);
    throw error;
  }
  const info = await look();
  if (!isOurs(put, info)) throw corruptObject(put.call, "what is there is not what was put");
}

function isOurs({ input, body }: LargePut, info: ObjectInfo | undefined): boolean {
  return info?.putId === decodeMetadata(input.Metadata).putId && info?.sizeBytes === body.length;
}

function begin({ call, calls, input, signal }: LargePut): Promise<Upload> {
  return calls.make({ call, bodyBytes: 0, signal }, async ({ client, signal: abortSignal }) => {
    const command = new CreateMultipartUploadCommand(input);
    const { UploadId } = await client.send(command, { abortSignal });
    if (UploadId === undefined) throw sinkError(call, { status: 200, word: "no upload id" });
    return { Bucket: input.Bucket, Key: input.Key, UploadId };
  });
}

/** As many at a time as are worth it; the first failure ends the others. */
async function sendAll(put: LargePut, upload: Upload): Promise<Part[]> {
  const { body, partBytes } = put;
  const failing = new AbortController();
  const either = new CallSignal([put.signal, failing.signal]);
  const parts: Part[] = [];
  const count = Math.ceil(body.length / partBytes);
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next++;
      const bytes = body.subarray(index * partBytes, (index + 1) * partBytes);
      parts[index] = await sendPart(put, { upload, index, bytes, signal: either.signal });
    }
  };
  try {
    const workers = Array.from({ length: PARTS_AT_A_TIME }, () =>
      worker().catch((error: unknown) => {
        failing.abort(error);
        throw error;
      }),
    );
    const settled = await Promise.allSettled(workers);
    if (settled.some(({ status }) => status === "rejected")) throw either.signal.reason;
    return parts;
  } finally {
    either.dispose();
  }
}

async function sendPart(
  { call, calls, clock }: LargePut,
  {
    upload,
    index,
    bytes,
    signal,
  }: { upload: Upload; index: number; bytes: Uint8Array; signal: AbortSignal },
): Promise<Part> {
  const sha256 = await sha256Of(bytes, clock);
  const PartNumber = index + 1;
  const input = { ...upload, PartNumber, Body: bytes, ContentLength: bytes.length };
  const request = { call, bodyBytes: bytes.length, signal };
  return calls.make(request, async ({ client, signal: abortSignal }) => {
    const command = signedBody(new UploadPartCommand(input), sha256);
    const { ETag } = await client.send(command, { abortSignal });
    return { PartNumber, ETag };
  });
}

async function finish(
  { call, calls, signal }: LargePut,
  { upload, parts }: { upload: Upload; parts: readonly Part[] },
): Promise<void> {
  await calls.make({ call, bodyBytes: 0, signal }, async ({ client, signal: abortSignal }) => {
    const MultipartUpload = { Parts: [...parts] };
    const command = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload });
    await client.send(command, { abortSignal });
  });
}

/** Also when the caller's signal is why: it does not end this request. */
async function giveUp({ call, calls }: LargePut, upload: Upload): Promise<void> {
  const request = { call, bodyBytes: 0, signal: undefined };
  const abort = calls.make(request, async ({ client, signal: abortSignal }) => {
    await client.send(new AbortMultipartUploadCommand(upload), { abortSignal });
  });
  await abort.catch(() => undefined); // See (2).
}
