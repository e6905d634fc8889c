/**
 * A ROW OF THE SCHEMA: type, name, table, root page; what comes behind (the SQL) is left to SQLite.
 *
 * (1) Of a row that goes on in overflow pages, as much is kept as these four columns take.
 */
import { Damage } from "./damage.ts";
import { columnsOf } from "./record.ts";

const COLUMNS = 4;
/** The header of a row has five types and its own length. */
const HEADER_BYTES_MAX = 64;

export class SchemaRow {
  type = "";
  name = "";
  table = "";
  /** 0 for what has none: views, triggers, virtual tables. */
  root = 0;
  #bytes: Uint8Array;
  readonly #payloadBytes: number;

  constructor(local: Uint8Array, payloadBytes: number) {
    this.#bytes = local;
    this.#payloadBytes = payloadBytes;
  }

  /** What follows of it. A view, which is copied if it is needed. */
  take(content: Uint8Array): void {
    if (this.#bytes.length >= this.#needs()) return;
    const left = this.#payloadBytes - this.#bytes.length;
    this.#bytes = Buffer.concat([this.#bytes, content.subarray(0, left)]);
  }

  /** Throws Damage of the page where it begins. */
  decode(page: number): void {
    const found = columnsOf(this.#bytes, COLUMNS);
    if (found === undefined || "needs" in found)
      throw new Damage(page, "a row of the schema is cut off");
    const [type, name, table, root] = found.columns;
    const isRoot = root === null || (typeof root === "number" && root >= 0);
    if (typeof type !== "string" || typeof name !== "string" || !isRoot) {
      throw new Damage(page, "a row of the schema is none of a table, index, view or trigger");
    }
    this.type = type;
    this.name = name;
    this.table = typeof table === "string" ? table : "";
    this.root = root ?? 0;
    this.#bytes = new Uint8Array(0);
  }

  #needs(): number {
    const least = Math.min(HEADER_BYTES_MAX, this.#payloadBytes);
    if (this.#bytes.length < least) return least;
    const found = columnsOf(this.#bytes, COLUMNS);
    return found !== undefined && "needs" in found ? found.needs : 0;
  }
}
