/** Before any test: the program that users run is built, if it is not, since tests start it. */
import { execFileSync } from "node:child_process";

export function setup(): void {
  execFileSync(process.execPath, ["--import", "tsx", "scripts/build.ts"], { stdio: "inherit" });
}
