/**
 * WHAT LIES WHERE IN A BUCKET. Names are numbers of a fixed width, so that they sort as they count.
 *
 *     store.json                                   identity and format version, created once
 *     epoch/<20 digits>                            claims and fences of writers, never deleted
 *     manifest/<20 digits: epoch>/<20 digits>      snapshots of the manifest, batches of changes
 *     wal/<20 digits: epoch>/<20 digits>           the log, in ranges
 *     chunks/<2 hex>/<16 hex>-<20 digits: epoch>   pages and records; the two are the id's lowest
 *     probe/<32 hex>                               what `bop doctor` tries, and removes again
 *
 * (1) Nobody's names are in them: a database called `..` is a number here.
 * (2) `parseKey` reads back exactly what the builders make, and nothing else.
 */
import { assert } from "../base/assert.ts";
import { isPutId } from "./object-key.ts";

export type BucketKey =
  | { readonly kind: "store" }
  | { readonly kind: "epoch"; readonly epoch: number }
  | { readonly kind: "manifest" | "wal"; readonly epoch: number; readonly number: number }
  | { readonly kind: "chunk"; readonly id: number; readonly epoch: number }
  | { readonly kind: "probe"; readonly nonce: string };

/** What `list` asks for. */
export const PREFIXES = {
  epoch: "epoch/",
  manifest: "manifest/",
  wal: "wal/",
  chunk: "chunks/",
  probe: "probe/",
} as const;

const STORE_KEY = "store.json";
const DIGITS = 20;
const ID_DIGITS = 16;

export function bucketKey(key: BucketKey): string {
  switch (key.kind) {
    case "store":
      return STORE_KEY;
    case "epoch":
      return `${PREFIXES.epoch}${digits(key.epoch)}`;
    case "manifest":
    case "wal":
      return `${epochPrefix(key)}${digits(key.number)}`;
    case "chunk": {
      const id = hex(key.id);
      return `${PREFIXES.chunk}${id.slice(-2)}/${id}-${digits(key.epoch)}`;
    }
    case "probe":
      assert(isPutId(key.nonce), () => `${key.nonce} is not a nonce`);
      return `${PREFIXES.probe}${key.nonce}`;
  }
}

/** All of one kind that one epoch wrote. */
export function epochPrefix({
  kind,
  epoch,
}: {
  readonly kind: "manifest" | "wal";
  readonly epoch: number;
}): string {
  return `${PREFIXES[kind]}${digits(epoch)}/`;
}

/** Undefined for a key that no builder makes. */
export function parseKey(key: string): BucketKey | undefined {
  const parsed = read(key);
  return parsed !== undefined && bucketKey(parsed) === key ? parsed : undefined;
}

function read(key: string): BucketKey | undefined {
  if (key === STORE_KEY) return { kind: "store" };
  const [folder, first = "", second = "", ...rest] = key.split("/");
  if (rest.length > 0) return undefined;
  const [epoch, number] = [decimal(first), decimal(second)];
  switch (folder) {
    case "epoch":
      return epoch === undefined ? undefined : { kind: "epoch", epoch };
    case "manifest":
    case "wal": {
      const whole = epoch !== undefined && number !== undefined;
      return whole ? { kind: folder, epoch, number } : undefined;
    }
    case "chunks":
      return readChunk(second);
    case "probe":
      return isPutId(first) ? { kind: "probe", nonce: first } : undefined;
    default:
      return undefined;
  }
}

function readChunk(name: string): BucketKey | undefined {
  const id = natural(/^[0-9a-f]{16}(?=-)/.exec(name)?.[0], 16);
  const epoch = decimal(name.slice(ID_DIGITS + 1));
  return id === undefined || epoch === undefined ? undefined : { kind: "chunk", id, epoch };
}

function decimal(text: string): number | undefined {
  return /^\d{20}$/.test(text) ? natural(text, 10) : undefined;
}

/** Undefined for what a number cannot hold exactly. */
function natural(text: string | undefined, base: 10 | 16): number | undefined {
  const value = text === undefined ? Number.NaN : Number.parseInt(text, base);
  return Number.isSafeInteger(value) ? value : undefined;
}

function digits(value: number): string {
  assert(Number.isSafeInteger(value) && value >= 0, () => `${value} is not a natural number`);
  return String(value).padStart(DIGITS, "0");
}

function hex(value: number): string {
  assert(Number.isSafeInteger(value) && value >= 0, () => `${value} is not a natural number`);
  return value.toString(16).padStart(ID_DIGITS, "0");
}
