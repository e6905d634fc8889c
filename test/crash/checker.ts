/**
 * THE PROCESS THAT LOOKS AFTERWARDS: opens the store, prints what is in every database as one line
 * of JSON, a Looked, and closes the store; then the next. Arguments: directories.
 */
import { writeSync } from "node:fs";
import type { Looked } from "./ledger.ts";
import { look } from "./look.ts";

const STANDARD_OUTPUT = 1;

async function main(): Promise<void> {
  for (const directory of process.argv.slice(2)) {
    let looked: Looked;
    try {
      looked = { found: await look(directory) };
    } catch (error) {
      looked = { problem: `does not open again: ${error instanceof Error ? error.stack : error}` };
    }
    say(`${JSON.stringify(looked)}\n`);
  }
}

/** To the end, before the next store is opened. */
function say(text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(STANDARD_OUTPUT, bytes, done);
  }
}

await main();
