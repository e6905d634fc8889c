/** WHAT A STATEMENT GIVES: its columns. libSQL's build does not say where a column comes from. */
import type { ColumnInfo } from "../api.ts";
import type { EngineCore } from "../engine-core.ts";
import type { Pointer } from "../wasm/raw.ts";

export function readColumns(core: EngineCore, statement: Pointer, count: number): ColumnInfo[] {
  const { c, heap } = core;
  const text = (pointer: Pointer | undefined): string | undefined => {
    heap.fresh();
    return pointer === undefined ? undefined : heap.cString(pointer);
  };
  return Array.from({ length: count }, (_, index) => ({
    name: text(c.sqlite3_column_name(statement, index)) ?? "",
    declaredType: text(c.sqlite3_column_decltype?.(statement, index)),
    table: text(c.sqlite3_column_table_name?.(statement, index)),
    originColumn: text(c.sqlite3_column_origin_name?.(statement, index)),
  }));
}
