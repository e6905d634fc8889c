/** WHAT THE TOUR CAN BE TOLD: `npm run demo -- --seconds 3 --keep`. */
import { parseArgs } from "node:util";

const SECONDS_DEFAULT = 6;
const SECONDS_MAX = 20;

export interface TourOptions {
  /** How long the callers write before their process is killed. */
  readonly seconds: number;
  /** Leave the store where it is. */
  readonly keep: boolean;
  readonly help: boolean;
}

export const USAGE = `npm run demo -- [--seconds 1…${SECONDS_MAX}] [--keep] [--help]

  --seconds <n>   how long the callers write before they are killed (${SECONDS_DEFAULT})
  --keep          leave the store in place, and say how to look at it
`;

/** Throws a TypeError or a RangeError that says what is wrong. */
export function parseTourOptions(argv: readonly string[]): TourOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seconds: { type: "string", default: String(SECONDS_DEFAULT) },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const seconds = Number(values.seconds);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > SECONDS_MAX) {
    throw new RangeError(`--seconds is ${values.seconds}; want a number from 1 to ${SECONDS_MAX}`);
  }
  return { seconds, keep: values.keep, help: values.help };
}
