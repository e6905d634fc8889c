/**
 * THE TOUR, `npm run demo`, in two acts. A hundred tenants, sixty-four callers, a SIGKILL in mid-load,
 * and the proof that nothing acknowledged was lost. Then the same with a bucket, and with the SIGKILL
 * the disk is gone, too.
 *
 * (1) It ends by itself, within LIMIT_MS. Exit code 0: every promise was kept; 1: one was not, or the
 *     tour could not be finished; 2: wrong usage.
 * (2) It leaves nothing behind, unless told to: neither files nor the writing process, however it
 *     ends, a Ctrl-C included.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseTourOptions, type TourOptions, USAGE } from "./arguments.ts";
import { Display } from "./display.ts";
import { Ledger } from "./ledger.ts";
import { isKept, type KilledProcess, type LostDisk, report } from "./report.ts";
import { create, exportShop, goOn, loseAndRestore, prove, reopen, writeAndKill } from "./stages.ts";
import { CALLERS, TENANTS } from "./workload.ts";
import { Writing } from "./writing.ts";

const LIMIT_MS = 100_000;
const EXIT = { kept: 0, failed: 1, usage: 2 } as const;

interface Trip {
  readonly display: Display;
  readonly directory: string;
  readonly seconds: number;
  /** The process that writes at this moment, to be ended with the tour. */
  readonly started: (writing: Writing) => void;
}

/** True if every promise was kept. */
async function travel(trip: Trip): Promise<boolean> {
  const process = await killProcess(trip);
  const disk = await loseDisk(trip);
  report(trip.display, process, disk);
  return isKept(process, disk);
}

async function killProcess({ display, directory, seconds, started }: Trip): Promise<KilledProcess> {
  const ledger = new Ledger();
  const store = join(directory, "store");
  const writing = new Writing({ directory: store, ledger });
  started(writing);
  const meter = await create(display, writing);
  const totals = await writeAndKill({ display, writing, ledger, meter, seconds });
  const reopened = await reopen(display, store);
  try {
    const proven = await prove(display, reopened.manager, ledger);
    const exported = await exportShop(display, reopened.manager, directory);
    return { totals, reopened, proven, exported, acknowledged: ledger.acknowledged };
  } finally {
    await reopened.manager.close();
  }
}

/** What ships does not last as long: it is for the proof, not for the rate. */
const SHIPPING_SHARE = 0.5;

async function loseDisk({ display, directory, seconds, started }: Trip): Promise<LostDisk> {
  const ledger = new Ledger();
  const store = join(directory, "shipped");
  const sink = pathToFileURL(join(directory, "bucket")).href;
  const writing = new Writing({ directory: store, sink, ledger });
  started(writing);
  display.act("And now with a bucket", "a commit is acknowledged when it is there, not here");
  const meter = await create(display, writing);
  const lasting = { seconds: Math.max(1, seconds * SHIPPING_SHARE) };
  const totals = await writeAndKill({ display, writing, ledger, meter, ...lasting });
  const restored = await loseAndRestore({ display, directory: store, sink });
  try {
    const proven = await prove(display, restored.manager, ledger);
    const wentOn = await goOn(display, restored.manager);
    return { totals, restored, proven, wentOn, acknowledged: ledger.acknowledged };
  } finally {
    await restored.manager.close();
  }
}

/** Rejects when the tour is told to stop, or has taken too long. */
function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    const seconds = LIMIT_MS / 1000;
    setTimeout(() => reject(new Error(`not finished within ${seconds} s`)), LIMIT_MS).unref();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => reject(new Error(`stopped by ${signal}`)));
    }
    process.stdout.on("error", reject); // Whoever read our output has gone away.
  });
}

async function tour({ seconds, keep }: TourOptions): Promise<number> {
  const interrupted = interruption();
  const directory = await mkdtemp(join(tmpdir(), "bop-tour-"));
  const display = new Display(process.stdout, process.env);
  display.title(
    "bop-storage, the tour",
    `${TENANTS} tenants, ${CALLERS} callers, one write-ahead log, two kills -9, one lost disk`,
  );
  let writing: Writing | undefined;
  const started = (now: Writing) => {
    writing = now;
  };
  try {
    const trip = travel({ display, directory, seconds, started });
    return (await Promise.race([trip, interrupted])) ? EXIT.kept : EXIT.failed;
  } catch (error) {
    display.halt(error instanceof Error ? error.message : String(error));
    return EXIT.failed;
  } finally {
    await writing?.kill();
    if (keep) display.plain(whereItIs(directory));
    else await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    display.close();
  }
}

function whereItIs(directory: string): string {
  const store = join(directory, "store");
  return `
  Kept in ${directory}
    npx tsx src/cli/main.ts list --directory ${store}
    npx tsx src/cli/main.ts shell tenant-042 --directory ${store}`;
}

async function main(argv: readonly string[]): Promise<number> {
  let options: TourOptions;
  try {
    options = parseTourOptions(argv);
  } catch (error) {
    process.stderr.write(`demo: ${(error as Error).message}\n\n${USAGE}`);
    return EXIT.usage;
  }
  if (options.help) {
    process.stdout.write(USAGE);
    return EXIT.kept;
  }
  return tour(options);
}

process.exitCode = await main(process.argv.slice(2));
// A tour that was stopped may be in the midst of something; nothing waits for it.
if (process.exitCode === EXIT.failed) process.exit();
