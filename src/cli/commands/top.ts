/**
 * `bop top`: what a store does, looked at again and again.
 *
 * (1) A server is asked by its URL, and does not notice. A directory is opened, as by any command: a
 *     store that another process has open is refused, and that process is asked instead.
 * (2) It runs until somebody stops it, with exit code 0. --once looks twice and ends, and --json does
 *     the same for programs.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import type { Manager } from "../../manager/index.ts";
import { Output } from "../output.ts";
import {
  directoryOption,
  ioOption,
  jsonOption,
  type StoreOptions,
  sinkOption,
  withStore,
} from "../store.ts";
import { askServer, isServer } from "../top/ask-server.ts";
import { pace, type Sample } from "../top/pace.ts";
import { topText } from "../top/top-text.ts";

interface TopOptions extends StoreOptions {
  readonly interval: number;
  readonly once?: boolean;
  readonly json?: boolean;
}

const INTERVAL_SECONDS = 2;
/** Cursor home, and away with what is below. */
const CLEAR = "\u001b[H\u001b[J";

export function topCommand(): Command {
  return new Command("top")
    .summary("watch what a store does")
    .description(
      "Watch what a store does: commits, flushes, checkpoints, the cache, the sink, what is on this\n" +
        "disk and what only there, and the databases that were changed most.",
    )
    .argument("[place]", "the URL of a server, or a directory; the same as --directory")
    .option("--interval <seconds>", "between two looks", seconds, INTERVAL_SECONDS)
    .option("--once", "look twice, tell the difference, and end")
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(sinkOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n  bop top http://127.0.0.1:8080\n  bop top ./data --once\n" +
        "  bop top http://127.0.0.1:8080 --json | jq .perSecond.commits",
    )
    .action((place: string | undefined, options: TopOptions) => {
      if (place !== undefined && isServer(place)) return watch(() => askServer(place), options);
      const directory = place ?? options.directory;
      return withStore({ ...options, directory }, (manager) => watch(look(manager), options));
    });
}

const look = (manager: Pick<Manager, "diagnostics">) => async (): Promise<Sample> => ({
  atMs: performance.now(),
  facts: manager.diagnostics(),
});

async function watch(ask: () => Promise<Sample>, options: TopOptions): Promise<void> {
  const output = new Output(process.stdout);
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    let before = await ask();
    while (!output.isClosed) {
      await sleep(options.interval * 1000, undefined, { signal: stopped.signal });
      const now = await ask();
      const perSecond = pace(before, now);
      if (options.json === true) {
        output.json({ perSecond, diagnostics: now.facts });
        return;
      }
      const isLive = output.isTerminal && options.once !== true;
      const { columns } = output;
      output.write((isLive ? CLEAR : "") + topText({ perSecond, facts: now.facts, columns }));
      if (options.once === true) return;
      before = now;
    }
  } catch (error) {
    if (!stopped.signal.aborted) throw error; // See (2).
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

function seconds(text: string): number {
  const value = Number(text);
  if (value >= 0.1 && value <= 3600) return value;
  throw new InvalidArgumentError("Want seconds, from 0.1 to 3600.");
}
