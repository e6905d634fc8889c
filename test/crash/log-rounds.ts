/**
 * ROUNDS OF TORTURE FOR RECORD LOGS: a process changes them and is killed at a random moment, this
 * process opens the store and compares every entry with a model, and another goes on with it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { Manager } from "../../src/index.ts";
import { programCommand } from "../support/programs.ts";
import { differences, LOGS, LogModel, NUMBER_KEY, numberIn } from "./log-model.ts";

export interface LogRound {
  readonly number: number;
  /** Changes of this round that were acknowledged, and those that count though nobody was told. */
  readonly acknowledged: number;
  readonly unacknowledged: number;
  readonly entries: number;
  readonly problems: readonly string[];
}

export interface LogTorture {
  readonly directory: string;
  readonly rounds: number;
  /** Longest time that a writer lives under load. */
  readonly loadMsMax: number;
  readonly onRound?: (round: LogRound) => void;
}

/** Ends at the first round that finds a problem. */
export async function logTorture(options: LogTorture): Promise<LogRound[]> {
  const models = LOGS.map((_, number) => new LogModel(number));
  const rounds: LogRound[] = [];
  for (let number = 1; number <= options.rounds; number++) {
    const told = await killedWriter(options);
    const round = { number, ...(await look(options.directory, { models, told })) };
    rounds.push(round);
    options.onRound?.(round);
    if (round.problems.length > 0) break;
  }
  return rounds;
}

interface Expected {
  readonly models: readonly LogModel[];
  /** By log: the newest change that was acknowledged in this round; 0 if none was. */
  readonly told: readonly number[];
}

/** Takes the models to where the logs are. */
async function look(
  directory: string,
  { models, told }: Expected,
): Promise<Omit<LogRound, "number">> {
  const problems: string[] = [];
  let [acknowledged, unacknowledged, entries] = [0, 0, 0];
  const manager = await Manager.open({ directory });
  for (const [number, model] of models.entries()) {
    const name = LOGS[number] ?? "";
    const log = await manager.log(name);
    const found = numberIn(await log.readStable(NUMBER_KEY));
    const newest = Math.max(told[number] ?? 0, model.changes);
    if (found < newest)
      problems.push(`${name}: change ${newest} was acknowledged, ${found} is there`);
    acknowledged += newest - model.changes;
    unacknowledged += Math.max(0, found - newest);
    while (model.changes < found) model.next();
    if (problems.length === 0) problems.push(...(await differences(log, model)));
    entries += model.made.length;
  }
  await manager.close();
  return { acknowledged, unacknowledged, entries, problems };
}

/** Resolves with the newest change of each log that was acknowledged; 0 if none was. */
async function killedWriter({ directory, loadMsMax }: LogTorture): Promise<number[]> {
  const command = [...programCommand("test/crash/log-writer.ts"), directory];
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] });
  const told = LOGS.map(() => 0);
  let killing: Promise<void> | undefined;
  let unread = "";
  for await (const chunk of child.stdout) {
    const lines = `${unread}${chunk}`.split("\n");
    unread = lines.pop() ?? "";
    for (const line of lines) {
      const [kind, log, change] = line.split(" ");
      if (kind === "R") {
        killing = pause(Math.random() * loadMsMax).then(() => {
          child.kill("SIGKILL");
        });
      } else told[Number(log)] = Math.max(told[Number(log)] ?? 0, Number(change));
    }
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  await killing;
  if (child.signalCode !== "SIGKILL") throw new Error(`the writer ended with ${child.exitCode}`);
  return told;
}
