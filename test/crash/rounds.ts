/**
 * ROUNDS OF TORTURE: start a writer, kill it at a random moment, let another process look at what is
 * left, go on with the same store.
 *
 * (1) SIGKILL takes the process and leaves the page cache: it proves recovery and the order of
 *     acknowledgements. What a power cut takes, the simulation proves (sim/).
 * (2) With `loss` the disk goes with the process: the store is restored from its sink. What was
 *     acknowledged as `remote` is there; what as `local`, but for the last moments, which are counted.
 */
import { rm } from "node:fs/promises";
import { Ledger } from "./ledger.ts";
import { finished, killedLoad, lookAt } from "./processes.ts";

export interface TortureOptions {
  readonly directory: string;
  readonly rounds: number;
  readonly callers: number;
  readonly databases: number;
  /** Longest time that a writer lives under load. */
  readonly loadMsMax: number;
  /** See (2). */
  readonly loss?: MachineLoss;
  readonly onRound?: (round: Round) => void;
}

export interface MachineLoss {
  readonly sink: string;
  readonly durability: "local" | "remote";
}

export interface Round {
  readonly number: number;
  readonly acknowledged: number;
  /** Acknowledged as `local` and gone with the disk, and how long before the kill the first of them. */
  readonly lost: number;
  readonly lostMs: number;
  /** Rows that are there although nobody was told: allowed, and expected. */
  readonly unacknowledged: number;
  readonly rows: number;
  readonly problems: readonly string[];
}

/** Ends at the first round that finds a problem. */
export async function torture(options: TortureOptions): Promise<Round[]> {
  const ledger = new Ledger();
  const rounds: Round[] = [];
  let rowsBefore = 0;
  for (let number = 1; number <= options.rounds; number++) {
    const acknowledged = await acknowledgedLoad(options, { ledger, number });
    const killedMs = performance.now();
    if (options.loss !== undefined) await loseDisk(options.directory, options.loss);
    const found = await lookAt(options.directory);
    const rows = found.reduce((sum, { ids }) => sum + ids.length, 0);
    const gone = options.loss?.durability === "local" ? ledger.forgetLost(found) : [];
    const lostMs = gone.length === 0 ? 0 : killedMs - Math.min(...gone);
    const problems = ledger.problems(found, number);
    const unacknowledged = rows - rowsBefore - acknowledged + gone.length;
    const lost = gone.length;
    const round = { number, acknowledged, lost, lostMs, unacknowledged, rows, problems };
    rounds.push(round);
    options.onRound?.(round);
    if (problems.length > 0) return rounds;
    rowsBefore = rows;
  }
  return rounds;
}

/** Resolves with how many commits were acknowledged before the writer died. */
async function acknowledgedLoad(
  { directory, callers, databases, loadMsMax, loss }: TortureOptions,
  { ledger, number }: { readonly ledger: Ledger; readonly number: number },
): Promise<number> {
  const task = {
    directory,
    callers,
    databases,
    round: number,
    ...(loss !== undefined && { options: { sink: loss.sink, durability: loss.durability } }),
  };
  let acknowledged = 0;
  const end = await killedLoad(task, {
    killing: { from: "ready", afterMs: Math.random() * loadMsMax },
    onTold(told) {
      ledger.hear(told, performance.now());
      if (told.kind === "acknowledged") acknowledged += 1;
    },
  });
  if (end !== "killed") throw new Error(`the writer was not killed: ${end}`);
  return acknowledged;
}

async function loseDisk(directory: string, { sink }: MachineLoss): Promise<void> {
  await rm(directory, { recursive: true });
  await finished("restorer.ts", [directory, sink]);
}
