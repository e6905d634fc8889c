import { describe, expect, test } from "vitest";
import { BatonIssuer } from "./baton.ts";

describe("batons", () => {
  const issuer = new BatonIssuer();
  const streamId = issuer.newStreamId();
  const baton = issuer.issue({ streamId, sequence: 7 }, "notes");

  test("a baton says which stream it is for and how often that was used", () => {
    expect(issuer.verify(baton, "notes")).toEqual({ streamId, sequence: 7 });
  });

  test("a baton of another database is refused, so that it cannot be carried across tenants", () => {
    expect(() => issuer.verify(baton, "other")).toThrow(/not issued here/);
  });

  test("a baton of another process is refused", () => {
    expect(() => new BatonIssuer().verify(baton, "notes")).toThrow(/not issued here/);
  });

  test("a baton with any byte changed is refused", () => {
    const bytes = Buffer.from(baton, "base64url");
    for (let i = 0; i < bytes.length; i++) {
      const forged = Buffer.from(bytes);
      forged.writeUInt8(forged.readUInt8(i) ^ 1, i);
      expect(() => issuer.verify(forged.toString("base64url"), "notes")).toThrow(/not issued here/);
    }
  });

  test.each(["", "x", "*", baton.slice(1), `${baton}AAAA`])("%j is not a baton", (text) => {
    expect(() => issuer.verify(text, "notes")).toThrow(/not issued here/);
  });
});
