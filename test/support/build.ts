/**
 * Before any test: the program that users run is built, if it is not, since tests start it; and so are
 * the programs of this repository that tests start, for as long as they run.
 */
import { execFileSync } from "node:child_process";
import { buildPrograms } from "./programs.ts";

export function setup(): () => void {
  execFileSync(process.execPath, ["--import", "tsx", "scripts/build.ts"], { stdio: "inherit" });
  return buildPrograms();
}
