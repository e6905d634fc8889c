/**
 * THE BODY OF AN ANSWER, read into memory of the length that its head announced.
 *
 * (1) A body that ends sooner or goes on longer is not believed: services and proxies cut bodies off
 *     and call that success.
 */
import type { Readable } from "node:stream";

export async function bodyOf(stream: Readable, announcedBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(announcedBytes);
  let at = 0;
  for await (const piece of stream as AsyncIterable<Uint8Array>) {
    if (at + piece.length > announcedBytes) throw new Error("the body is longer than announced");
    bytes.set(piece, at);
    at += piece.length;
  }
  if (at < announcedBytes) throw new Error(`the body ended after ${at} of ${announcedBytes} bytes`);
  return bytes;
}

/** `bytes 0-99/1234`; undefined for anything else. */
export function parseContentRange(
  header: string | undefined,
): { readonly from: number; readonly to: number; readonly sizeBytes: number } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header ?? "");
  if (match === null) return undefined;
  const [from, last, sizeBytes] = match.slice(1).map(Number) as [number, number, number];
  return from <= last && last < sizeBytes ? { from, to: last + 1, sizeBytes } : undefined;
}
