import { crc32, deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { seeded } from "../io/index.ts";
import { isPacked, packImage, unpackImage } from "./packing.ts";

/** Half of it text that repeats, as pages are. */
function pageLike(bytes: number, seed: number): Uint8Array {
  const image = seeded(seed).bytes(bytes);
  const text = Buffer.from("order shipped to the customer; ");
  for (let at = 0; at < bytes / 2; at += 1) image[at] = text[at % text.length] ?? 0;
  return image;
}

describe("a packed image", () => {
  test("is smaller and comes back bit by bit, at every size that a page has", () => {
    for (let bytes = 512; bytes <= 65_536; bytes *= 2) {
      const image = pageLike(bytes, bytes);
      const packed = packImage(image);
      expect(packed.stored.length).toBeLessThan(0.7 * bytes);
      const back = unpackImage({ ...packed, stored: packed.stored.slice() });
      expect(back instanceof Uint8Array && Buffer.compare(back, image)).toBe(0);
    }
  });

  test("that would save less than an eighth is stored as it is, so that reading it costs nothing", () => {
    const image = seeded(1).bytes(4096);
    image.fill(7, 0, 400);
    const packed = packImage(image);
    expect(isPacked(packed)).toBe(false);
    expect(packed.stored).toBe(image);
    expect(unpackImage(packed)).toBe(image);
  });

  test("that unpacks to more, to less or to something else is refused, never served", () => {
    const image = new Uint8Array(4096).fill(3);
    const { imageCrc } = packImage(image);
    const stored = (bytes: Uint8Array) => ({
      imageBytes: 4096,
      imageCrc,
      stored: deflateRawSync(bytes),
    });
    expect(unpackImage(stored(new Uint8Array(10_000_000)))).toMatch("cannot be unpacked");
    expect(unpackImage(stored(image.subarray(1)))).toMatch("cannot be unpacked");
    expect(unpackImage(stored(image.slice().fill(4)))).toMatch("checksum of the unpacked page");
    expect(unpackImage(stored(image))).toEqual(Buffer.from(image));
  });

  test("of any bytes whatever gives an answer without a crash", () => {
    const random = seeded(2);
    const sound = packImage(pageLike(1024, 3));
    for (let round = 0; round < 2000; round += 1) {
      const stored = round % 2 === 0 ? random.bytes(random.below(1024)) : sound.stored.slice();
      for (let change = 0; change < 3; change += 1) {
        if (stored.length > 0) stored[random.below(stored.length)] = random.below(256);
      }
      const image = unpackImage({ ...sound, stored });
      if (typeof image !== "string") expect(crc32(image)).toBe(sound.imageCrc);
    }
  });
});
