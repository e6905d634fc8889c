/** `bop tree`: who was forked from whom. */
import { Command } from "commander";
import type { FamilyNode, Manager } from "../../manager/index.ts";
import { checkedName } from "../arguments.ts";
import { existingDatabase } from "../databases.ts";
import { treeText } from "../family-text.ts";
import { Output } from "../output.ts";
import { directoryOption, ioOption, jsonOption, type StoreOptions, withStore } from "../store.ts";

interface TreeOptions extends StoreOptions {
  readonly json?: boolean;
}

export function treeCommand(): Command {
  return new Command("tree")
    .summary("draw which database was forked from which")
    .description(
      "Draw families of databases: forks below what they were forked from, with the LSN of that\n" +
        "moment. One in brackets was dropped; others still read through it.",
    )
    .argument("[name]", "only the family of this database", checkedName)
    .addOption(directoryOption())
    .addOption(ioOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  bop tree\n  bop tree shop --json")
    .action((name: string | undefined, options: TreeOptions) =>
      withStore(options, (manager) => run(manager, name, options)),
    );
}

async function run(manager: Manager, name: string | undefined, options: TreeOptions) {
  if (name !== undefined) await existingDatabase(manager, name);
  const families = await manager.tree(name);
  const output = new Output(process.stdout);
  if (options.json === true) output.json({ families: families.map(jsonOf) });
  else if (families.length === 0) output.write("no forks\n");
  else output.write(treeText(families));
}

function jsonOf(node: FamilyNode): object {
  const { name, stream, state, sizeBytes, forkedAtLsn, createdAt, snapshots, forks } = node;
  return {
    name: name ?? null,
    stream,
    state,
    sizeBytes,
    forkedAtLsn: forkedAtLsn ?? null,
    createdAt: createdAt?.toISOString() ?? null,
    snapshots: snapshots.map((it) => ({ name: it.name, lsn: it.lsn })),
    forks: forks.map(jsonOf),
  };
}
