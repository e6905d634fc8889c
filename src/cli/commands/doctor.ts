/**
 * `bop doctor`: can a store rely on this disk, and on this bucket? Both are tried out, in plain words.
 *
 * (1) It exits with 0 if everything that is required was found, with 1 if not.
 * (2) It opens no store: it may run beside one, on the same disk and the same bucket.
 */
import { tmpdir } from "node:os";
import { Command } from "commander";
import { systemEnv } from "../../io/index.ts";
import { openObjectStore, type ProbeFinding, type ProbeReport, probe } from "../../sink/index.ts";
import { checkDisk } from "../disk-check.ts";
import { EXIT, UsageError } from "../exit.ts";
import { Output } from "../output.ts";
import { readSpeed } from "../read-speed.ts";
import { directoryOption, interruptible, jsonOption, sinkOption } from "../store.ts";
import { visibleLines } from "../visible.ts";

interface DoctorOptions {
  readonly directory: string;
  readonly sink?: string;
  readonly json?: boolean;
}

export function doctorCommand(): Command {
  return new Command("doctor")
    .summary("try out whether disk and bucket do what a store needs")
    .description(
      "Try out whether the disk flushes what is written, and whether a bucket keeps two writers\n" +
        "apart, gives back what was put, and deletes what is deleted. What is tried is removed.",
    )
    .addOption(directoryOption())
    .addOption(sinkOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n  bop doctor\n  bop doctor --sink 's3://backups/store?region=eu-central-1'",
    )
    .action((options: DoctorOptions) => interruptible((signal) => run(options, signal)));
}

async function run({ directory, sink, json }: DoctorOptions, signal: AbortSignal): Promise<void> {
  const env = systemEnv({ scratchDirectory: tmpdir() });
  const output = new Output(process.stdout);
  const disk = await checkDisk(env, directory);
  if (json !== true) output.write(reportText("disk", disk));
  const bucket = sink === undefined ? undefined : await examined(sink, { env, signal });
  if (json === true) output.json({ fit: disk.fit && bucket?.fit !== false, disk, bucket });
  else if (bucket !== undefined) output.write(reportText("bucket", bucket));
  if (!disk.fit || bucket?.fit === false) process.exitCode = EXIT.failed;
}

async function examined(
  url: string,
  { env, signal }: { readonly env: ReturnType<typeof systemEnv>; readonly signal: AbortSignal },
): Promise<ProbeReport> {
  const store = await openObjectStore(url, env).catch((error: unknown) => {
    throw error instanceof TypeError || error instanceof RangeError
      ? new UsageError(error.message)
      : error;
  });
  try {
    const report = await probe(store, { random: env.random, signal });
    if (!report.fit) return report;
    return { ...report, findings: [...report.findings, await readSpeed(store, env, signal)] };
  } finally {
    await store.close();
  }
}

function reportText(
  what: string,
  { location, fit, findings }: Pick<ProbeReport, "location" | "fit" | "findings">,
): string {
  const verdict = fit ? "fit for a store" : "not fit for a store";
  return visibleLines([`${what} ${location}: ${verdict}`, ...findings.map(findingText)]);
}

function findingText({ name, required, passed, says }: ProbeFinding): string {
  const mark = passed ? "yes" : required ? "NO" : "no";
  return `  ${mark.padEnd(4)}${name.padEnd(18)}${says}`;
}
