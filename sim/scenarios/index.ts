/**
 * SCENARIOS: what a seed lives through. Each takes a seed and throws a BrokenPromise, or whatever
 * else should not have been thrown.
 */
import type { SimulationOptions } from "../simulation.ts";
import { changes } from "./changes.ts";
import { crash } from "./crash.ts";
import { day, morning } from "./day.ts";
import { decay } from "./decay.ts";
import { families } from "./families.ts";
import { faults } from "./faults.ts";
import { fencing } from "./fencing.ts";
import { forks } from "./forks.ts";
import { hang } from "./hang.ts";
import { importing } from "./import.ts";
import { jobs } from "./jobs.ts";
import { largeTransactions } from "./large-transactions.ts";
import { log } from "./log.ts";
import { lostManifest } from "./lost-manifest.ts";
import { manifest } from "./manifest.ts";
import { pages } from "./pages.ts";
import { past } from "./past.ts";
import { recordLog } from "./record-log.ts";
import { recovery } from "./recovery.ts";
import { residency } from "./residency.ts";
import { reveal } from "./reveal.ts";
import { rot } from "./rot.ts";
import { scrub } from "./scrub.ts";
import { gaps, shipping, tiering } from "./shipping.ts";
import { zones } from "./zones.ts";

export type Scenario = (options: SimulationOptions) => Promise<void>;

export const SCENARIOS = {
  crash,
  faults,
  zones,
  reveal,
  import: importing,
  forks,
  families,
  changes,
  "large-transactions": largeTransactions,
  log,
  "lost-manifest": lostManifest,
  manifest,
  pages,
  past,
  hang,
  jobs,
  day,
  morning,
  "record-log": recordLog,
  recovery,
  residency,
  fencing,
  shipping,
  gaps,
  tiering,
  scrub,
  rot,
  decay,
} as const satisfies Record<string, Scenario>;
/** What one seed of these takes is too long to live it by the way. */
export const LONG_SCENARIOS: readonly string[] = ["day", "morning"];
export type ScenarioName = keyof typeof SCENARIOS;
export const SCENARIO_NAMES = Object.keys(SCENARIOS) as readonly ScenarioName[];
