/** HOW A LIFE BEGINS over a bucket: with its disk, restored to another one, or made anew of the bucket. */
import { Manager } from "../../src/index.ts";
import { SimulatedStore } from "../../src/sink/index.ts";
import { promise } from "../failure.ts";
import type { Life } from "../life.ts";
import { storeLimits } from "../swarm.ts";
import { LATENCY_MS_MAX, newService, OUTAGE_MS, type Run } from "./run.ts";

const RESTORES_MAX = 8;
const OPENS_MAX = 8;

export async function open(run: Run, life: Life): Promise<Manager> {
  const { simulation, places, tier } = run;
  const { tally } = simulation;
  for (let tries = 1; ; tries++) {
    if (places.isLost && tier?.startsFromSink) {
      tally.add("starts with an empty disk");
      places.isLost = false;
    }
    if (places.isLost) await restore(run, life);
    try {
      const manager = await openManager(run, life);
      life.manager = manager;
      places.hasShipped ||= manager.diagnostics().sink?.state === "shipping"; // See (5).
      tally.add("openings");
      return manager;
    } catch (error) {
      life.assertAlive();
      const code = (error as { code?: string }).code ?? String(error);
      // The one that was replaced has shipped more since the restore: once more, then.
      const isBehind = code === "BOP_SINK_AHEAD" || code === "BOP_DIVERGED";
      // An empty disk needs the bucket, and an outage of the life before may still go on.
      const isUnreached = tier?.startsFromSink === true && code === "BOP_SINK_UNAVAILABLE";
      const mayAgain = (isBehind || isUnreached) && simulation.world.alive && tries < OPENS_MAX;
      if (!mayAgain) throw error;
      promise(!isBehind || !places.hasShipped, () => `refused by its own bucket: ${code}`);
      tally.add(`openings refused: ${code}`);
      simulation.trace.note(`${code} ${JSON.stringify((error as { details?: unknown }).details)}`);
      if (isBehind) places.lose();
      else await life.env.clock.sleep(OUTAGE_MS);
    }
  }
}

/** Nothing to restore from, if the machine was lost before anything was shipped. */
async function restore(run: Run, { env }: Life): Promise<void> {
  const { simulation, service, places } = run;
  const { tally, trace, stores } = simulation;
  for (let tries = 1; ; tries++) {
    const from = new SimulatedStore({ service, clock: env.clock, latencyMsMax: LATENCY_MS_MAX });
    const { directory } = places;
    const openKeyValueStore = stores.openerFor(env);
    const lazy = run.tier !== undefined;
    try {
      const report = await Manager.restore({ from, directory, env, openKeyValueStore, lazy });
      trace.note(`restored to ${report.lsn}, ${report.chunks} chunks`);
      tally.add("restores");
      break;
    } catch (error) {
      const { code, retryable = false } = error as { code?: string; retryable?: boolean };
      trace.note(`restore: ${code}`);
      if (code === "BOP_NO_RESTORE_POINT") {
        tally.add("nothing to restore from");
        // It may hold a name and an epoch: a store that begins anew needs a bucket of its own.
        run.service = newService(simulation);
        break;
      }
      if (!retryable || tries === RESTORES_MAX) throw error;
      tally.add(`restores refused: ${code}`);
      await env.clock.sleep(OUTAGE_MS);
    }
  }
  places.isLost = false;
}

function openManager(run: Run, { env }: Life): Promise<Manager> {
  const { simulation, service, places, flushBytes, flushIntervalMs, keepForMs, tier } = run;
  const { limits, ...rest } = storeLimits(simulation.options);
  const sink = new SimulatedStore({ service, clock: env.clock, latencyMsMax: LATENCY_MS_MAX });
  const openKeyValueStore = simulation.stores.openerFor(env);
  return Manager.open({
    ...rest,
    limits: { ...limits, ...(tier && { diskBytes: tier.diskBytes }) },
    ...(tier?.startsFromSink && { startFromSink: true }),
    ...{ directory: places.directory, env, openKeyValueStore },
    ...{ sink, durability: "remote", flushBytes, flushIntervalMs },
    retention: { keepForMs },
    // Beside one that still ships nobody goes on without the sink: the two would go separate ways.
    sinkTimeoutMs: run.isReplaced ? 600_000 : 60_000,
  });
}
