/** `bop verify`: every checksum of a store, and everything that one file says of another. */
import { resolve } from "node:path";
import { Command } from "commander";
import { systemEnv } from "../../io/index.ts";
import {
  type Finding,
  type RepairLoss,
  type RepairOutcome,
  repairStore,
  type VerifyReport,
  verifyStore,
} from "../../manager/index.ts";
import { openLmdbStore } from "../../manifest/index.ts";
import { checkedPlace } from "../arguments.ts";
import { ask } from "../ask.ts";
import { EXIT } from "../exit.ts";
import { Output, sizeText } from "../output.ts";
import { directoryOption, jsonOption, refuseWithoutStore, type StoreOptions } from "../store.ts";
import { visible, visibleLines } from "../visible.ts";

interface VerifyCommandOptions extends StoreOptions {
  readonly json?: boolean;
  readonly repair?: boolean;
  readonly yes?: boolean;
}

export function verifyCommand(): Command {
  return new Command("verify")
    .summary("check every byte of a store")
    .description(
      "Read the whole store and check every checksum, and everything that one file says of another. " +
        "Changes nothing. A store that somebody has open is refused. Ends with 1 if anything is damaged.",
    )
    .argument("[directory]", "the store; the same as --directory")
    .option("--repair", "cut a damaged log where the damage begins; says what that loses, and asks")
    .option("-y, --yes", "with --repair: do not ask; without a terminal to ask at, it only says")
    .option(
      "--sink <url>",
      "read and check there what is only in the sink of the store",
      checkedPlace,
    )
    .addOption(directoryOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n  bop verify /srv/data\n  bop verify --json | jq .verified.findings\n" +
        "  bop verify /srv/data --sink s3://backups/shop\n  bop verify /srv/data --repair",
    )
    .action((directory: string | undefined, options: VerifyCommandOptions) => {
      const wanted = { ...options, directory: resolve(directory ?? options.directory) };
      return options.repair === true ? repair(wanted) : run(wanted);
    });
}

async function run(options: VerifyCommandOptions): Promise<void> {
  const { directory } = options;
  refuseWithoutStore(options);
  const env = systemEnv({ scratchDirectory: `${directory}/tmp` });
  const { sink } = options;
  const report = await verifyStore({
    ...{ env, directory, openKeyValueStore: openLmdbStore },
    ...(sink !== undefined && { sink }),
  });
  const output = new Output(process.stdout);
  if (options.json === true) output.json({ verified: report });
  else output.write(reportText(report, sink !== undefined));
  if (!report.isSound) process.exitCode = EXIT.failed;
}

async function repair(options: VerifyCommandOptions): Promise<void> {
  const { directory, json = false, yes = false } = options;
  refuseWithoutStore(options);
  const env = systemEnv({ scratchDirectory: `${directory}/tmp` });
  const decide = (loss: RepairLoss): Promise<boolean> => {
    if (!json) process.stderr.write(lossText(loss));
    return yes ? Promise.resolve(true) : confirms();
  };
  const outcome = await repairStore({ env, directory, openKeyValueStore: openLmdbStore, decide });
  const output = new Output(process.stdout);
  if (json) output.json({ repair: outcome });
  else output.write(outcomeText(outcome));
  if (outcome.type === "declined") process.exitCode = EXIT.failed;
}

function lossText({ damage, keptLsn, lostToLsn, lost }: RepairLoss): string {
  const { file, offset, why } = damage;
  const commits = lost.map(({ name, commits: count }) => `  ${count} commits of ${name}`);
  const lines = [
    `the log is damaged in ${file}, byte ${offset}: ${why}`,
    `everything up to ${keptLsn} is kept; ${lostToLsn - keptLsn} bytes of log are lost:`,
    ...(lost.length === 0 ? ["  no commit behind it can be read any more"] : commits),
  ];
  return visibleLines(lines);
}

async function confirms(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    process.stderr.write("there is no terminal to ask at: to cut the log there, add --yes\n");
    return false;
  }
  return (await ask("Cut the log there? This cannot be undone. (yes/no) ")) === "yes";
}

function outcomeText(outcome: RepairOutcome): string {
  if (outcome.type === "whole") return "nothing to repair: the log is whole\n";
  if (outcome.type === "declined") return "nothing was changed\n";
  const { loss, aside } = outcome;
  const told = `repaired: the log is kept up to ${loss.keptLsn}; damaged files are in ${aside}`;
  return visibleLines([told]);
}

function reportText(
  { directory, isSound, checked, findings }: VerifyReport,
  hasSink: boolean,
): string {
  const { manifestRows, segments, batches, commits, logBytes, chunks, pages, chunkBytes } = checked;
  const { remoteChunks, remoteChunkBytes } = checked;
  const lines: [string, string][] = [
    ["store", directory],
    ["manifest", `${manifestRows} rows`],
    ["log", `${segments} segments, ${batches} batches, ${sizeText(logBytes)}; ${commits} commits`],
    ["chunks", `${chunks}, ${sizeText(chunkBytes)}; ${pages} pages`],
  ];
  if (remoteChunks > 0) {
    const read = hasSink ? "read there" : "not read: --sink reads them";
    const away = `${remoteChunks}, ${sizeText(remoteChunkBytes)}: not here, only in the sink; ${read}`;
    lines.push(["away", away]);
  }
  const damages = findings.filter(({ level }) => level === "damage").length;
  const facts = lines.map(([name, value]) => `${name.padEnd(10)}${visible(value)}\n`).join("");
  const told = findings.map((finding) => `${findingText(finding)}\n`).join("");
  const verdict = isSound ? "sound: no damage was found" : `DAMAGED: ${damages} findings`;
  return `${facts}${told}${verdict}\n`;
}

function findingText({ level, file, offset, what, database, page }: Finding): string {
  const at = offset === undefined ? "" : `, byte ${offset}`;
  const of = database === undefined ? "" : ` of database "${database}"`;
  const whose = page === undefined ? of : ` (page ${page}${of})`;
  return visible(`${level.padEnd(7)} ${file}${at}: ${what}${whose}`);
}
