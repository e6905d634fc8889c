import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MIB } from "../base/units.ts";
import { formatLocation, parseLocation } from "./location.ts";

describe("where a sink is", () => {
  test("is a folder, or a bucket with a prefix that ends in a slash", () => {
    expect(parseLocation("file:///backup/one%20two/")).toEqual({
      kind: "folder",
      directory: "/backup/one two",
    });
    expect(parseLocation("s3://bucket")).toMatchObject({
      kind: "s3",
      bucket: "bucket",
      prefix: "",
    });
    for (const text of ["s3://my.bucket/a/b", "s3://my.bucket/a/b/"]) {
      expect(parseLocation(text)).toMatchObject({ bucket: "my.bucket", prefix: "a/b/" });
    }
  });

  test("has a default for what is not said, which depends on who serves it", () => {
    const aws = parseLocation("s3://bucket?region=eu-central-1");
    expect(aws).toMatchObject({
      parameters: {
        region: "eu-central-1",
        style: "host",
        connections: 32,
        timeoutMs: 30_000,
        partBytes: 16 * MIB,
      },
    });
    const own = parseLocation("s3://bucket?endpoint=http://127.0.0.1:8333/&connections=4");
    expect(own).toMatchObject({
      parameters: { endpoint: "http://127.0.0.1:8333", style: "path", connections: 4 },
    });
    expect(formatLocation(own)).toBe("s3://bucket/ at http://127.0.0.1:8333");
  });

  test.each([
    ["nothing", "no sink"],
    ["http://host/bucket", "no sink"],
    ["file://host/folder", "of this machine"],
    ["file:///", "no folder"],
    ["file:///a?b=c", "no parameters"],
    ["s3://Key:Secret@bucket/a", "takes no credentials"],
    ["s3://AKIA@bucket/a", "takes no credentials"],
    ["s3://a", "not the name of a bucket"],
    ["s3://bucket:80/", "not the name of a bucket"],
    ["s3://bucket/a//b", "prefix"],
    ["s3://bucket/a%20b", "prefix"],
    ["s3://bucket/a%b", "not the path"],
    ["file:///a%ff", "not the path"],
    ["s3://bucket?regoin=x", 'unknown parameter "regoin"'],
    ["s3://bucket?region=", "want something"],
    ["s3://bucket?region=a&region=b", "given twice"],
    ["s3://bucket?style=virtual", "want path or host"],
    ["s3://bucket?sse=aes", "want AES256 or aws:kms"],
    ["s3://bucket?kmsKeyId=x", "goes with sse=aws:kms"],
    ["s3://bucket?endpoint=host:80", "want https://host"],
    ["s3://bucket?endpoint=http://user:word@host", "want https://host"],
    ["s3://bucket?connections=0", "want 1 to 1000"],
    ["s3://bucket?partBytes=1e9", "want 5242880"],
  ])("%s is refused, and the message says %s", (text, why) => {
    expect(() => parseLocation(text)).toThrow(why);
  });

  test("never shows a secret in a refusal", () => {
    expect(() => parseLocation("s3://id:hush@bucket")).not.toThrow("hush");
  });

  test("is refused by a TypeError or a RangeError, whatever the text", () => {
    const begins = fc.constantFrom("", "s3:", "file:", "s3://bucket", "s3://b?", "s3://bucket?");
    const text = fc.tuple(begins, fc.string()).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, (url) => {
        try {
          parseLocation(url);
        } catch (error) {
          expect(error instanceof TypeError || error instanceof RangeError).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
