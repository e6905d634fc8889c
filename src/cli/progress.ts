/** A bar on standard error while bytes are carried; nothing if nobody watches a terminal. */
import { SingleBar } from "cli-progress";
import { sizeText } from "./output.ts";

export interface Progress {
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
  /** Leaves the bar as it is and the cursor on a line of its own. Idempotent. */
  stop(): void;
}

const DRAWS_PER_SECOND = 20;

export function progressBar(what: string, stream: NodeJS.WriteStream): Progress {
  if (!stream.isTTY) return { onProgress: () => {}, stop: () => {} };
  const bar = new SingleBar({
    stream,
    fps: DRAWS_PER_SECOND,
    hideCursor: true,
    barsize: 30,
    format: `${what} {bar} {percentage}% of {size}`,
  });
  return {
    onProgress: (doneBytes, totalBytes) => {
      if (!bar.isActive) bar.start(totalBytes, 0, { size: sizeText(totalBytes) });
      bar.update(doneBytes);
    },
    stop: () => {
      if (bar.isActive) bar.stop();
    },
  };
}
