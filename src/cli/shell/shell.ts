/** WHAT A SHELL WORKS ON: a connection, what was set in it, and where it writes. */
import type { Connection, Manager } from "../../manager/index.ts";
import type { RowMode } from "./rows.ts";

export interface ShellSettings {
  mode: RowMode;
  showTime: boolean;
  /** Columns that a table may take; undefined: as the terminal has. */
  width: number | undefined;
}

export interface ShellOptions {
  readonly manager: Manager;
  readonly databaseName: string;
  readonly connection: Connection;
  readonly settings: ShellSettings;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  /** True once nobody reads what is written. */
  readonly isClosed: () => boolean;
  /** Columns of the terminal now; undefined if there is none. */
  readonly terminalWidth: () => number | undefined;
  /** Tells how many rows a statement changed, which a person wants to know and a script does not. */
  readonly isChatty: boolean;
}

/** What became of a line. */
export type LineOutcome = "ok" | "failed" | "quit";
