import { describe, expect, test } from "vitest";
import { allMutants } from "./list.ts";
import { applyMutant, parseMutant } from "./patch.ts";
import { readSource } from "./tree.ts";

const MUTANTS_MIN = 40;

describe("planted bugs", () => {
  test("there are enough of them, and no two do the same", () => {
    const mutants = allMutants();
    expect(mutants.length).toBeGreaterThanOrEqual(MUTANTS_MIN);
    const changes = new Set(mutants.map(({ files }) => JSON.stringify(files)));
    expect(changes.size).toBe(mutants.length);
  });

  test("each still applies to the source as it is, and changes it", () => {
    for (const mutant of allMutants()) {
      for (const [path, text] of applyMutant(mutant, readSource)) {
        expect(text, `${mutant.name} in ${path}`).not.toBe(readSource(path));
      }
    }
  });
});

describe("a patch", () => {
  const patch = (hunk: string) => {
    return `breaks: it\n  all\nnotices: log, crash\n--- a/x\n+++ b/x\n@@\n${hunk}`;
  };

  test("says in its head what it breaks and who should notice", () => {
    const { breaks, notices } = parseMutant("m", patch("-a\n+b\n"));
    expect(breaks).toBe("it all");
    expect(notices).toEqual(["log", "crash"]);
  });

  test("lands where its old lines are, whatever lines were put before them", () => {
    const mutant = parseMutant("m", patch(" one\n-two\n+2\n"));
    const changed = applyMutant(mutant, () => "zero\none\ntwo\nthree\n");
    expect(changed.get("x")).toBe("zero\none\n2\nthree\n");
  });

  test("whose old lines are gone, or there twice, is refused and lands nowhere", () => {
    const mutant = parseMutant("m", patch("-two\n+2\n"));
    expect(() => applyMutant(mutant, () => "one\n")).toThrow("0 times in x");
    expect(() => applyMutant(mutant, () => "two\ntwo\n")).toThrow("2 times in x");
  });

  test("that names a scenario that there is not is refused", () => {
    const text = patch("-a\n+b\n").replace("crash", "nonesuch");
    expect(() => parseMutant("m", text)).toThrow("there is no scenario nonesuch");
  });
});
