/**
 * WHICH DATABASE a request means. In this order: header `x-namespace`, path prefix `/ns/<name>/` or
 * `/dev/<name>/`, first label of the host, else "default".
 *
 * (1) The address of the server itself names nothing: neither does an IP address, nor a host of one
 *     label (`localhost`).
 * (2) A host's label reaches only names in lower case, since hosts do not tell cases apart, of at
 *     most 63 characters. Other names need the header or the path.
 * (3) Nothing here says that the name is a good one; the manager does.
 */
import { isIP } from "node:net";
import { HranaError } from "./hrana/error.ts";

export const DEFAULT_DATABASE = "default";

export interface NamingParts {
  readonly header: string | undefined;
  /** Decoded. */
  readonly path: string | undefined;
  /** As the client sent it, with the port. */
  readonly host: string | undefined;
}

export interface NamedDatabase {
  readonly name: string;
  /** Where the name came from, for the text of errors. */
  readonly source: "the x-namespace header" | "the path" | "the Host header" | "no name at all";
}

export function databaseOf({ header, path, host }: NamingParts): NamedDatabase {
  if (header !== undefined) return { name: fromHeader(header), source: "the x-namespace header" };
  if (path !== undefined) return { name: path, source: "the path" };
  const label = host === undefined ? undefined : hostLabel(host);
  if (label !== undefined) return { name: label, source: "the Host header" };
  return { name: DEFAULT_DATABASE, source: "no name at all" };
}

/** Node reads headers byte by byte; names are UTF-8. */
function fromHeader(header: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(header, "latin1"));
  } catch {
    throw new HranaError("NAMESPACE_INVALID", "the x-namespace header is not UTF-8");
  }
}

function hostLabel(host: string): string | undefined {
  const name = host.replace(/:[0-9]*$/, "").replace(/\.$/, "");
  if (name.startsWith("[") || isIP(name) !== 0) return undefined;
  const [label = "", ...rest] = name.toLowerCase().split(".");
  return rest.length > 0 && label.length > 0 && label.length <= 63 ? label : undefined;
}
