#!/usr/bin/env node
/** `bop`: the command line. */
import { whenReaderLeaves } from "./output.ts";
import { run } from "./run.ts";

// Help and errors of usage are written by commander: their readers may go away as well.
for (const stream of [process.stdout, process.stderr]) whenReaderLeaves(stream, () => undefined);
await run(process.argv.slice(2));
