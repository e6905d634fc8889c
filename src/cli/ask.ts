/** A QUESTION TO WHOEVER SITS AT THE TERMINAL, on standard error: standard output is for results. */
import { createInterface } from "node:readline/promises";

export async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}
