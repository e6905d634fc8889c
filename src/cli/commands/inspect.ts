/** `bop inspect`: what a file of a store holds, damage and all. */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { Argument, Command, InvalidArgumentError } from "commander";
import { systemEnv } from "../../io/index.ts";
import {
  type Facts,
  FileSource,
  type InspectedPart,
  type Inspection,
  inspectArtefact,
} from "../../manager/index.ts";
import { type SegmentHints, sequenceInName } from "../../wal/index.ts";
import { CommandError, EXIT } from "../exit.ts";
import { Output, sizeText } from "../output.ts";
import { jsonOption } from "../store.ts";
import { visible } from "../visible.ts";

interface InspectOptions {
  readonly json?: boolean;
  readonly frames?: boolean;
  readonly limit: number;
}

const PARTS_SHOWN = 50;

export function inspectCommand(): Command {
  return new Command("inspect")
    .summary("show what a file of a store holds")
    .description(
      "Show what a segment, a chunk, a superblock or an object of a sink holds, and what is wrong " +
        "with it and where. " +
        "Reads nothing but the file (and the superblock above it, for a segment without a header).",
    )
    .addArgument(new Argument("<file>", "a segment, a chunk, a superblock or an object"))
    .option("--frames", "list the frames of each batch of a segment")
    .option("--limit <n>", "how many batches, pages or copies to list", count, PARTS_SHOWN)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n  bop inspect data/superblock\n" +
        "  bop inspect data/wal/0000000000000001.wal --frames --limit 3\n" +
        "  bop inspect data/chunks/01/0000000000000001.chunk --json | jq .problems",
    )
    .action(run);
}

async function run(file: string, options: InspectOptions): Promise<void> {
  const path = resolve(file);
  const { storage } = systemEnv({ scratchDirectory: dirname(path) });
  const kind = (await storage.stat(path))?.kind;
  if (kind !== "file") {
    const advice = /\.chunk$/.test(path)
      ? "it may be only in the sink of the store: `bop verify --sink` tells, and reads it there"
      : "name a file of a store; `bop verify` looks at a whole store";
    const what = kind === undefined ? "there is no file" : "not a file but a directory:";
    throw new CommandError(`${what} ${path}`, advice);
  }
  const source = await FileSource.open(storage, path);
  try {
    const { frames = false, limit } = options;
    const hints = await hintsFor(path);
    const inspection = inspectArtefact(source, { withFrames: frames, limit, hints });
    const output = new Output(process.stdout);
    if (options.json === true) output.json({ file: path, ...inspection });
    else output.write(inspectionText(path, inspection));
    if (inspection.problems.length > 0 || inspection.kind === "unknown") {
      process.exitCode = EXIT.failed;
    }
  } finally {
    await source.close();
  }
}

/** What the place of a segment tells of it. */
async function hintsFor(path: string): Promise<SegmentHints> {
  const sequence = sequenceInName(basename(path));
  if (sequence === undefined) return {};
  const superblock = join(dirname(path), "..", "superblock");
  if (!existsSync(superblock)) return { sequence };
  const { storage } = systemEnv({ scratchDirectory: dirname(path) });
  const source = await FileSource.open(storage, superblock);
  try {
    const { facts } = inspectArtefact(source, { withFrames: false, limit: 0, hints: {} });
    const id = typeof facts.storeId === "string" ? Buffer.from(facts.storeId, "hex") : undefined;
    return { sequence, ...(id !== undefined && { storeId: new Uint8Array(id) }) };
  } finally {
    await source.close();
  }
}

function inspectionText(path: string, inspection: Inspection): string {
  const { kind, sizeBytes, facts, parts, partsOmitted, problems } = inspection;
  const lines = [`${visible(path)}: ${kind}, ${sizeText(sizeBytes)}`];
  for (const [name, value] of Object.entries(facts)) lines.push(`  ${name.padEnd(18)} ${value}`);
  for (const part of parts) lines.push(...partLines(part, ""));
  if (partsOmitted > 0) lines.push(`… and ${partsOmitted} more; --limit shows them`);
  for (const { offset, why } of problems) lines.push(`PROBLEM at byte ${offset}: ${visible(why)}`);
  if (problems.length === 0) lines.push("no problem found");
  return `${lines.join("\n")}\n`;
}

function partLines({ offset, what, facts, parts = [] }: InspectedPart, indent: string): string[] {
  const line = `${indent}${String(offset).padStart(10)}  ${what.padEnd(7)} ${factsText(facts)}`;
  return [line.trimEnd(), ...parts.flatMap((part) => partLines(part, `${indent}    `))];
}

const factsText = (facts: Facts): string =>
  Object.entries(facts)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

function count(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError("a natural number is wanted");
}
