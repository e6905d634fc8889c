/**
 * REPAIR OF A STORE whose log is refused: owns the store while it looks and while it acts, says what
 * would be lost before anything is changed, and leaves the decision to whoever asked.
 *
 *   claim → manifest, superblock → plan ─► nothing to do, or a decision ─► cut the log ─► release
 *
 * (1) Only the log is repaired. Damage elsewhere is verification's to tell (verify.ts).
 * (2) Until the decision, nothing is changed but the record of the owner.
 */
import type { Env } from "../../base/env.ts";
import { lsn } from "../../base/units.ts";
import {
  claimOwnership,
  type Manifest,
  type OpenKeyValueStore,
  openManifest,
} from "../../manifest/index.ts";
import { SuperblockFile } from "../../page-store/index.ts";
import { applyRepair, planRepair, type RepairOptions, type RepairPlan } from "../../write/index.ts";

export interface RepairStoreOptions {
  readonly env: Env;
  readonly directory: string;
  readonly openKeyValueStore: OpenKeyValueStore;
  /** Told what would be lost; true has it done. */
  readonly decide: (loss: RepairLoss) => Promise<boolean>;
}

/** What a repair gives up, in words that an operator can weigh. */
export interface RepairLoss {
  readonly damage: RepairPlan["damage"];
  /** Everything up to here is kept. */
  readonly keptLsn: number;
  /** Everything from there to here is lost. */
  readonly lostToLsn: number;
  /** Commits that can still be read in what is lost; there may have been more. */
  readonly lost: readonly { readonly name: string; readonly commits: number }[];
}

export type RepairOutcome =
  | { readonly type: "whole" }
  | { readonly type: "declined"; readonly loss: RepairLoss }
  /** `aside` is the folder with the damaged files as they were. */
  | { readonly type: "repaired"; readonly loss: RepairLoss; readonly aside: string };

/** Throws BOP_LOCKED if somebody alive owns the store, BOP_CORRUPT for what is not the log's. */
export async function repairStore(options: RepairStoreOptions): Promise<RepairOutcome> {
  const { env, directory, openKeyValueStore } = options;
  const owner = await claimOwnership({ openStore: openKeyValueStore, owned: directory, env });
  try {
    const manifest = await openManifest({
      openStore: openKeyValueStore,
      directory: `${directory}/manifest`,
      storeIdForNew: env.random.bytes(16),
      clock: env.clock,
    });
    try {
      return await repairOn(manifest, options);
    } finally {
      await manifest.close();
    }
  } finally {
    await owner.release();
  }
}

async function repairOn(manifest: Manifest, options: RepairStoreOptions): Promise<RepairOutcome> {
  const { env, directory, decide } = options;
  const { storeId, segments, history, checkpointLsn, durableLsn, catalogueLsn } = manifest.opened;
  const superblock = await SuperblockFile.open({ storage: env.storage, directory });
  const known = [durableLsn, catalogueLsn, superblock?.superblock.durableLsn ?? 0];
  const wanted: RepairOptions = {
    env,
    directory: `${directory}/wal`,
    storeId,
    registered: segments,
    history,
    checkpointLsn,
    durableFloorLsn: lsn(Math.max(...known)),
    register: async (sequence) => void (await manifest.publish({ addSegments: [sequence] })),
    unregister: async (gone) => void (await manifest.publish({ removeSegments: gone })),
  };
  const plan = await planRepair(wanted);
  if (plan === undefined) return { type: "whole" };
  const loss = lossOf(plan, manifest);
  if (!(await decide(loss))) return { type: "declined", loss };
  return { type: "repaired", loss, aside: await applyRepair(plan, wanted) };
}

function lossOf(plan: RepairPlan, { opened }: Manifest): RepairLoss {
  const { damage, keptLsn, lostToLsn } = plan;
  const rows = [...opened.databases, ...opened.recordLogs];
  const names = new Map<number, string>(rows.map(({ stream, name }) => [stream, name]));
  const nameOf = (stream: number) =>
    stream === 0 ? "the catalogue" : (names.get(stream) ?? `stream ${stream}`);
  const lost = plan.lost.map(({ stream, commits }) => ({ name: nameOf(stream), commits }));
  return { damage, keptLsn, lostToLsn, lost };
}
