/**
 * A SCAN that takes its time: rows of one moment, a few at a time, while the day goes on. It shows what
 * its tenant held when it began, however much is written and folded meanwhile.
 */
import { promise } from "../failure.ts";
import type { Shift } from "./shift.ts";
import { type Items, READ, type ReadRow, type Tenant, verifyRow } from "./tenants.ts";

const STEPS = 8;
const PAUSE_MS_MAX = 120_000;

export async function scan(shift: Shift): Promise<void> {
  const { life } = shift;
  const { random, tally } = life.simulation;
  let scan: Scan | undefined;
  await shift.beside(async () => {
    const tenant = shift.choose();
    if (tenant !== undefined) scan = await Scan.begin(shift, tenant);
  });
  if (scan === undefined) return;
  while (!scan.isDone && !shift.isOver) {
    await life.env.clock.sleep(random.below(PAUSE_MS_MAX));
    await shift.beside(scan.step);
  }
  tally.add(scan.isDone ? "scans: to the end" : "scans: cut short");
  await scan.end();
}

class Scan {
  isDone = false;
  readonly #shift: Shift;
  readonly #tenant: Tenant;
  readonly #items: Items;
  readonly #rows: AsyncIterableIterator<ReadRow>;
  #seen = 0;

  private constructor(shift: Shift, tenant: Tenant, rows: AsyncIterableIterator<ReadRow>) {
    this.#shift = shift;
    this.#tenant = tenant;
    this.#items = tenant.copy();
    this.#rows = rows;
    tenant.readers += 1;
    shift.openReaders += 1;
  }

  static async begin(shift: Shift, tenant: Tenant): Promise<Scan> {
    tenant.isTaken = true;
    const database = await shift.manager.database(tenant.name, { create: false });
    const rows = database.prepare(READ).raw<ReadRow>().iterate();
    const scan = new Scan(shift, tenant, rows);
    await scan.step();
    tenant.isTaken = false;
    return scan;
  }

  readonly step = async (): Promise<void> => {
    for (let n = Math.ceil((this.#items.size + 1) / STEPS); n > 0 && !this.isDone; n--) {
      const { done, value } = await this.#rows.next();
      if (done) return this.#finish();
      verifyRow(`a scan of ${this.#tenant.name}`, value, this.#items);
      this.#seen += 1;
    }
  };

  /** Whether it saw everything or not. */
  async end(): Promise<void> {
    if (this.isDone) return;
    await this.#rows.return?.();
    this.#close();
  }

  #finish(): void {
    const [seen, all] = [this.#seen, this.#items.size];
    promise(seen === all, () => `a scan of ${this.#tenant.name} saw ${seen} of ${all}`);
    this.#close();
  }

  #close(): void {
    this.isDone = true;
    this.#tenant.readers -= 1;
    this.#shift.openReaders -= 1;
  }
}
