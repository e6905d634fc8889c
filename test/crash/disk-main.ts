/** npm run torture -- --faults, --cuts: what the rounds of disk-rounds.ts say, in lines. */
import { rm } from "node:fs/promises";
import { type DiskRound, diskTorture } from "./disk-rounds.ts";
import { buildShim } from "./shim/shim.ts";

export interface DiskMain {
  readonly folder: string;
  readonly rounds: number;
  readonly seed: number;
  readonly faults: boolean;
  readonly images: number;
}

const LOAD_MS_MAX = 5000;

/** False: a round has found something. */
export async function mainOfDisks(options: DiskMain): Promise<boolean> {
  const { folder, seed } = options;
  const shim = buildShim(folder);
  if (typeof shim === "string") {
    console.log(`SKIPPED, nothing was tested: ${shim}`);
    return true;
  }
  const rounds = await diskTorture({ ...options, shim, loadMsMax: LOAD_MS_MAX, onRound: print });
  const problems = rounds.flatMap((round) => round.problems);
  const sum = (of: (round: DiskRound) => number) =>
    rounds.reduce((total, round) => total + of(round), 0);
  const hits = sum((round) => [...round.hits.values()].reduce((a, b) => a + b, 0));
  console.log(
    `${rounds.length} kills, ${sum(({ images }) => images)} power cuts, ${hits} calls refused, ` +
      `${sum(({ acknowledged }) => acknowledged)} acknowledged commits, ` +
      `${problems.length === 0 ? "nothing lost" : `LOST; seed ${seed}, the disk is in ${folder}`}`,
  );
  if (problems.length === 0) await rm(folder, { recursive: true });
  return problems.length === 0;
}

function print(round: DiskRound): void {
  const { number, plan, end, hits, acknowledged, refused, images, recordedBytes, problems } = round;
  const cuts =
    images === 0 ? "" : `, ${images} images of ${(recordedBytes / 2 ** 20).toFixed(0)} MiB`;
  const told = [...refused].map(([code, count]) => `${count} ${code}`).join(", ");
  console.log(
    `round ${number}: ${acknowledged} acknowledged${told && `, ${told}`}${cuts}, ${problems.length} problems`,
  );
  if (plan !== undefined) {
    const when = `${plan.from}${plan.ends ? ", ends" : ""}; ${end}`;
    const hit = [...hits].map(([call, count]) => `${count} × ${call}`).join(", ");
    console.log(`  ${plan.name} (${plan.rules.join("; ")}; from ${when}): ${hit || "nothing hit"}`);
  }
  for (const problem of problems.slice(0, 20)) console.log(`  PROBLEM ${problem}`);
}
