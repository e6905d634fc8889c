import { describe, expect, test } from "vitest";
import { type Config, resolveConfig } from "./config.ts";

const codeOf = (config: unknown): unknown => {
  try {
    resolveConfig(config as Config);
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).name;
  }
  return undefined;
};

describe("the configuration of a client", () => {
  test.each([
    ["file:data", "data", "default"],
    ["file:./data?database=notes", "./data", "notes"],
    ["file:/srv/my%20data?database=a%2Fb", "/srv/my data", "a/b"],
    ["file:///srv/data", "/srv/data", "default"],
    ["FILE://localhost/srv/data", "/srv/data", "default"],
  ])("%s is directory %s, database %s", (url, store, database) => {
    expect(resolveConfig({ url })).toEqual({ store, database, integers: "number" });
  });

  test("directory and database may be given outright", () => {
    const config = { directory: "d", database: "n", intMode: "bigint" } as const;
    expect(resolveConfig(config)).toEqual({ store: "d", database: "n", integers: "bigint" });
  });

  test.each([
    ["another scheme", { url: "https://example.com" }, "URL_SCHEME_NOT_SUPPORTED"],
    ["another machine", { url: "file://example.com/data" }, "URL_INVALID"],
    ["a port", { url: "file://localhost:80/data" }, "URL_INVALID"],
    ["memory", { url: "file::memory:" }, "URL_INVALID"],
    ["no directory", { url: "file:" }, "URL_INVALID"],
    ["a fragment", { url: "file:data#x" }, "URL_INVALID"],
    ["no URL", { url: "data" }, "URL_INVALID"],
    ["an unknown parameter", { url: "file:data?databse=x" }, "URL_PARAM_NOT_SUPPORTED"],
    ["a key", { url: "file:data", encryptionKey: "x" }, "ENCRYPTION_KEY_NOT_SUPPORTED"],
    ["something to sync with", { url: "file:data", syncUrl: "x" }, "SYNC_NOT_SUPPORTED"],
    ["an unknown mode", { url: "file:data", intMode: "float" }, "TypeError"],
    ["nothing", {}, "TypeError"],
    ["an empty directory", { directory: "" }, "TypeError"],
    ["a string", "file:data", "TypeError"],
  ])("%s is refused with its code", (_what, config, code) => {
    expect(codeOf(config)).toBe(code);
  });
});
