/**
 * WHAT THE SERVICE CAN DO BEYOND WHAT IS ASKED OF IT, tried out on one key that is removed again.
 *
 * (1) A service that ignores `If-Match` answers 200 to a stale ETag: only one that takes the current
 *     and refuses the stale one has compare-and-swap. Some do if the ETag's quotes are left off.
 */
import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import type { ServiceReport } from "../object-store.ts";
import { statusOf } from "./answer.ts";
import type { Line } from "./calls.ts";
import { signedBody } from "./client.ts";

interface Place {
  readonly Bucket: string;
  readonly Key: string;
}

const BODY = Buffer.from("what was announced");
const OTHER_SHA256 = "0".repeat(64);

export async function inspectService(line: Line, place: Place): Promise<ServiceReport> {
  try {
    const quoted = await swaps(line, place, (etag) => etag);
    const bare = quoted || (await swaps(line, place, (etag) => etag.replaceAll('"', "")));
    const compareAndSwap = quoted ? "yes" : bare ? "unquoted" : "no";
    return { compareAndSwap, refusesDamage: await refusesDamage(line, place) };
  } finally {
    const { client, signal: abortSignal } = line;
    await client.send(new DeleteObjectCommand(place), { abortSignal });
  }
}

async function swaps(line: Line, place: Place, form: (etag: string) => string): Promise<boolean> {
  const first = await put(line, { ...place, Body: Buffer.from("first") });
  if (first.etag === undefined) return false;
  const IfMatch = form(first.etag);
  const second = await put(line, { ...place, Body: Buffer.from("second"), IfMatch });
  const third = await put(line, { ...place, Body: Buffer.from("third"), IfMatch });
  return second.status === 200 && third.status === 412;
}

async function put(
  { client, signal: abortSignal }: Line,
  input: Place & { readonly Body: Buffer; readonly IfMatch?: string },
): Promise<{ status: number | undefined; etag: string | undefined }> {
  try {
    const { ETag, $metadata } = await client.send(new PutObjectCommand(input), { abortSignal });
    return { status: $metadata.httpStatusCode, etag: ETag };
  } catch (error) {
    return { status: refusalOf(error), etag: undefined };
  }
}

async function refusesDamage(
  { client, signal: abortSignal }: Line,
  place: Place,
): Promise<boolean> {
  const command = new PutObjectCommand({ ...place, Body: BODY });
  try {
    await client.send(signedBody(command, OTHER_SHA256), { abortSignal });
    return false;
  } catch (error) {
    return refusalOf(error) < 500;
  }
}

/** The status of an answer that says no; what is no answer is thrown on. */
function refusalOf(error: unknown): number {
  const status = statusOf(error);
  if (status === undefined) throw error;
  return status;
}
