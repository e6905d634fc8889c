/**
 * THE AWS SDK, set up as this engine needs it. What is surprising about each setting:
 *
 *   maxAttempts 1          The SDK would repeat a conditional put whose answer was lost, and hand us
 *                          the 412 that our own first attempt caused. Who repeats is decided above.
 *   checksums WHEN_…       By default the SDK frames bodies in chunks with a trailer, which many
 *                          services refuse (411) or store as part of the body. Instead each body's
 *                          SHA-256 goes into the signature, which services check: `signedBody`.
 *   agents as options      Given an agent instance, the SDK does not wait for "100 Continue" before it
 *                          sends a body: a service that answers early (412) then ends the process by
 *                          an EPIPE that nobody can catch. Given options, it waits.
 *   no timeouts            The SDK's count the time that a request waits for a connection, or only
 *                          warn. Deadlines are ours, by the signal of each call.
 */
import { readFile } from "node:fs/promises";
import { rootCertificates } from "node:tls";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import type { S3Location } from "../location.ts";

/** What services of one's own take for any; AWS tells who is wrong. */
const REGION = "us-east-1";
const CONTENT_SHA256 = "x-amz-content-sha256";

export async function s3Client({ parameters }: S3Location): Promise<S3Client> {
  const { region, endpoint, style, ca, connections } = parameters;
  const agent = { keepAlive: true, maxSockets: connections };
  const trusted = ca === undefined ? {} : { ca: [...rootCertificates, await readFile(ca, "utf8")] };
  const config: S3ClientConfig = {
    forcePathStyle: style === "path",
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { httpAgent: agent, httpsAgent: { ...agent, ...trusted } },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
  };
  const client = new S3Client(config);
  if (region !== undefined) return client;
  const found = await client.config.region().catch(() => undefined);
  if (found !== undefined) return client;
  client.destroy();
  return new S3Client({ ...config, region: REGION });
}

/** As much of a command's stack as is used: its own type differs from command to command. */
interface BuildStack {
  add(
    middleware: (next: (args: Building) => unknown) => (args: Building) => unknown,
    options: { readonly step: "build"; readonly name: string },
  ): void;
}

interface Building {
  readonly request: { readonly headers: Record<string, string> };
}

/**
 * Signs the request with a hash of its body that is known already, so that the SDK does not take it
 * once more, and the service refuses a body that arrives otherwise.
 */
export function signedBody<Command extends { readonly middlewareStack: unknown }>(
  command: Command,
  sha256: string,
): Command {
  (command.middlewareStack as BuildStack).add(
    (next) => (args) => {
      args.request.headers[CONTENT_SHA256] = sha256;
      return next(args);
    },
    { step: "build", name: "bopSignedBody" },
  );
  return command;
}
