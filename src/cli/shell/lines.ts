/**
 * THE LINES OF A PIPE. A line feed ends a line, and nothing else does: a carriage return is text, before
 * a line feed, too, since it may stand in a literal. To SQL it is white space. (node:readline ends
 * lines at both, so that a literal with CR or CRLF was stored with a line feed.)
 */

/** Each without its line feed; the last may have none. */
export async function* linesOf(input: NodeJS.ReadableStream): AsyncGenerator<string> {
  input.setEncoding("utf8");
  let line = "";
  for await (const piece of input) {
    const [end = "", ...others] = String(piece).split("\n");
    line += end;
    for (const next of others) {
      yield line;
      line = next;
    }
  }
  if (line !== "") yield line;
}
