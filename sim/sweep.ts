/**
 * SWEEPS: statements that change many rows, of pages that nothing has read since the process began. Where
 * pages are in the bucket alone, they are found away when some of the rows are changed already.
 *
 * (1) What a sweep does shows when it is done twice: the version of each row grows by one.
 * (2) It says "or fail": of what may abort, SQLite keeps a journal of its own, and undoes it by itself.
 * (3) A database of less than a mebibyte is brought as a whole, and then nothing is found away half-way:
 *     so some are loaded first.
 * (4) The table of transactions is all that is read before it: see `adopt` of oracle.ts.
 */
import type { Life } from "./life.ts";
import type { Found } from "./oracle.ts";
import type { State } from "./state.ts";

const KEYS = 460;
/** As `itemText` makes it. A unit has four characters at least. */
const SWEEP = `update or fail item set version = version + 1, text = substr(replace(
  hex(zeroblob(length(text) / 4 + 1)), '00', key || '/' || (version + 1) || ' '), 1, length(text))
  where key between ? and ?`;
const LOADED_KEYS = 400;
const LOADED_BYTES = 5000;
const LOAD = `with recursive n (i) as (select 0 union all select i + 1 from n where i < ${LOADED_KEYS - 1})
  insert or replace into item select i, ?1, substr(replace(hex(zeroblob(${LOADED_BYTES / 4})), '00',
  i || '/' || ?1 || ' '), 1, ${LOADED_BYTES}) from n`;

export async function sweep(life: Life, found: readonly Found[]): Promise<void> {
  for (const each of found) if (each.model.hasSchema) await sweepOne(life, each);
}

function sweepOne(life: Life, { database, model }: Found): Promise<void> {
  const { random, tally } = life.simulation;
  const from = random.chance(0.5) ? 0 : random.below(KEYS);
  const to = from + random.below(KEYS);
  const apply = ({ items }: State) => {
    for (const [key, { version, bytes }] of items) {
      if (key >= from && key <= to) items.set(key, { version: version + 1, bytes });
    }
  };
  tally.add("operations: sweep");
  return life.place(database, model).commit({ kind: "sweep", apply }, (id) =>
    database.transaction(async (tx) => {
      await tx.prepare("insert into op (id) values (?)").run(id);
      await tx.prepare(SWEEP).run(from, to);
    }),
  );
}

/** See (3). */
export async function load(life: Life, found: readonly Found[]): Promise<void> {
  const { random, tally } = life.simulation;
  const usable = found.filter(({ model }) => model.hasSchema);
  if (usable.length === 0) return;
  const { database, model } = random.pick(usable);
  const version = random.below(1000);
  const apply = ({ items }: State) => {
    for (let key = 0; key < LOADED_KEYS; key++) items.set(key, { version, bytes: LOADED_BYTES });
  };
  tally.add("operations: load");
  await life.place(database, model).commit({ kind: "load", apply }, (id) =>
    database.transaction(async (tx) => {
      await tx.prepare("insert into op (id) values (?)").run(id);
      await tx.prepare(LOAD).run(version);
    }),
  );
}
