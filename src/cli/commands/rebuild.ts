/** `bop rebuild`: a manifest that was lost or damaged, made again. */
import { resolve } from "node:path";
import { Command } from "commander";
import { systemEnv } from "../../io/index.ts";
import { type RebuildReport, rebuildManifest } from "../../manager/index.ts";
import { openLmdbStore } from "../../manifest/index.ts";
import { Output } from "../output.ts";
import { directoryOption, jsonOption, refuseWithoutStore, type StoreOptions } from "../store.ts";
import { visible } from "../visible.ts";

interface RebuildCommandOptions extends StoreOptions {
  readonly replace?: boolean;
  readonly json?: boolean;
}

export function rebuildCommand(): Command {
  return new Command("rebuild")
    .summary("make a lost manifest again")
    .description(
      "Make the manifest of a store again from its mirror, its log and its chunks. Databases and " +
        "what is in them come back as they were; the change log, cursors and jobs begin anew. " +
        "`bop verify` then tells whether everything fits.",
    )
    .option("--replace", "move a manifest that is there aside")
    .addOption(directoryOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  bop rebuild -d /srv/data\n  bop rebuild --replace")
    .action((options: RebuildCommandOptions) => run(options));
}

async function run(options: RebuildCommandOptions): Promise<void> {
  refuseWithoutStore(options);
  const directory = resolve(options.directory);
  const report = await rebuildManifest({
    env: systemEnv({ scratchDirectory: `${directory}/tmp` }),
    directory,
    openKeyValueStore: openLmdbStore,
    replace: options.replace ?? false,
  });
  const output = new Output(process.stdout);
  if (options.json === true) output.json({ rebuilt: report });
  else output.write(reportText(report));
}

function reportText(report: RebuildReport): string {
  const { rows, chunks, awayChunks, segments, checkpointLsn, movedTo } = report;
  const away = awayChunks === 0 ? "" : ` (${awayChunks} in the sink only)`;
  const what = `${rows} rows, ${chunks} chunks${away}, ${segments} segments`;
  const moved = movedTo === undefined ? "" : `the old one is in ${visible(movedTo)}\n`;
  return `rebuilt the manifest as of LSN ${checkpointLsn}: ${what}\n${moved}`;
}
