/** `bop checkpoint`: the log folded into chunks. */
import { Command } from "commander";
import { Output, sizeText } from "../output.ts";
import { directoryOption, ioOption, jsonOption, type StoreOptions, withStore } from "../store.ts";

interface CheckpointOptions extends StoreOptions {
  readonly json?: boolean;
}

export function checkpointCommand(): Command {
  return new Command("checkpoint")
    .summary("fold the log into chunks")
    .description(
      "Write what the log holds to chunks, so that its segments can be used again and the next " +
        "start reads less. The store does so by itself; this does it now.",
    )
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  bop checkpoint --directory /srv/data")
    .action((options: CheckpointOptions) =>
      withStore(options, async (manager) => {
        await manager.checkpoint();
        const { log, pages } = manager.diagnostics();
        const { checkpointLsn, segments } = log;
        const { chunks, chunkBytes } = pages;
        const output = new Output(process.stdout);
        if (options.json === true) {
          output.json({ checkpoint: { lsn: checkpointLsn, segments, chunks, chunkBytes } });
        } else {
          output.write(
            `checkpoint at ${checkpointLsn}: ${chunks} chunks, ${sizeText(chunkBytes)}\n`,
          );
        }
      }),
    );
}
