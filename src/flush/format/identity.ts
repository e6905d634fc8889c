/**
 * THE TWO OBJECTS THAT ARE JSON, for people who look into a bucket: whose it is, and claims.
 *
 *     store.json     {"format":1,"storeId":"<32 hex>","createdAtMs":1767225600000}
 *     epoch/<n>      {"format":1,"storeId":"<32 hex>","epoch":1,"claimedAtMs":…,"nonce":"<32 hex>"}
 *
 * (1) Both are created once and never changed. A format of a later version is refused by name.
 */
import { type BadBytes, bad, type NewerFormat, NONCE_BYTES } from "./object-header.ts";

const FORMAT = 1;
const STORE_ID_BYTES = 16;

export interface BucketIdentity {
  /** 16 bytes. */
  readonly storeId: Uint8Array;
  readonly createdAtMs: number;
}

export interface EpochClaim {
  readonly storeId: Uint8Array;
  readonly epoch: number;
  readonly claimedAtMs: number;
  /** 16 bytes. */
  readonly nonce: Uint8Array;
}

export function encodeBucketIdentity({ storeId, createdAtMs }: BucketIdentity): Uint8Array {
  return json({ format: FORMAT, storeId: hex(storeId), createdAtMs });
}

export function decodeBucketIdentity(
  bytes: Uint8Array,
): { readonly type: "identity"; readonly identity: BucketIdentity } | NewerFormat | BadBytes {
  const fields = fieldsOf(bytes);
  if (fields.type !== "fields") return fields;
  const { storeId, createdAtMs } = fields.fields;
  const id = unhex(storeId, STORE_ID_BYTES);
  if (id === undefined || !isNatural(createdAtMs)) return bad("a field of it");
  return { type: "identity", identity: { storeId: id, createdAtMs } };
}

export function encodeEpochClaim({ storeId, epoch, claimedAtMs, nonce }: EpochClaim): Uint8Array {
  const ids = { storeId: hex(storeId), epoch, claimedAtMs, nonce: hex(nonce) };
  return json({ format: FORMAT, ...ids });
}

export function decodeEpochClaim(
  bytes: Uint8Array,
): { readonly type: "claim"; readonly claim: EpochClaim } | NewerFormat | BadBytes {
  const answer = fieldsOf(bytes);
  if (answer.type !== "fields") return answer;
  const { storeId, epoch, claimedAtMs, nonce } = answer.fields;
  const [id, random] = [unhex(storeId, STORE_ID_BYTES), unhex(nonce, NONCE_BYTES)];
  if (id === undefined || random === undefined) return bad("a field of it");
  if (!isNatural(epoch) || !isNatural(claimedAtMs)) return bad("a field of it");
  return { type: "claim", claim: { storeId: id, epoch, claimedAtMs, nonce: random } };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(
  bytes: Uint8Array,
): { readonly type: "fields"; readonly fields: Fields } | NewerFormat | BadBytes {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return bad("it is no JSON");
  }
  if (typeof value !== "object" || value === null) return bad("it is no object of JSON");
  const fields = value as Fields;
  const { format } = fields;
  if (!isNatural(format) || format < 1) return bad("it has no format");
  if (format > FORMAT) {
    return { type: "newer", found: `format ${format}`, supported: `format ${FORMAT}` };
  }
  return { type: "fields", fields };
}

const json = (value: Fields): Uint8Array => new Uint8Array(Buffer.from(JSON.stringify(value)));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const isNatural = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

function unhex(text: unknown, length: number): Uint8Array | undefined {
  if (typeof text !== "string" || text.length !== 2 * length) return undefined;
  return /^[0-9a-f]+$/.test(text) ? new Uint8Array(Buffer.from(text, "hex")) : undefined;
}
