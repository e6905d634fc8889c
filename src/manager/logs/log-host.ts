/** WHAT RECORD LOGS GET OF AN OPEN STORE: its log, its gate, its door. They have the store's level. */
import type { Lsn } from "../../base/units.ts";
import type { Log } from "../../write/index.ts";
import type { StoreGround } from "../store-ground.ts";
import { Logs } from "./logs.ts";

export interface LogHostGround {
  readonly log: Log;
  readonly kick: () => void;
}

export function logsOf(store: StoreGround, { log, kick }: LogHostGround): Logs {
  const { lifecycle, env, parts } = store;
  const { catalogue, logCatalogue, recordLogs } = parts;
  const { gate } = store.levels;
  return new Logs(
    {
      catalogue: logCatalogue,
      logs: recordLogs,
      nextStreamId: () => catalogue.nextStreamId,
      wallMs: () => env.clock.wallMs(),
      durable: (lsn) => store.durable(lsn),
      enter: () => store.door.enter(),
    },
    {
      log,
      get durableLsn(): Lsn {
        return gate.durableLsn;
      },
      assertOpen: () => lifecycle.assertOpen(),
      assertWritable: () => lifecycle.assertWritable(),
      pass: (lsn, waiter) => gate.pass(lsn, waiter),
      kick,
    },
  );
}
