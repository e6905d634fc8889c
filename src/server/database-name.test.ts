import { describe, expect, test } from "vitest";
import { databaseOf } from "./database-name.ts";

const nameOf = (parts: { header?: string; path?: string; host?: string }) =>
  databaseOf({ header: parts.header, path: parts.path, host: parts.host }).name;

describe("which database a request means", () => {
  test("the header comes before the path, the path before the host", () => {
    const all = { header: "h", path: "p", host: "t.example.com" };
    expect(nameOf(all)).toBe("h");
    expect(nameOf({ path: all.path, host: all.host })).toBe("p");
    expect(nameOf({ host: all.host })).toBe("t");
    expect(nameOf({})).toBe("default");
  });

  test.each([
    ["tenant1.localhost", "tenant1"],
    ["tenant1.localhost:8080", "tenant1"],
    ["Tenant1.DB.example.com.", "tenant1"],
    ["localhost", "default"],
    ["localhost:8080", "default"],
    ["127.0.0.1:8080", "default"],
    ["[::1]:8080", "default"],
    [".example.com", "default"],
    [`${"x".repeat(64)}.example.com`, "default"],
  ])("host %s names %s", (host, name) => {
    expect(nameOf({ host })).toBe(name);
  });

  test("a header is UTF-8, as its sender meant it", () => {
    expect(nameOf({ header: Buffer.from("größe").toString("latin1") })).toBe("größe");
    expect(() => nameOf({ header: "gr\u00f6\u00dfe" })).toThrow(/UTF-8/);
  });
});
