/** THE PROCESS THAT BRINGS A LOST STORE BACK from its sink. Arguments: directory, sink. */
import { Manager } from "../../src/index.ts";

const [directory = "", from = ""] = process.argv.slice(2);
await Manager.restore({ from, directory });
