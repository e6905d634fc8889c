import { describe, expect, test } from "vitest";
import type { ScratchFile, Storage } from "../../base/env.ts";
import { simulatedEnv } from "../../io/index.ts";
import { Heap } from "../wasm/heap.ts";
import { loadRawModule } from "../wasm/raw.ts";
import { bufferPools, TempFile } from "./temp-file.ts";

const raw = await loadRawModule("sqlite");
const heap = new Heap(raw.memory);
const pools = bufferPools({ c: raw.c, heap });
const area = raw.c.sqlite3_malloc(3_000_000);
heap.fresh();

function open(scratch: () => ScratchFile = () => simulatedEnv({ seed: 1 }).env.storage.scratch()) {
  let scratches = 0;
  const storage = {
    scratch() {
      scratches += 1;
      return scratch();
    },
  } as unknown as Storage;
  const file = new TempFile({ heap, pools, storage });
  return {
    file,
    get scratches() {
      return scratches;
    },
    write(bytes: Uint8Array, offset: number) {
      heap.u8.set(bytes, area);
      file.write(area, bytes.length, offset);
    },
    read(bytes: number, offset: number) {
      const count = file.read(area, bytes, offset);
      return heap.u8.slice(area, area + count);
    },
  };
}

const filled = (count: number, value: number) => new Uint8Array(count).fill(value);

describe("a temporary file", () => {
  test("that is small never touches the world", () => {
    const opened = open();
    opened.write(filled(512, 1), 0);
    opened.write(filled(4096, 2), 516);
    expect(opened.file.sizeBytes).toBe(4612);
    expect(opened.read(6, 510)).toEqual(new Uint8Array([1, 1, 0, 0, 0, 0]));
    expect(opened.read(9999, 4600)).toEqual(filled(12, 2));
    expect(opened.read(1, 5000)).toEqual(new Uint8Array(0));
    opened.file.truncate(0);
    expect(opened.file.sizeBytes).toBe(0);
    expect(opened.scratches).toBe(0);
  });

  test("that holds the journal of many commits stays in memory, and keeps what was in it", () => {
    const opened = open();
    opened.write(filled(1000, 1), 0);
    opened.write(filled(100_000, 2), 60_000);
    opened.write(filled(1, 3), 999_999);
    expect(opened.scratches).toBe(0);
    expect(opened.file.sizeBytes).toBe(1_000_000);
    expect(opened.read(2, 999)).toEqual(new Uint8Array([1, 0]));
    expect(opened.read(2, 159_999)).toEqual(new Uint8Array([2, 0]));
    expect(opened.read(1, 999_999)).toEqual(filled(1, 3));
    opened.file.close();
  });

  test("that outgrows its buffers keeps what was in it, and comes back when it is emptied", () => {
    const opened = open();
    opened.write(filled(1000, 1), 0);
    opened.write(filled(100_000, 2), 60_000);
    opened.file.truncate(160_000);
    opened.write(filled(1_000_000, 2), 160_000);
    expect(opened.scratches).toBe(1);
    opened.file.truncate(160_000);
    expect(opened.file.sizeBytes).toBe(160_000);
    expect(opened.read(2, 999)).toEqual(new Uint8Array([1, 0]));
    expect(opened.read(1, 159_999)).toEqual(filled(1, 2));
    opened.file.truncate(500);
    expect(opened.file.sizeBytes).toBe(500);
    opened.file.truncate(0);
    opened.write(filled(10, 3), 0);
    expect(opened.read(10, 0)).toEqual(filled(10, 3));
    expect(opened.scratches).toBe(1);
    opened.file.close();
  });

  test("shows zeros, not the bytes of whoever had the buffer before", () => {
    const first = open();
    first.write(filled(60_000, 9), 0);
    first.file.truncate(100);
    first.write(filled(1, 1), 200);
    expect(first.read(100, 100)).toEqual(filled(100, 0));
    first.file.close();
    const second = open();
    second.write(filled(1, 1), 1000);
    expect(second.read(1000, 0)).toEqual(filled(1000, 0));
    second.file.truncate(2000);
    expect(second.read(999, 1001)).toEqual(filled(999, 0));
    second.file.close();
  });

  test("whose move is refused is as it was", () => {
    let closed = 0;
    const opened = open(
      () =>
        ({
          write() {
            throw new Error("disk full");
          },
          close() {
            closed += 1;
          },
        }) as unknown as ScratchFile,
    );
    opened.write(filled(1000, 1), 0);
    expect(() => opened.write(filled(2_000_000, 2), 0)).toThrow("disk full");
    expect(closed).toBe(1);
    expect(opened.read(1000, 0)).toEqual(filled(1000, 1));
    opened.file.close();
  });
});
