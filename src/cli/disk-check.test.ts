import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { systemEnv } from "../io/index.ts";
import { checkDisk } from "./disk-check.ts";

const folder = mkdtempSync(join(tmpdir(), "bop-disk-check-"));
const env = systemEnv({ scratchDirectory: folder });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const failed = ({ findings }: Awaited<ReturnType<typeof checkDisk>>) =>
  findings.filter(({ required, passed }) => required && !passed).map(({ name }) => name);

test("a disk that gives back what was flushed is fit, and nothing is left of the trial", async () => {
  const report = await checkDisk(env, join(folder, "not", "there", "yet"));
  expect(report).toMatchObject({ location: folder, fit: true });
  expect(report.findings.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["flushed", "speed", "room", "log"]),
  );
  expect(readdirSync(folder)).toEqual([]);
});

test("a disk without room for a log, or that gives back something else, is not fit", async () => {
  const full = { ...env.storage, freeBytes: async () => 1000 };
  const storage = Object.assign(Object.create(env.storage), full);
  expect(failed(await checkDisk({ ...env, storage }, folder))).toEqual(["room"]);
  const open: typeof env.storage.open = async (path, mode) => {
    const file = await env.storage.open(path, mode);
    return Object.assign(Object.create(file), {
      ...bound(file),
      read: async (into: Uint8Array, at: number) => {
        const bytes = await file.read(into, at);
        into[7] = (into[7] ?? 0) ^ 1;
        return bytes;
      },
    });
  };
  const lying = Object.assign(Object.create(env.storage), { ...bound(env.storage), open });
  expect(failed(await checkDisk({ ...env, storage: lying }, folder))).toEqual(["flushed"]);
});

/** Methods of an object that has private fields, for one that stands in for it. */
function bound(of: object): object {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(of));
  return Object.fromEntries(
    names.flatMap((name) => {
      const member = Reflect.get(of, name);
      return typeof member === "function" && name !== "constructor"
        ? [[name, member.bind(of)]]
        : [];
    }),
  );
}
