/** The version of this package, as its package.json has it. */
import { createRequire } from "node:module";

// The file lies two folders up from here, in the sources as in what is built from them.
const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };

export const VERSION: string = version;
