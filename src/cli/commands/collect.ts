/** `bop collect`: pages that nobody can reach any more go, or are named. */
import { Command } from "commander";
import type { CollectReport, Manager } from "../../manager/index.ts";
import { Output, sizeText } from "../output.ts";
import { directoryOption, ioOption, jsonOption, type StoreOptions, withStore } from "../store.ts";

interface CollectCommandOptions extends StoreOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function collectCommand(): Command {
  return new Command("collect")
    .summary("give back the space of pages that nobody can reach")
    .description(
      "Give back the space of pages that no database, fork, snapshot or history reaches, beyond\n" +
        "what checkpoints give back by themselves.",
    )
    .option("--dry-run", "change nothing; say what would go, and what keeps the rest")
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  bop collect --dry-run\n  bop collect --json")
    .action((options: CollectCommandOptions) =>
      withStore(options, (manager) => run(manager, options)),
    );
}

async function run(manager: Manager, options: CollectCommandOptions): Promise<void> {
  const dryRun = options.dryRun === true;
  const report = await manager.collect({ dryRun });
  const output = new Output(process.stdout);
  if (options.json === true) output.json({ collected: { dryRun, ...report } });
  else output.write(reportText(report, dryRun));
}

function reportText(report: CollectReport, dryRun: boolean): string {
  const { chunks, chunkBytes, versions, compacted, kept } = report;
  const { amplificationBefore, amplificationAfter } = report;
  const reasons = Object.entries(kept).filter(([, count]) => count > 0);
  const keepers = reasons.map(([reason, count]) => `${reason} ${count}`).join(", ");
  const space = `${amplificationBefore.toFixed(2)} → ${amplificationAfter.toFixed(2)}`;
  return [
    `${dryRun ? "would remove" : "removed"} ${chunks} chunks (${sizeText(chunkBytes)}), ` +
      `${versions} old versions of page maps`,
    `${dryRun ? "would compact" : "compacted"} ${compacted} chunks that are mostly dead`,
    `chunks kept for what is not newest: ${keepers === "" ? "none" : keepers}`,
    `bytes stored per byte in use: ${space}`,
    "",
  ].join("\n");
}
