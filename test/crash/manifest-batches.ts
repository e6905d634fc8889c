/** The batches that writer and checker of a manifest's store agree on. */
import type { KeyValueOperation, KeyValueStore } from "../../src/manifest/index.ts";

export const NEWEST_KEY = Uint8Array.of(1, 1);
/** Rows of a batch. */
const ROWS = 12;
/** A batch removes the rows of the one that came so long before it. */
const KEPT = 40;
const TABLE = 2;

const keyOf = (batch: number, row: number): Uint8Array => {
  const key = new Uint8Array(6);
  const view = new DataView(key.buffer);
  key[0] = TABLE;
  view.setUint32(1, batch);
  key[5] = row;
  return key;
};

export function batchOf(number: number): KeyValueOperation[] {
  const operations: KeyValueOperation[] = [{ key: NEWEST_KEY, value: filled(number, 8) }];
  for (let row = 0; row < ROWS; row++) {
    operations.push({ key: keyOf(number, row), value: filled(number, 200 + 997 * (row % 5)) });
    if (number > KEPT) operations.push({ key: keyOf(number - KEPT, row) });
  }
  return operations;
}

/** What is wrong with what a store holds, in words; `acknowledged` must be there. */
export function problemsOf(
  store: KeyValueStore,
  acknowledged: number,
): { readonly newest: number; readonly problems: readonly string[] } {
  const found = store.get(NEWEST_KEY);
  const newest = found === undefined ? 0 : numberOf(found);
  const problems: string[] = [];
  if (newest < acknowledged)
    problems.push(`batch ${acknowledged} is lost; ${newest} is the newest`);
  const rows = [...store.range(Uint8Array.of(TABLE), Uint8Array.of(TABLE + 1))];
  const wanted: string[] = [];
  for (let batch = Math.max(1, newest - KEPT + 1); batch <= newest; batch++) {
    for (let row = 0; row < ROWS; row++)
      wanted.push(Buffer.from(keyOf(batch, row)).toString("hex"));
  }
  const keys = rows.map(({ key }) => Buffer.from(key).toString("hex"));
  if (keys.join() !== wanted.join()) problems.push(`rows are not those of batches up to ${newest}`);
  for (const { key, value } of rows) {
    const number = new DataView(key.buffer, key.byteOffset).getUint32(1);
    const isWhole = Buffer.compare(value, filled(number, value.length)) === 0;
    if (!isWhole) problems.push(`a row of batch ${number} is not what was written`);
  }
  return { newest, problems };
}

function filled(number: number, bytes: number): Uint8Array {
  const value = new Uint8Array(bytes).fill(number % 251);
  new DataView(value.buffer).setUint32(0, number);
  return value;
}

function numberOf(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset).getUint32(0);
}
