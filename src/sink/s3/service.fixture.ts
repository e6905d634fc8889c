/**
 * A SERVICE THAT SPEAKS S3 over HTTP, in memory: for what a real one cannot be made to do wrong. It
 * holds what S3Store relies on and no more; signatures are not checked, the real service of the S3
 * stage does that.
 *
 *     PUT (If-None-Match: *, If-Match) · GET (Range) · HEAD · DELETE · list (v2) · uploads in parts
 *
 * (1) A body that does not hash to its `x-amz-content-sha256` is refused with 400.
 * (2) `next` decides what goes wrong with the next request that matches, once.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/**
 * `before`: answers with the status and does nothing. `after`: does it, then answers so. `early`:
 * answers before it has read the body. `lost`: does it, and cuts the connection. `cut`: cuts the
 * connection in the middle of the answer's body. `short`: announces half of the body as all of it.
 * `wrong`: flips a bit of the answer's body. `hang`: never answers. `whole`: ignores the range.
 */
export type Trouble =
  | { readonly kind: "before" | "after" | "early"; readonly status: number; readonly word: string }
  | { readonly kind: "lost" | "cut" | "short" | "wrong" | "hang" | "whole" };

interface Stored {
  readonly body: Buffer;
  readonly metadata: Record<string, string>;
}

interface Asked {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer;
}

type Matcher = (request: { method: string; key: string; query: URLSearchParams }) => boolean;

export class S3Service {
  readonly objects = new Map<string, Stored>();
  readonly uploads = new Map<
    string,
    { key: string; metadata: Stored["metadata"]; parts: Map<number, Buffer> }
  >();
  readonly requests: string[] = [];
  readonly headers: IncomingMessage["headers"][] = [];
  connections = 0;
  readonly #server: Server;
  readonly #troubles: { readonly matches: Matcher; readonly trouble: Trouble }[] = [];
  #uploadCount = 0;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on("checkContinue", (request, response) => void this.#serve(request, response));
    this.#server.on("connection", () => {
      this.connections += 1;
    });
  }

  static async start(): Promise<S3Service> {
    const service = new S3Service();
    await new Promise<void>((resolve) => service.#server.listen(0, "127.0.0.1", resolve));
    return service;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  next(matches: Matcher, trouble: Trouble): void {
    this.#troubles.push({ matches, trouble });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://host");
    const key = decodeURIComponent(url.pathname).replace(/^\/[^/]+\/?/, "");
    const { method = "GET", headers } = request;
    const asked = { method, key, query: url.searchParams };
    this.requests.push(`${method} ${key}`);
    this.headers.push(headers);
    const at = this.#troubles.findIndex(({ matches }) => matches(asked));
    const trouble = at < 0 ? undefined : this.#troubles.splice(at, 1)[0]?.trouble;
    if (trouble?.kind === "hang") return;
    if (trouble?.kind === "early") {
      refuse(response.setHeader("connection", "close"), trouble.status, trouble.word);
      return;
    }
    if (headers.expect === "100-continue") response.writeContinue();
    const body = await read(request);
    if (body === undefined) return;
    if (trouble?.kind === "before") {
      refuse(response, trouble.status, trouble.word);
      return;
    }
    const whole = trouble?.kind === "whole" ? { ...headers, range: undefined } : headers;
    send(response, { answer: this.#answer({ ...asked, headers: whole, body }), trouble });
  }

  #answer(asked: Asked): Answer {
    const announced = asked.headers["x-amz-content-sha256"];
    const hash = createHash("sha256").update(asked.body).digest("hex");
    if (announced !== hash) return fault(400, "XAmzContentSHA256Mismatch");
    const { method, key, query } = asked;
    if (key === "") return this.#list(query);
    if (query.has("uploads") || query.has("uploadId")) return this.#upload(asked);
    if (method === "PUT") return this.#put(asked);
    if (method === "DELETE") {
      this.objects.delete(key);
      return { status: 204 };
    }
    return this.#get(asked);
  }

  #put({ key, headers, body }: Asked): Answer {
    const there = this.objects.get(key);
    if (headers["if-none-match"] === "*" && there) return fault(412, "PreconditionFailed");
    const wanted = headers["if-match"];
    if (wanted !== undefined && (there === undefined || etagOf(there.body) !== wanted)) {
      return fault(412, "PreconditionFailed");
    }
    this.objects.set(key, { body, metadata: metadataOf(headers) });
    return { status: 200, headers: { etag: etagOf(body) } };
  }

  #get({ key, headers }: Asked): Answer {
    const found = this.objects.get(key);
    if (found === undefined) return fault(404, "NoSuchKey");
    const { body, metadata } = found;
    const said = { etag: etagOf(body), ...metadata };
    const range = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? "");
    if (range === null) return { status: 200, headers: said, body };
    const [, first = "", last = ""] = range;
    const from = first === "" ? Math.max(0, body.length - Number(last)) : Number(first);
    const to = first === "" || last === "" ? body.length : Math.min(body.length, Number(last) + 1);
    if (from >= body.length) return fault(416, "InvalidRange");
    const contentRange = `bytes ${from}-${to - 1}/${body.length}`;
    return {
      status: 206,
      headers: { ...said, "content-range": contentRange },
      body: body.subarray(from, to),
    };
  }

  #list(query: URLSearchParams): Answer {
    const after = query.get("start-after") ?? "";
    const max = Number(query.get("max-keys") ?? 1000);
    const keys = [...this.objects.keys()]
      .filter((key) => key.startsWith(query.get("prefix") ?? "") && key > after)
      .sort();
    const contents = keys.slice(0, max).map((key) => {
      const size = this.objects.get(key)?.body.length ?? 0;
      const when = "2026-01-01T00:00:00.000Z";
      return `<Contents><Key>${key}</Key><Size>${size}</Size><LastModified>${when}</LastModified></Contents>`;
    });
    const more = `<IsTruncated>${keys.length > max}</IsTruncated>`;
    return xml(200, `<ListBucketResult>${more}${contents.join("")}</ListBucketResult>`);
  }

  #upload({ method, key, query, headers, body }: Asked): Answer {
    if (query.has("uploads")) {
      const id = `upload-${++this.#uploadCount}`;
      this.uploads.set(id, { key, metadata: metadataOf(headers), parts: new Map() });
      return xml(
        200,
        `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      );
    }
    const id = query.get("uploadId") ?? "";
    const upload = this.uploads.get(id);
    if (upload === undefined) return fault(404, "NoSuchUpload");
    if (method === "PUT") {
      upload.parts.set(Number(query.get("partNumber")), body);
      return { status: 200, headers: { etag: etagOf(body) } };
    }
    this.uploads.delete(id);
    if (method === "DELETE") return { status: 204 };
    const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, part]) => part);
    this.objects.set(key, { body: Buffer.concat(parts), metadata: upload.metadata });
    return xml(
      200,
      "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>",
    );
  }
}

function metadataOf(headers: IncomingMessage["headers"]): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => name.startsWith("x-amz-meta-"));
  return Object.fromEntries(kept) as Record<string, string>;
}

function etagOf(body: Buffer): string {
  return `"${createHash("md5").update(body).digest("hex")}"`;
}

function fault(status: number, word: string): Answer {
  return xml(status, `<Error><Code>${word}</Code><Message>${word}</Message></Error>`);
}

function xml(status: number, text: string): Answer {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`);
  const busy = status === 429 || status === 503 ? { "retry-after": "3" } : {};
  return { status, headers: { "content-type": "application/xml", ...busy }, body };
}

function refuse(response: ServerResponse, status: number, word: string): void {
  send(response, { answer: fault(status, word), trouble: undefined });
}

function send(
  response: ServerResponse,
  { answer, trouble }: { answer: Answer; trouble: Trouble | undefined },
): void {
  if (trouble?.kind === "lost") {
    response.socket?.destroy();
    return;
  }
  if (trouble?.kind === "after") {
    refuse(response, trouble.status, trouble.word);
    return;
  }
  let body = answer.body ?? Buffer.alloc(0);
  if (trouble?.kind === "short") body = body.subarray(0, body.length / 2);
  if (trouble?.kind === "wrong") {
    body = Buffer.from(body);
    body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
  }
  response.writeHead(answer.status, { ...answer.headers, "content-length": body.length });
  if (response.req.method === "HEAD") response.end();
  else if (trouble?.kind === "cut") {
    response.write(body.subarray(0, body.length / 2), () => response.socket?.destroy());
  } else response.end(body);
}

/** Undefined if the connection ended before the body did. */
async function read(request: IncomingMessage): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    return Buffer.concat(pieces);
  } catch {
    return undefined;
  }
}
