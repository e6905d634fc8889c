/**
 * `bop dead-letters`: what the sink refused for good, what is to become of it, and what was given up.
 *
 * (1) Each of these commands opens the store without waiting for its sink. A letter that is held asks
 *     nothing of the sink until somebody decides; where there is none the store ships until it has
 *     shipped all, or is refused.
 * (2) What the sink refuses before anything can be shipped is a letter for as long as the store is
 *     open: it has the same number each time.
 */
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Argument, Command, InvalidArgumentError } from "commander";
import type { DeadLetterInfo, LostWindow, Manager } from "../../manager/index.ts";
import { CommandError, UsageError } from "../exit.ts";
import { Output, sizeText, timeText } from "../output.ts";
import {
  directoryOption,
  ioOption,
  jsonOption,
  openTelling,
  refuseWithoutStore,
  type StoreOptions,
  shippedOptions,
  sinkOption,
} from "../store.ts";
import { numberCell, tableText, textCell } from "../table.ts";

const SETTLE_MS_MAX = 30_000;
const LOOK_EVERY_MS = 50;

interface LetterOptions extends StoreOptions {
  readonly json?: boolean;
  readonly yes?: boolean;
}

export function deadLettersCommand(): Command {
  return new Command("dead-letters")
    .summary("list, retry and discard what the sink refused")
    .description(
      "What the sink, or this disk, refused for a reason that waiting cannot mend. Shipping of its\n" +
        "kind rests until it is retried or discarded, also when the store is opened again; nothing\n" +
        "of it is lost here. One of the kind log holds up the log of all databases: to discard it\n" +
        "gives up whatever was not shipped. For a chunk or a manifest the next state is made anew.",
    )
    .addCommand(listCommand())
    .addCommand(retryCommand())
    .addCommand(discardCommand())
    .addHelpText(
      "after",
      "\nExamples:\n  bop dead-letters list --sink file:///backup\n  bop dead-letters retry 3",
    );
}

function listCommand(): Command {
  return withShared(new Command("list"))
    .summary("list them with their reasons, and what was given up")
    .action((options: LetterOptions) =>
      withSink(options, async (manager) => {
        const output = new Output(process.stdout);
        const deadLetters = manager.deadLetters();
        const lostWindows = manager.diagnostics().sink?.lostWindows ?? [];
        if (options.json === true) output.json({ deadLetters, lostWindows });
        else output.write(lettersText(deadLetters) + windowsText(lostWindows));
      }),
    );
}

function retryCommand(): Command {
  return withShared(new Command("retry"))
    .summary("try one again, once what stood in the way is mended")
    .addArgument(letterArgument())
    .action((id: number, options: LetterOptions) =>
      withSink(options, async (manager) => {
        const { kind } = known(manager, id);
        await manager.retryDeadLetter(id);
        await settled(manager);
        refuseIfStill(manager, kind);
        tell(options, { retried: id });
      }),
    );
}

function discardCommand(): Command {
  return withShared(new Command("discard"))
    .summary("go on without what one stands for")
    .addArgument(letterArgument())
    .option("-y, --yes", "what it stands for cannot be restored from the sink then")
    .action((id: number, options: LetterOptions) => {
      if (options.yes !== true) {
        throw new UsageError("what it stands for can never be restored from the sink; add --yes");
      }
      return withSink(options, async (manager) => {
        known(manager, id);
        await manager.discardDeadLetter(id);
        await settled(manager);
        tell(options, { discarded: id });
      });
    });
}

function withShared(command: Command): Command {
  return command
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(sinkOption())
    .addOption(jsonOption());
}

function letterArgument(): Argument {
  return new Argument("<id>", "its number, as listed").argParser((text) => {
    const id = Number(text);
    if (Number.isSafeInteger(id) && id > 0) return id;
    throw new InvalidArgumentError("Want a number of the list.");
  });
}

/** See (1). */
async function withSink<T>(
  options: LetterOptions,
  work: (manager: Manager) => Promise<T>,
): Promise<T> {
  const { sink, io = "auto" } = options;
  if (sink === undefined) throw new UsageError("name the sink with --sink or BOP_SINK");
  refuseWithoutStore(options);
  const place = resolve(options.directory);
  const manager = await openTelling(place, { io, ...shippedOptions(options), sinkTimeoutMs: 0 });
  try {
    await settled(manager);
    return await work(manager);
  } finally {
    await manager.close();
  }
}

const LOST: ReadonlySet<string> = new Set(["fenced", "diverged", "closed"]);

/** Everything is shipped, or was refused, or the bucket is lost, or it takes too long. */
async function settled(manager: Manager): Promise<void> {
  const endMs = performance.now() + SETTLE_MS_MAX;
  while (performance.now() < endMs) {
    const sink = manager.diagnostics().sink;
    if (sink === undefined || manager.deadLetters().length > 0 || LOST.has(sink.state)) return;
    if (sink.state === "shipping" && sink.unshippedBytes === 0) return;
    await sleep(LOOK_EVERY_MS);
  }
}

function known(manager: Manager, id: number): DeadLetterInfo {
  const found = manager.deadLetters().find((letter) => letter.id === id);
  if (found !== undefined) return found;
  throw new CommandError(`there is no dead letter ${id}`, "`bop dead-letters list` shows them");
}

/** Nothing was given up, and nothing was won: the log rests again, or states and chunks do. */
function refuseIfStill(manager: Manager, kind: DeadLetterInfo["kind"]): void {
  const again = manager.deadLetters().find((each) => (each.kind === "log") === (kind === "log"));
  if (again === undefined) return;
  throw new CommandError(
    `it was refused again, and is dead letter ${again.id} now: ${again.reason}`,
    "mend what stands in the way, then retry that one",
  );
}

function tell(options: LetterOptions, told: Readonly<Record<string, number>>): void {
  const output = new Output(process.stdout);
  if (options.json === true) output.json(told);
  else output.write(`${Object.entries(told).map(([what, id]) => `${what} ${id}`)}\n`);
}

function lettersText(letters: readonly DeadLetterInfo[]): string {
  if (letters.length === 0) return "no dead letters\n";
  const rows = letters.map(({ id, kind, at, bytes, reason }) => [
    numberCell(String(id)),
    textCell(kind),
    textCell(timeText(at)),
    numberCell(sizeText(bytes)),
    textCell(reason),
  ]);
  return tableText(["id", "kind", "since (UTC)", "waited", "reason"], rows);
}

/** What no restore can bring back from the sink. */
function windowsText(windows: readonly LostWindow[]): string {
  if (windows.length === 0) return "";
  const rows = windows.map(({ fromLsn, toLsn, discardedAtMs, letter, reason }) => [
    numberCell(String(fromLsn)),
    numberCell(String(toLsn)),
    textCell(timeText(new Date(discardedAtMs))),
    numberCell(String(letter)),
    textCell(reason),
  ]);
  const header = ["lost from lsn", "to lsn", "given up (UTC)", "letter", "reason"];
  return `\n${tableText(header, rows)}`;
}
