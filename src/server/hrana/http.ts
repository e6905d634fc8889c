/**
 * HRANA OVER HTTP: routes, bodies and statuses.
 *
 * (1) Bodies must be called `application/json`. A page of another origin can only send that after
 *     asking by OPTIONS, and is not answered with a permission: so no page that a user happens to
 *     visit can talk to the databases on the same machine. A page can make its own name mean this
 *     machine, and is of the same origin then. But browsers say with every POST of a page where it
 *     is from, and programs do not: while nobody has to say who he is, a POST with `Origin` is 403.
 * (2) Bodies are read as bytes and decoded by us, so that every mistake is a typed answer.
 * (3) Errors carry the content type exactly `application/json`: some clients compare the text.
 * (4) Version 3 in protobuf is not served yet. Its probe must fail, for then clients ask for less.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isStorageError } from "../../base/errors.ts";
import { databaseOf, type NamedDatabase } from "../database-name.ts";
import type { ServerLimits } from "../limits.ts";
import { HranaError, httpStatus, isOurFault, wireError } from "./error.ts";
import { decodePipeline } from "./json-decode.ts";
import { encodeHttpError, encodePipeline } from "./json-encode.ts";
import { runPipeline } from "./pipeline.ts";
import type { StreamTable } from "./stream-table.ts";

export interface HranaRouteOptions {
  readonly streams: StreamTable;
  readonly limits: ServerLimits;
}

/** Prefixes under which all of Hrana is found. */
const PREFIXES = ["", "/ns/:database", "/dev/:database"] as const;

const JSON_TYPE = "application/json";

export function addHranaRoutes(app: FastifyInstance, options: HranaRouteOptions): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(JSON_TYPE, { parseAs: "buffer" }, (_request, body, done) => {
    done(null, body);
  });
  app.addHook("onRequest", async (request) => assertNoPage(request));
  app.setErrorHandler((error, _request, reply) => sendError(reply, error));
  app.setNotFoundHandler((request, reply) => {
    sendError(reply, new HranaError("NOT_FOUND", notFoundText(request), 404));
  });
  for (const prefix of PREFIXES) {
    for (const version of [2, 3] as const) {
      app.get(`${prefix}/v${version}`, (_request, reply) => reply.code(200).send());
      app.post(`${prefix}/v${version}/pipeline`, (request, reply) =>
        pipeline({ request, reply, version }, options),
      );
    }
  }
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly version: 2 | 3;
}

async function pipeline(
  { request, reply, version }: Exchange,
  { streams, limits }: HranaRouteOptions,
): Promise<FastifyReply> {
  const body = request.body instanceof Uint8Array ? request.body : new Uint8Array(0);
  const decoded = decodePipeline(body, { version, limits });
  const { name, source } = requestedDatabase(request);
  const response = await runPipeline(decoded, {
    streams,
    database: name,
    responseBytes: limits.responseBytes,
    onError: (error) => {
      if (isOurFault(error)) request.log.error(error);
    },
    onHangUp: (callback) => {
      reply.raw.once("close", () => {
        if (!reply.raw.writableFinished) callback();
      });
    },
  }).catch((error) => {
    if (!isStorageError(error, "BOP_NOT_FOUND")) throw error;
    throw new HranaError(error.code, `${error.message} (the name comes from ${source})`, 404);
  });
  return sendJson(reply, encodePipeline(response));
}

/** See (1). */
function assertNoPage({ method, headers }: FastifyRequest): void {
  if (method !== "POST" || headers.origin === undefined) return;
  const text =
    "this server has no authentication, so it takes no requests of web pages (with an Origin " +
    "header): talk to it from a program, or through a proxy that authenticates and removes the header";
  throw new HranaError("ORIGIN_FORBIDDEN", text, 403);
}

function requestedDatabase(request: FastifyRequest): NamedDatabase {
  const { "x-namespace": header, host } = request.headers;
  const path = (request.params as { readonly database?: string }).database;
  return databaseOf({ header: Array.isArray(header) ? header[0] : header, path, host });
}

/** A buffer, since Fastify adds a charset to the type of JSON texts. */
function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.header("content-type", JSON_TYPE).send(Buffer.from(text));
}

function sendError(reply: FastifyReply, error: unknown): void {
  const { statusCode, code, message } = error as Partial<Record<string, unknown>>;
  // What Fastify itself refuses (413, 415…) carries a status and a code of its own.
  if (typeof statusCode === "number" && statusCode < 500) {
    const text = encodeHttpError({ message: String(message), code: String(code) });
    sendJson(reply.code(statusCode), text);
    return;
  }
  if (isOurFault(error)) reply.log.error(error);
  sendJson(reply.code(httpStatus(error)), encodeHttpError(wireError(error)));
}

/** Clients resolve `v2/pipeline` against the URL that they were given. */
function notFoundText({ url }: FastifyRequest): string {
  return /^\/(ns|dev)\/v[23](-protobuf)?(\/|$)/.test(url)
    ? "a URL that names a database must end in a slash: http://host/ns/my-database/"
    : "there is nothing under this path";
}
