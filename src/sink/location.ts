/**
 * WHERE A SINK IS, as one URL.
 *
 *     file:///backup/store-1
 *     s3://bucket/prefix?region=eu-central-1
 *     s3://bucket?endpoint=http://127.0.0.1:8333&storageClass=STANDARD_IA&sse=AES256
 *
 * (1) It holds no secret: it is logged and shown. Credentials come from the usual chain of the AWS
 *     SDK (environment, files, roles), and a URL with a user or a password in it is refused.
 * (2) A parameter that is not known is refused by name.
 */
import { KIB, MIB } from "../base/units.ts";

export interface FolderLocation {
  readonly kind: "folder";
  /** Absolute. */
  readonly directory: string;
}

export interface S3Location {
  readonly kind: "s3";
  readonly bucket: string;
  /** Ends in a slash, or is empty. */
  readonly prefix: string;
  readonly parameters: ResolvedS3Parameters;
}

export type SinkLocation = FolderLocation | S3Location;

/** What stands behind the question mark of `s3://bucket/prefix?…`. */
export interface S3Parameters {
  /** The region to sign for. Default: what the SDK finds (AWS_REGION, files), else `us-east-1`. */
  readonly region?: string;
  /** Where the service is, if it is not AWS: `https://host` or `http://host:port`. */
  readonly endpoint?: string;
  /**
   * Bucket in the path instead of in the host: `path`, or `host`. Default `path` with an endpoint,
   * `host` without.
   */
  readonly style?: "path" | "host";
  /** Storage class of what is put, by the service's name for it. Default: the bucket's own. */
  readonly storageClass?: string;
  /** Encryption by the service: `AES256` or `aws:kms`. Default: the bucket's own. */
  readonly sse?: "AES256" | "aws:kms";
  /** The key to encrypt with, for `sse=aws:kms`. */
  readonly kmsKeyId?: string;
  /** A file of certificates (PEM) to trust besides the system's, for services of one's own. */
  readonly ca?: string;
  /** Connections at a time; more requests wait for one. From 1 to 1000. Default 32. */
  readonly connections?: number;
  /**
   * How long a request may take, besides the time for its body. Later its outcome is unclear.
   * Milliseconds, from 100 to 600,000. Default 30,000.
   */
  readonly timeoutMs?: number;
  /**
   * The slowest line that is borne: a body has a second more for every so many bytes. Bytes a
   * second, from 1 KiB to 1 GiB. Default 256 KiB.
   */
  readonly minBytesPerSecond?: number;
  /**
   * Larger bodies of `put` are sent in parts of this size, four at a time. Bytes, from 5 MiB to
   * 1 GiB. Default 16 MiB.
   */
  readonly partBytes?: number;
}

export type ResolvedS3Parameters = S3Parameters &
  Required<
    Pick<S3Parameters, "style" | "connections" | "timeoutMs" | "minBytesPerSecond" | "partBytes">
  >;

const NUMBERS: Readonly<Record<string, readonly [min: number, max: number, normal: number]>> = {
  connections: [1, 1000, 32],
  timeoutMs: [100, 600_000, 30_000],
  minBytesPerSecond: [KIB, 1024 * MIB, 256 * KIB],
  partBytes: [5 * MIB, 1024 * MIB, 16 * MIB],
};
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  style: ["path", "host"],
  sse: ["AES256", "aws:kms"],
};
const TEXTS: ReadonlySet<string> = new Set(["region", "storageClass", "kmsKeyId", "ca"]);
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
/** What needs no escaping in any service: letters, digits and a few signs. */
const PREFIX = /^(?:[A-Za-z0-9._=-]+\/)*$/;

/** Throws a TypeError or a RangeError that names what is wrong. */
export function parseLocation(text: string): SinkLocation {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "file:") return folderOf(url);
  if (url?.protocol === "s3:") return bucketOf(url);
  throw new TypeError(`${JSON.stringify(text)} is no sink: want file:///folder or s3://bucket`);
}

/** As `parseLocation` reads it. */
export function formatLocation(location: SinkLocation): string {
  if (location.kind === "folder") return `file://${location.directory}`;
  const { bucket, prefix, parameters } = location;
  return `s3://${bucket}/${prefix}${parameters.endpoint ? ` at ${parameters.endpoint}` : ""}`;
}

function folderOf(url: URL): FolderLocation {
  if (url.host !== "") throw new TypeError(`${url}: a folder is of this machine: file:///folder`);
  if (url.search !== "" || url.hash !== "")
    throw new TypeError(`${url}: a folder has no parameters`);
  const directory = decoded(url).replace(/\/+$/, "");
  const leads = directory.split("/").some((name) => name === ".." || name.includes("\0"));
  if (directory === "" || leads) throw new TypeError(`${url}: that is no folder for a sink`);
  return { kind: "folder", directory };
}

function decoded({ pathname }: URL): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    throw new TypeError(`${JSON.stringify(pathname)} is not the path of a sink`);
  }
}

function bucketOf(url: URL): S3Location {
  if (url.username !== "" || url.password !== "") {
    const where = "the AWS SDK finds credentials in AWS_ACCESS_KEY_ID, in its files, by roles";
    throw new TypeError(`a sink's URL is shown and logged, so it takes no credentials: ${where}`);
  }
  const bucket = url.hostname;
  if (!BUCKET.test(bucket) || url.port !== "") {
    throw new TypeError(`${JSON.stringify(url.host)} is not the name of a bucket`);
  }
  const path = decoded(url).replace(/^\/+|\/+$/g, "");
  const prefix = path === "" ? "" : `${path}/`;
  if (!PREFIX.test(prefix) || /(?:^|\/)\.{1,2}\//.test(prefix)) {
    throw new TypeError(
      `prefix ${JSON.stringify(path)}: want letters, digits and - _ . = between /`,
    );
  }
  return { kind: "s3", bucket, prefix, parameters: parametersOf(url.searchParams) };
}

function parametersOf(given: URLSearchParams): ResolvedS3Parameters {
  const found: Record<string, string | number> = {};
  for (const [name, value] of given) {
    if (name in found) throw new TypeError(`s3: ${name} is given twice`);
    found[name] = parameterOf(name, value);
  }
  if (found.kmsKeyId !== undefined && found.sse !== "aws:kms") {
    throw new TypeError("s3: kmsKeyId goes with sse=aws:kms");
  }
  const defaults = Object.entries(NUMBERS).map(([name, [, , normal]]) => [name, normal]);
  const style = found.endpoint === undefined ? "host" : "path";
  return Object.freeze({
    style,
    ...Object.fromEntries(defaults),
    ...found,
  }) as ResolvedS3Parameters;
}

function parameterOf(name: string, value: string): string | number {
  const range = NUMBERS[name];
  if (range !== undefined) return numberOf(name, { value, range });
  if (name === "endpoint") return endpointOf(value);
  const choices = CHOICES[name];
  if (choices === undefined && !TEXTS.has(name)) {
    throw new TypeError(`s3: unknown parameter "${name}"`);
  }
  if (value === "" || (choices !== undefined && !choices.includes(value))) {
    const want = choices === undefined ? "something" : choices.join(" or ");
    throw new TypeError(`s3: ${name} is ${JSON.stringify(value)}; want ${want}`);
  }
  return value;
}

function numberOf(
  name: string,
  { value, range }: { value: string; range: readonly [number, number, number] },
): number {
  const [min, max] = range;
  const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new RangeError(`s3: ${name} is ${JSON.stringify(value)}; want ${min} to ${max}`);
}

function endpointOf(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isBare =
    url !== undefined &&
    ["http:", "https:"].includes(url.protocol) &&
    url.username + url.password + url.search + url.hash === "";
  if (!isBare) throw new TypeError(`s3: endpoint is ${JSON.stringify(value)}; want https://host`);
  return url.href.replace(/\/$/, "");
}
