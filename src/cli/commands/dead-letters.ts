/**
 * `bop dead-letters`: what the sink refused for good, and what is to become of it.
 *
 * (1) A letter lives as long as the store is open: each of these commands opens it, and lets it ship
 *     until it has shipped all or is refused. What is refused has the same number each time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Argument, Command, InvalidArgumentError } from "commander";
import type { DeadLetterInfo, Manager } from "../../manager/index.ts";
import { CommandError, UsageError } from "../exit.ts";
import { Output, timeText } from "../output.ts";
import {
  directoryOption,
  ioOption,
  jsonOption,
  type StoreOptions,
  sinkOption,
  withStore,
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
        "kind rests until it is retried or discarded; nothing of it is lost here.",
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
    .summary("list them with their reasons")
    .action((options: LetterOptions) =>
      withSink(options, async (manager) => {
        const output = new Output(process.stdout);
        const letters = manager.deadLetters();
        if (options.json === true) output.json({ deadLetters: letters });
        else output.write(letters.length > 0 ? lettersText(letters) : "no dead letters\n");
      }),
    );
}

function retryCommand(): Command {
  return withShared(new Command("retry"))
    .summary("try one again, once what stood in the way is mended")
    .addArgument(letterArgument())
    .action((id: number, options: LetterOptions) =>
      withSink(options, async (manager) => {
        await manager.retryDeadLetter(known(manager, id));
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
        await manager.discardDeadLetter(known(manager, id));
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
function withSink<T>(options: LetterOptions, work: (manager: Manager) => Promise<T>): Promise<T> {
  if (options.sink === undefined) throw new UsageError("name the sink with --sink or BOP_SINK");
  return withStore(options, async (manager) => {
    await settled(manager);
    const result = await work(manager);
    await settled(manager);
    return result;
  });
}

/** Everything is shipped, or was refused, or takes too long. */
async function settled(manager: Manager): Promise<void> {
  const endMs = performance.now() + SETTLE_MS_MAX;
  while (performance.now() < endMs) {
    const sink = manager.diagnostics().sink;
    if (sink === undefined || manager.deadLetters().length > 0) return;
    if (sink.state === "shipping" && sink.unshippedBytes === 0) return;
    await sleep(LOOK_EVERY_MS);
  }
}

function known(manager: Manager, id: number): number {
  if (manager.deadLetters().some((letter) => letter.id === id)) return id;
  throw new CommandError(`there is no dead letter ${id}`, "`bop dead-letters list` shows them");
}

function tell(options: LetterOptions, told: Readonly<Record<string, number>>): void {
  const output = new Output(process.stdout);
  if (options.json === true) output.json(told);
  else output.write(`${Object.entries(told).map(([what, id]) => `${what} ${id}`)}\n`);
}

function lettersText(letters: readonly DeadLetterInfo[]): string {
  const rows = letters.map(({ id, kind, at, reason }) => [
    numberCell(String(id)),
    textCell(kind),
    textCell(timeText(at)),
    textCell(reason),
  ]);
  return tableText(["id", "kind", "since (UTC)", "reason"], rows);
}
