import { expect, test } from "vitest";
import { type Lsn, lsn, streamId } from "../../base/units.ts";
import type { Log } from "../../write/index.ts";
import { LogCatalogue } from "./log-catalogue.ts";

/** As much of a log as a catalogue needs: one commit takes one byte. */
class Durable {
  newestLsn = 0;
  durableLsn = 0;

  stage() {
    return { entry: () => undefined, seal: () => lsn(++this.newestLsn) };
  }
}

test("a log that was renamed several times has, for others, the newest name that is durable", () => {
  const streams = { takeStream: () => streamId(7), noteStream: () => {}, tell: () => {} };
  const catalogue = new LogCatalogue({ recordLogs: [] }, streams);
  const log = new Durable();
  catalogue.attach(log as unknown as Log);
  const shown = (at: number) => catalogue.liveAt(lsn(at) as Lsn).map(({ name }) => name);
  const { stream } = catalogue.create("one", 0);
  log.durableLsn = 1;
  for (const name of ["two", "three", "four"]) catalogue.rename(stream, name);
  expect([0, 1, 2, 3, 4].map(shown)).toEqual([[], ["one"], ["two"], ["three"], ["four"]]);
  log.durableLsn = 3;
  catalogue.rename(stream, "five");
  expect([3, 4, 5].map(shown)).toEqual([["three"], ["four"], ["five"]]);
});
