/**
 * AN OBJECT STORE IN A BUCKET of S3 or of a service that speaks like it.
 *
 * (1) What is put is one request with the body's SHA-256 in its signature, and a put id and that
 *     hash as metadata; what is got is compared with them. Only `put` of a large body goes in parts
 *     (multipart.ts): a condition on the end of such an upload is not honoured everywhere.
 * (2) `putIfAbsent` is `If-None-Match: *`. Refused, it asks who was first: if that is this very put,
 *     whose answer was lost, it has succeeded.
 * (3) A request is sent once. Who repeats, and how often, is decided above (retry/).
 * (4) Keys are the store's own behind the prefix; nothing else is ever listed or touched.
 */
import type { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
} from "@aws-sdk/client-s3";
import type { Clock } from "../../base/env.ts";
import { sha256Of } from "../digest.ts";
import { formatLocation, type S3Location } from "../location.ts";
import { decodeMetadata, encodeMetadata } from "../metadata.ts";
import { assertKey, assertPut, assertRange, isKey, listed, slice } from "../object-key.ts";
import type {
  ByteRange,
  CallOptions,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutOutcome,
  ServiceReport,
  StoredObject,
} from "../object-store.ts";
import { corruptObject, type SinkCall, type SinkOperation, sinkError } from "../sink-error.ts";
import { statusOf } from "./answer.ts";
import { bodyOf, parseContentRange } from "./body.ts";
import { type Line, S3Calls } from "./calls.ts";
import { s3Client, signedBody } from "./client.ts";
import { inspectService } from "./inspect.ts";
import { putInParts } from "./multipart.ts";

const CONTENT_TYPE = "application/octet-stream";

/** What the two kinds of put begin with. */
interface Prepared {
  readonly call: SinkCall;
  readonly body: Uint8Array;
  readonly sha256: string;
  readonly input: Omit<PutObjectCommandInput, "Body">;
}

export class S3Store implements ObjectStore {
  readonly location: string;
  readonly #place: S3Location;
  readonly #clock: Clock;
  readonly #calls: S3Calls;

  private constructor(place: S3Location, { clock, calls }: { clock: Clock; calls: S3Calls }) {
    this.location = formatLocation(place);
    this.#place = place;
    this.#clock = clock;
    this.#calls = calls;
  }

  /** Speaks to nobody yet. */
  static async open(place: S3Location, { clock }: { readonly clock: Clock }): Promise<S3Store> {
    const client = await s3Client(place);
    const calls = new S3Calls(client, { clock, parameters: place.parameters });
    return new S3Store(place, { clock, calls });
  }

  async put(key: string, body: Uint8Array, options: PutOptions): Promise<void> {
    const prepared = await this.#prepare("put", { key, body, ...options });
    if (body.length <= this.#place.parameters.partBytes) {
      await this.#putWhole(prepared, options);
      return;
    }
    const { partBytes } = this.#place.parameters;
    const { clock, calls } = { clock: this.#clock, calls: this.#calls };
    await putInParts({ ...prepared, clock, calls, partBytes, signal: options.signal }, () =>
      this.head(key, options),
    );
  }

  async putIfAbsent(key: string, body: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    const prepared = await this.#prepare("putIfAbsent", { key, body, ...options });
    const input = { ...prepared.input, IfNoneMatch: "*" };
    const created = await this.#putWhole({ ...prepared, input }, options);
    if (created) return { type: "created" };
    const info = await this.head(key, options);
    if (info === undefined) {
      throw sinkError(prepared.call, { status: 409, word: "it was there, and is not any more" });
    }
    return info.putId === options.putId ? { type: "created" } : { type: "exists", info };
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<StoredObject | undefined> {
    assertKey(key);
    if (range !== undefined) assertRange(range);
    const call = this.#call("get", key);
    const got = await this.#calls.make({ call, bodyBytes: 0, signal }, async (line) => {
      try {
        return await this.#receive(line, { key, range });
      } catch (error) {
        if (isAbsent(error)) return undefined;
        if (statusOf(error) === 416) return "behind the end" as const;
        throw error;
      }
    });
    if (got === "behind the end") {
      const info = await this.head(key, { signal });
      return info && { info, bytes: new Uint8Array(0) };
    }
    if (got === undefined || range !== undefined || got.info.sha256 === undefined) return got;
    if ((await sha256Of(got.bytes, this.#clock)) !== got.info.sha256) {
      throw corruptObject(call, "its SHA-256 does not match");
    }
    return got;
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<ObjectInfo | undefined> {
    assertKey(key);
    const request = { call: this.#call("head", key), bodyBytes: 0, signal };
    return this.#calls.make(request, async ({ client, signal: abortSignal }) => {
      try {
        const command = new HeadObjectCommand(this.#object(key));
        const { ContentLength = 0, Metadata } = await client.send(command, { abortSignal });
        return { key, sizeBytes: ContentLength, ...decodeMetadata(Metadata) };
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    });
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const { after, limit } = listed(prefix, options);
    const own = this.#place.prefix;
    const command = new ListObjectsV2Command({
      Bucket: this.#place.bucket,
      Prefix: own + prefix,
      MaxKeys: limit,
      ...(after === "" ? {} : { StartAfter: own + after }),
    });
    const request = { call: this.#call("list", prefix), bodyBytes: 0, signal: options.signal };
    return this.#calls.make(request, async ({ client, signal: abortSignal }) => {
      const page = await client.send(command, { abortSignal });
      const found = (page.Contents ?? []).map(({ Key = "", Size = 0, LastModified }) => ({
        key: Key.slice(own.length),
        sizeBytes: Size,
        modifiedAtMs: LastModified?.getTime(),
      }));
      const next = page.IsTruncated === true ? found.at(-1)?.key : undefined;
      return { objects: found.filter(({ key }) => isKey(key)), next };
    });
  }

  async delete(key: string, { signal }: CallOptions = {}): Promise<void> {
    assertKey(key);
    const request = { call: this.#call("delete", key), bodyBytes: 0, signal };
    await this.#calls.make(request, async ({ client, signal: abortSignal }) => {
      try {
        await client.send(new DeleteObjectCommand(this.#object(key)), { abortSignal });
      } catch (error) {
        if (!isAbsent(error)) throw error;
      }
    });
  }

  async inspect(key: string, options: PutOptions): Promise<ServiceReport> {
    assertPut(key, options);
    const request = { call: this.#call("put", key), bodyBytes: 0, signal: options.signal };
    return this.#calls.make(request, (line) => inspectService(line, this.#object(key)));
  }

  async close(): Promise<void> {
    this.#calls.close();
  }

  async #prepare(
    operation: "put" | "putIfAbsent",
    { key, body, ...options }: PutOptions & { readonly key: string; readonly body: Uint8Array },
  ): Promise<Prepared> {
    assertPut(key, options);
    options.signal?.throwIfAborted();
    const sha256 = await sha256Of(body, this.#clock);
    const call = this.#call(operation, key);
    if (options.sha256 !== undefined && options.sha256 !== sha256) {
      throw corruptObject(call, "the body is not what it was said to be");
    }
    const { storageClass, sse, kmsKeyId } = this.#place.parameters;
    const input = {
      ...this.#object(key),
      ContentType: CONTENT_TYPE,
      Metadata: encodeMetadata({ putId: options.putId, sha256 }),
      ...(storageClass === undefined
        ? {}
        : { StorageClass: storageClass as NonNullable<PutObjectCommandInput["StorageClass"]> }),
      ...(sse === undefined ? {} : { ServerSideEncryption: sse }),
      ...(kmsKeyId === undefined ? {} : { SSEKMSKeyId: kmsKeyId }),
    };
    return { call, body, sha256, input };
  }

  /** False if its condition does not hold. */
  #putWhole({ call, body, sha256, input }: Prepared, { signal }: CallOptions): Promise<boolean> {
    const request = { call, bodyBytes: body.length, signal };
    return this.#calls.make(request, async ({ client, signal: abortSignal }) => {
      // ContentLength is named, since an empty body has none of its own.
      const command = new PutObjectCommand({ ...input, Body: body, ContentLength: body.length });
      try {
        await client.send(signedBody(command, sha256), { abortSignal });
        return true;
      } catch (error) {
        if (statusOf(error) === 412) return false;
        throw error;
      }
    });
  }

  async #receive(
    { client, signal: abortSignal, expect }: Line,
    { key, range }: { key: string; range: ByteRange | undefined },
  ): Promise<StoredObject> {
    const wanted = range === undefined ? {} : { Range: formatRange(range) };
    const command = new GetObjectCommand({ ...this.#object(key), ...wanted });
    const { Body, ContentLength, ContentRange, Metadata } = await client.send(command, {
      abortSignal,
    });
    if (Body === undefined || ContentLength === undefined)
      throw new Error("an answer without body");
    expect(ContentLength);
    const bytes = await bodyOf(Body as Readable, ContentLength);
    const part = parseContentRange(ContentRange);
    const sizeBytes = part?.sizeBytes ?? bytes.length;
    const info = { key, sizeBytes, ...decodeMetadata(Metadata) };
    if (range === undefined) return { info, bytes };
    const { from, to } = slice(range, sizeBytes);
    if (part === undefined) return { info, bytes: bytes.slice(from, to) }; // It sent all of it.
    if (part.from !== from || part.to !== to || bytes.length !== to - from) {
      const why = `asked for ${formatRange(range)}, got ${bytes.length} bytes of ${ContentRange}`;
      throw corruptObject(this.#call("get", key), why);
    }
    return { info, bytes };
  }

  #object(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#place.bucket, Key: this.#place.prefix + key };
  }

  #call(operation: SinkOperation, key: string): SinkCall {
    return { store: this.location, operation, key };
  }
}

/** The bucket itself missing is something else, and says so where there is a body to say it in. */
function isAbsent(error: unknown): boolean {
  const name = (error as { name?: unknown } | undefined)?.name;
  return statusOf(error) === 404 && name !== "NoSuchBucket" && name !== "NoSuchUpload";
}

function formatRange(range: ByteRange): string {
  if ("lastBytes" in range) return `bytes=-${range.lastBytes}`;
  return `bytes=${range.offset}-${range.offset + range.bytes - 1}`;
}
