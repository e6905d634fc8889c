/** npm run torture -- --mount: what the rounds of mount-rounds.ts say, in lines. */

import { type MountKind, whyNoMount } from "./mount.ts";
import { type MountRound, mountTorture } from "./mount-rounds.ts";

export interface MountMain {
  readonly folder: string;
  readonly kind: MountKind;
  readonly rounds: number;
  readonly seed: number;
}

/** False: a round has found something. */
export async function mainOfMounts(options: MountMain): Promise<boolean> {
  const why = whyNoMount(options.kind);
  if (why !== undefined) {
    console.log(`SKIPPED, nothing was tested: ${why}`);
    return true;
  }
  const rounds = await mountTorture({ ...options, onRound: print });
  const problems = rounds.flatMap((round) => round.problems);
  const count = (happening: string) => rounds.filter((each) => each.happening === happening).length;
  const acknowledged = rounds.reduce((sum, round) => sum + round.acknowledged, 0);
  console.log(
    `${options.kind}: ${count("full")} full disks, ${count("error")} errors, ${count("cut")} cuts, ` +
      `${acknowledged} acknowledged commits, ` +
      `${problems.length === 0 ? "nothing lost" : `LOST; it is mounted in ${options.folder}`}`,
  );
  return problems.length === 0;
}

function print(round: MountRound): void {
  const { number, happening, acknowledged, acknowledgedAfter, refused, problems } = round;
  const told = [...refused].map(([code, count]) => `, ${count} ${code}`).join("");
  const after = acknowledgedAfter === 0 ? "" : ` (${acknowledgedAfter} when there was room again)`;
  console.log(
    `round ${number}, ${happening}: ${acknowledged} acknowledged${after}${told}, ` +
      `${problems.length} problems`,
  );
  for (const problem of problems.slice(0, 20)) console.log(`  PROBLEM ${problem}`);
}
