/**
 * A PROXY THAT DOES WHAT NETWORKS DO, between a store and a real service: requests are forwarded as
 * they are, unless the test says what befalls one.
 *
 *     store ──► proxy ──► service
 *                 └ refuse · answer · answer after it was done · cut · damage · wait
 *
 * (1) The Host header is left as it is, so that signatures stay valid.
 * (2) Whatever was forwarded runs to its end at the service, also if the store was told otherwise.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export type ProxyFault =
  /** The connection breaks before anything is forwarded. */
  | { readonly type: "refuse" }
  /** An answer in place of the service's; nothing is forwarded. */
  | { readonly type: "answer"; readonly status: number; readonly code?: string }
  /** The service does it, and the store is told this. */
  | { readonly type: "answer-after"; readonly status: number }
  /** The answer breaks off in the middle of its body. */
  | { readonly type: "cut" }
  /** One byte of the answer's body is another one. */
  | { readonly type: "damage" }
  | { readonly type: "wait"; readonly ms: number };

export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
}

export interface FaultProxy {
  readonly endpoint: string;
  /** Asked for every request; undefined lets it pass. May be replaced at any time. */
  decide: (request: ProxiedRequest) => ProxyFault | undefined;
  /** How many of each kind happened. */
  readonly counts: Map<ProxyFault["type"] | "passed", number>;
  close(): Promise<void>;
}

interface Exchange {
  readonly service: URL;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly body: Buffer;
}

export async function startFaultProxy(serviceEndpoint: string): Promise<FaultProxy> {
  const service = new URL(serviceEndpoint);
  const counts: FaultProxy["counts"] = new Map();
  const proxy = { endpoint: "", decide: () => undefined, counts, close } as FaultProxy;
  const server = createServer((incoming, outgoing) => void serve(incoming, outgoing));
  server.on("checkContinue", (incoming: IncomingMessage, outgoing: ServerResponse) => {
    outgoing.writeContinue();
    void serve(incoming, outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(proxy, { endpoint: `http://127.0.0.1:${port}` });

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    incoming.on("error", () => undefined);
    outgoing.on("error", () => undefined);
    const fault = proxy.decide({ method: incoming.method ?? "", path: incoming.url ?? "" });
    const kind = fault?.type ?? "passed";
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (fault?.type === "refuse") {
      incoming.socket.destroy();
      return;
    }
    const body = await bodyOf(incoming).catch(() => undefined);
    if (body === undefined) return;
    await answer({ service, incoming, outgoing, body }, fault).catch(() => outgoing.destroy());
  }

  async function close(): Promise<void> {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

async function answer(exchange: Exchange, fault: ProxyFault | undefined): Promise<void> {
  const { outgoing } = exchange;
  if (fault?.type === "answer") {
    outgoing.writeHead(fault.status, { "content-type": "application/xml" });
    outgoing.end(`<Error><Code>${fault.code ?? "InternalError"}</Code></Error>`);
    return;
  }
  if (fault?.type === "wait") await sleep(fault.ms);
  const { status, headers, body } = await forward(exchange);
  if (fault?.type === "answer-after") {
    outgoing.writeHead(fault.status);
    outgoing.end();
    return;
  }
  outgoing.writeHead(status, headers);
  if (fault?.type === "cut" && body.length > 1) {
    outgoing.write(body.subarray(0, body.length >> 1), () => outgoing.destroy());
    return;
  }
  if (fault?.type === "damage" && body.length > 0) {
    const at = body.length >> 1;
    body[at] = (body[at] ?? 0) ^ 0x10;
  }
  outgoing.end(body);
}

interface Answer {
  readonly status: number;
  readonly headers: string[];
  readonly body: Buffer;
}

function forward({ service, incoming, body }: Exchange): Promise<Answer> {
  const { method, url: path } = incoming;
  const headers = { ...incoming.headers };
  delete headers.expect;
  return new Promise((resolve, reject) => {
    const place = { host: service.hostname, port: service.port, path, method };
    const upstream = request({ ...place, headers, setHost: false }, (response) => {
      const { statusCode: status = 500, rawHeaders } = response;
      bodyOf(response).then(
        (read) => resolve({ status, headers: withoutFraming(rawHeaders), body: read }),
        reject,
      );
    });
    upstream.on("error", reject);
    upstream.end(body);
  });
}

/** The body is sent as one piece of known length, or (to HEAD) not at all. */
function withoutFraming(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2);
    const isFraming = /^(transfer-encoding|connection|keep-alive)$/i.test(name);
    if (!isFraming) kept.push(name, value);
  }
  return kept;
}

async function bodyOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
