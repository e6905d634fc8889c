/**
 * THE PROCESS THAT IS KILLED while it changes record logs. Argument: directory.
 *
 *   R                   ready: the load has begun
 *   A <log> <number>    acknowledged: the change counts for ever, and all before it
 *
 * (1) Several changes of a log are under way at a time; each log goes on where it was left.
 * (2) Limits are small, so that segments are full and checkpoints run within a round.
 */
import { writeSync } from "node:fs";
import { Manager, type RecordLog } from "../../src/index.ts";
import { LOGS, LogModel } from "./log-model.ts";

const STANDARD_OUTPUT = 1;
const IN_FLIGHT = 8;

async function write(log: RecordLog, number: number): Promise<void> {
  const model = await LogModel.of(log, number);
  const work = async (): Promise<void> => {
    while (true) {
      const change = model.next();
      const n = model.changes;
      await log.commit(change);
      writeSync(STANDARD_OUTPUT, `A ${number} ${n}\n`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

async function main(): Promise<void> {
  const [directory = ""] = process.argv.slice(2);
  const MIB = 1024 * 1024;
  const manager = await Manager.open({
    directory,
    segmentBytes: MIB,
    checkpointLogBytes: 2 * MIB,
  });
  const logs = await Promise.all(LOGS.map((name) => manager.log(name)));
  writeSync(STANDARD_OUTPUT, "R\n");
  await Promise.all(logs.map(write));
}

await main();
