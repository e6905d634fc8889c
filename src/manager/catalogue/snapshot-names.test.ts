import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Lsn, lsn, type StreamId, streamId } from "../../base/units.ts";
import { SnapshotNames } from "./snapshot-names.ts";

const step = fc.record({
  stream: fc.constantFrom(0, 1, 2).map(streamId),
  name: fc.constantFrom("a", "b", "c"),
  /** How far the log is durable after this step, as a share of what was done. */
  durable: fc.double({ min: 0, max: 1, noNaN: true }),
});

describe("names of snapshots", () => {
  // evidence: G2
  test("are shown as they were at any LSN from the durable one on, whatever came behind", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const names = new SnapshotNames([]);
        const states: Map<string, Lsn>[] = [new Map()]; // After each step, from a plain model.
        let durable = 0;
        for (const [index, { stream, name, durable: share }] of steps.entries()) {
          const at = lsn(index + 1);
          const state = new Map(states.at(-1));
          const found = names.find(stream, name);
          expect(found?.lsn).toBe(state.get(`${stream} ${name}`));
          if (found === undefined) {
            names.add({ stream, name, lsn: at, createdAtMs: 0, entryLsn: at });
            state.set(`${stream} ${name}`, at);
          } else {
            names.remove(found, at);
            state.delete(`${stream} ${name}`);
          }
          states.push(state);
          durable = Math.max(durable, Math.floor(share * (index + 1)));
          names.settle(lsn(durable));
          for (let past = durable; past < states.length; past++) {
            expect(shown(names, lsn(past))).toEqual(sorted(states[past] as Map<string, Lsn>));
          }
        }
      }),
    );
  });
});

function shown(names: SnapshotNames, at: Lsn): string[] {
  const then = names.at(at);
  return ([0, 1, 2] as StreamId[]).flatMap((stream) => {
    const rows = then.of(stream);
    expect(then.count(stream)).toBe(rows.length);
    return rows.map(({ name, lsn: moment }) => `${stream} ${name} ${moment}`);
  });
}

function sorted(state: ReadonlyMap<string, Lsn>): string[] {
  return [...state].map(([key, moment]) => `${key} ${moment}`).sort();
}
