/**
 * WHAT LMDB DOES ON A REAL SYSTEM THAT REFUSES: full file systems, failed syncs, stuck readers, each
 * in a process of its own. What the machine does not allow is skipped, with the reason in the name.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { openLmdbStore } from "./lmdb-store.ts";

const run = promisify(execFile);
/** As they were built, which a process reads faster than their source. */
const built = (path: string) =>
  JSON.stringify(new URL(`../../../dist/${path}`, import.meta.url).href);
const STORE = built("manifest/stores/lmdb-store.js");
const MANIFEST = built("manifest/opening/open-manifest.js");
const IO = built("io/index.js");
const LMDB = JSON.stringify(import.meta.resolve("lmdb"));

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "bop-durability-"));
  undo.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function isPossible(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function canMount(): boolean {
  const mounting = "d=$(mktemp -d) && mount -t tmpfs -o size=64k tmpfs $d && umount $d; rmdir $d";
  return process.platform === "linux" && isPossible("sh", "-c", `set -e; ${mounting}`);
}

const node = (program: string, ...args: string[]) => [
  "--input-type=module",
  "-e",
  program,
  ...args,
];

/** Commits rows of 60 kB until the system refuses; then says what it finds. */
const FILL = `
  import { openLmdbStore } from ${STORE};
  const unhandled = [];
  process.on("unhandledRejection", (error) => unhandled.push(String(error)));
  const store = await openLmdbStore(process.argv[1]);
  const key = (n) => Uint8Array.of(5, n);
  let committed = 0;
  let error;
  while (error === undefined && committed < 250) {
    const value = new Uint8Array(60_000).fill(committed);
    error = await store.commit([{ key: key(committed), value }]).catch((caught) => caught);
    if (error === undefined) committed += 1;
  }
  const rows = [...store.range(key(0), Uint8Array.of(6))].length;
  await store.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  console.log(JSON.stringify({ code: error?.code, committed, rows, unhandled }));
`;

const SHIM = `
  #define _GNU_SOURCE
  #include <errno.h>
  #include <dlfcn.h>
  #include <stdlib.h>
  #include <unistd.h>
  static int failing(void) { const char *p = getenv("FAIL_SYNC_IF"); return p && access(p, F_OK) == 0; }
  #define WRAP(name) int name(int fd) { static int (*real)(int); \\
    if (failing()) { errno = EIO; return -1; } \\
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name); return real(fd); }
  WRAP(fdatasync) WRAP(fsync)
`;

/** Commits, has a commit fail, and looks at what is left, with a new handle too. */
const FAIL = `
  import { writeFileSync, unlinkSync } from "node:fs";
  import { openLmdbStore } from ${STORE};
  const unhandled = [];
  process.on("unhandledRejection", (error) => unhandled.push(String(error)));
  const [directory, flag] = process.argv.slice(1);
  const put = (n) => [{ key: Uint8Array.of(5, n), value: Uint8Array.of(n) }];
  const codeOf = (error) => error.code;
  const store = await openLmdbStore(directory);
  await store.commit(put(1));
  writeFileSync(flag, "");
  const failed = await store.commit(put(2)).catch(codeOf);
  await new Promise((resolve) => setTimeout(resolve, 50)); // Nobody hurries to look after it.
  const later = await store.commit(put(3)).catch(codeOf);
  unlinkSync(flag);
  const again = await openLmdbStore(directory);
  const seen = [1, 2, 3].filter((n) => again.get(Uint8Array.of(5, n)) !== undefined);
  await again.commit(put(4));
  await store.close();
  await again.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  console.log(JSON.stringify({ failed, later, seen, unhandled }));
`;

/** Has commits of a manifest fail, and goes on with the same one. */
const GO_ON = `
  import { writeFileSync, unlinkSync } from "node:fs";
  import { openManifest } from ${MANIFEST};
  import { openLmdbStore } from ${STORE};
  import { systemEnv } from ${IO};
  const unhandled = [];
  process.on("unhandledRejection", (error) => unhandled.push(String(error)));
  const [directory, flag] = process.argv.slice(1);
  const { clock } = systemEnv({ scratchDirectory: directory });
  const storeIdForNew = new Uint8Array(16);
  const open = () => openManifest({ openStore: openLmdbStore, directory, storeIdForNew, clock });
  const manifest = await open();
  const publish = (durableLsn) => manifest.publish({ durableLsn }).catch((error) => error.code);
  const outcomes = [await publish(1)];
  writeFileSync(flag, "");
  outcomes.push(await publish(2), await publish(3));
  unlinkSync(flag);
  outcomes.push(await publish(4), await publish(5));
  await manifest.close();
  const again = await open();
  const { durableLsn } = again.opened;
  await again.close();
  console.log(JSON.stringify({ outcomes, durableLsn, unhandled }));
`;

/** Opens the store with one more free descriptor each time, until that is enough. */
const CROWDED = `
  import { closeSync, openSync } from "node:fs";
  import { openLmdbStore } from ${STORE};
  const taken = [];
  const codes = [];
  const crowd = () => { try { while (true) taken.push(openSync("/dev/null")); } catch {} };
  for (let free = 0; codes.at(-1) !== "opened"; free++) {
    crowd();
    for (const fd of taken.splice(0, free)) closeSync(fd);
    const store = await openLmdbStore(process.argv[1]).catch((error) => error.code);
    codes.push(typeof store === "string" ? store : "opened");
    if (typeof store !== "string") await store.close();
  }
  console.log(JSON.stringify(codes));
`;

/** Reads, and never ends to. */
const READ = `
  import { open } from ${LMDB};
  const root = open({ path: process.argv[1], noSubdir: false, encoding: "binary",
    keyEncoding: "binary", overlappingSync: false, cache: false, maxDbs: 1 });
  const transaction = root.useReadTransaction();
  root.get(Buffer.from([5, 1]), { transaction });
  console.log("reading");
  setInterval(() => {}, 1000);
`;

describe("LMDB on a real system", () => {
  // evidence: G10
  test.skipIf(!canMount())(
    "a full file system refuses a commit with a code, and nothing is lost when there is room again",
    async () => {
      const place = await scratch();
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", place]);
      undo.push(() => execFileSync("umount", [place]));
      await writeFile(join(place, "ballast"), new Uint8Array(600_000));
      const directory = join(place, "manifest");
      const first = JSON.parse((await run(process.execPath, node(FILL, directory))).stdout);
      expect(first).toMatchObject({ code: "BOP_DISK_FULL", rows: first.committed, unhandled: [] });
      expect(first.committed).toBeGreaterThan(5);
      const full = await openLmdbStore(directory); // Reading needs no room.
      expect([...full.range(Uint8Array.of(5), Uint8Array.of(6))]).toHaveLength(first.committed);
      await full.close();
      await unlink(join(place, "ballast"));
      const second = JSON.parse((await run(process.execPath, node(FILL, directory))).stdout);
      expect(second.committed).toBeGreaterThan(first.committed);
      expect(second).toMatchObject({ code: "BOP_DISK_FULL", unhandled: [] });
    },
  );

  // evidence: G10
  test.skipIf(!canMount())(
    "a full file system takes the small commits of an opening, whatever was committed before it was full",
    async () => {
      const place = await scratch();
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", place]);
      undo.push(() => execFileSync("umount", [place]));
      const value = new Uint8Array(900);
      for (let committed = 1; committed <= 24; committed++) {
        const directory = join(place, `manifest-${committed}`);
        const before = await openLmdbStore(directory);
        for (let n = 0; n < committed; n++) {
          const rows = Array.from({ length: 1 + ((n * 7) % 5) }, (_, at) =>
            Uint8Array.of(5, n, at),
          );
          await before.commit(rows.map((key) => ({ key, value })));
          await before.keepRoom();
        }
        await before.close();
        const ballast = join(place, "ballast");
        await writeFile(ballast, new Uint8Array(4 * 1024 * 1024)).catch(() => undefined);
        for (let n = 0; n < 3; n++) {
          const opened = await openLmdbStore(directory);
          await opened.commit([{ key: Uint8Array.of(4), value: Uint8Array.of(n) }]);
          await opened.keepRoom();
          await opened.commit([{ key: Uint8Array.of(4), value: Uint8Array.of(n, n) }]);
          expect(opened.get(Uint8Array.of(4))).toEqual(Uint8Array.of(n, n));
          await opened.close();
        }
        await unlink(ballast);
        await rm(directory, { recursive: true });
      }
    },
  );

  test.skipIf(!canMount())(
    "a store is not made on a full file system, and the process lives",
    async () => {
      const place = await scratch();
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", place]);
      undo.push(() => execFileSync("umount", [place]));
      const error = await openLmdbStore(join(place, "owner")).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: "BOP_DISK_FULL" });
    },
  );

  // evidence: G10
  test.skipIf(!isPossible("gcc", "--version") || process.platform !== "linux")(
    "a commit whose sync failed is not there, nothing is built on it, and a manifest goes on without it",
    async () => {
      const place = await scratch();
      const [source, shim] = [join(place, "shim.c"), join(place, "shim.so")];
      await writeFile(source, SHIM);
      await run("gcc", ["-shared", "-fPIC", "-o", shim, source, "-ldl"]);
      const flag = join(place, "fail");
      const env = { ...process.env, LD_PRELOAD: shim, FAIL_SYNC_IF: flag };
      const args = node(FAIL, join(place, "manifest"), flag);
      const { stdout } = await run(process.execPath, args, { env });
      const wanted = { failed: "BOP_IO", later: "BOP_IO", seen: [1], unhandled: [] };
      expect(JSON.parse(stdout)).toEqual(wanted);
      const store = await openLmdbStore(join(place, "manifest"));
      const rows = [...store.range(Uint8Array.of(5), Uint8Array.of(6))];
      expect(rows.map(({ value }) => value[0])).toEqual([1, 4]);
      await store.close();
      const goingOn = node(GO_ON, join(place, "another"), flag);
      const wentOn = JSON.parse((await run(process.execPath, goingOn, { env })).stdout);
      const outcomes = [2, "BOP_IO", "BOP_IO", 3, 4];
      expect(wentOn).toEqual({ outcomes, durableLsn: 5, unhandled: [] });
    },
  );

  test.skipIf(process.platform === "win32")(
    "a store is not opened by a process that has no descriptors left, and the process lives",
    async () => {
      const limited = 'ulimit -n 96; exec "$0" "$@"';
      for (const look of ["made", "there"]) {
        const directory = join(await scratch(), "owner");
        if (look === "there") await (await openLmdbStore(directory)).close();
        const args = ["-c", limited, process.execPath, ...node(CROWDED, directory)];
        const codes: string[] = JSON.parse((await run("sh", args)).stdout);
        expect(codes.pop()).toBe("opened");
        expect(codes.length).toBeGreaterThan(2);
        expect(new Set(codes)).toEqual(new Set(["BOP_IO"]));
      }
    },
  );

  test("the file grows with what is in it, far beyond what it was mapped for", async () => {
    const directory = await scratch();
    const store = await openLmdbStore(directory);
    const value = new Uint8Array(1_000_000);
    for (let n = 0; n < 20; n++) await store.commit([{ key: Uint8Array.of(5, n), value }]);
    expect([...store.range(Uint8Array.of(5), Uint8Array.of(6))]).toHaveLength(20);
    await store.close();
  });

  test("a reader that stays is told with its lag, and one that was killed holds nothing", async () => {
    const directory = await scratch();
    const store = await openLmdbStore(directory);
    await store.commit([{ key: Uint8Array.of(5, 1), value: Uint8Array.of(0) }]);
    const reader: ChildProcess = spawn(process.execPath, node(READ, directory), {
      stdio: ["ignore", "pipe", "inherit"],
    });
    undo.push(() => reader.kill("SIGKILL"));
    if (reader.stdout === null) throw new Error("the reader has no output");
    await once(createInterface({ input: reader.stdout }), "line");
    for (let n = 0; n < 7; n++) {
      await store.commit([{ key: Uint8Array.of(5, 1), value: Uint8Array.of(n) }]);
    }
    expect(store.readers().lagMax).toBeGreaterThanOrEqual(7);
    reader.kill("SIGKILL");
    await once(reader, "exit");
    expect(store.readers().lagMax).toBeLessThan(7);
    await store.close();
  });
});
