/**
 * TABLE OF WATERMARKS: up to which generation a component has done its part.
 *
 *   key    component (ASCII)
 *   value  generation u64
 *
 * (1) A watermark never falls.
 */
import { defineTable } from "../rows/table.ts";

export interface WatermarkRow {
  readonly component: string;
  readonly generation: number;
}

export const watermarks = defineTable({
  name: "watermarks",
  version: 1,
  keyOf: ({ component }: WatermarkRow) => component,
  writeKey: (component, into) => into.text(component),
  readKey: (from) => from.text(),
  write: ({ generation }, into) => void into.u64(generation),
  read: (from, component): WatermarkRow => ({ component, generation: from.u64() }),
});
