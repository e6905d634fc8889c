/**
 * PRAGMAS THAT WOULD BREAK THE ENGINE, and what they answer instead. To SQL users a database is in
 * WAL mode with synchronous=FULL, which is what our log gives them, while SQLite's pager is told
 * something else.
 *
 * (1) `PRAGMA name`, `PRAGMA name = value` and `PRAGMA name(value)` of the table below are replaced
 *     by a SELECT with the same columns before SQLite sees them.
 * (2) Where one reaches SQLite all the same (EXPLAIN PRAGMA, pragma_name()), the authorizer makes
 *     it do nothing.
 * (3) A server's tenants may use the pragmas of the list at the end and no others.
 */

/** What to do about a pragma: run this instead, refuse it with these words, or let it pass. */
export type PragmaVerdict =
  | { readonly kind: "answer"; readonly sql: string }
  | { readonly kind: "refuse"; readonly message: string }
  | { readonly kind: "busy_timeout"; readonly timeoutMs: number | undefined };

const ANSWERS: ReadonlyMap<string, string> = new Map([
  ["journal_mode", "select 'wal' as journal_mode"],
  ["synchronous", "select 2 as synchronous"],
  ["locking_mode", "select 'normal' as locking_mode"],
  ["wal_checkpoint", "select 0 as busy, 0 as log, 0 as checkpointed"],
  ["wal_autocheckpoint", "select 0 as wal_autocheckpoint"],
  ["mmap_size", "select 0 as mmap_size"],
  ["journal_size_limit", "select -1 as journal_size_limit"],
  ["temp_store", "select 1 as temp_store"],
]);

/** The builds are without UTF-16, and without this pragma. */
const ENCODING = "select 'UTF-8' as encoding";

/** Setting one of these reaches beyond the connection, or past SQLite's own checks. */
const READ_ONLY: ReadonlyMap<string, string> = new Map([
  ["hard_heap_limit", "the memory limit belongs to the engine, which many databases share"],
  ["soft_heap_limit", "the memory limit belongs to the engine, which many databases share"],
]);

const OFF = new Set(["0", "off", "no", "false", "reset"]);

/** Pragmas whose argument selects what is shown or written: their connection stays as it was. */
const STATELESS = new Set([
  ...["application_id", "foreign_key_check", "foreign_key_list", "incremental_vacuum"],
  ...["index_info", "index_list", "index_xinfo", "integrity_check", "optimize", "quick_check"],
  ...["schema_version", "table_info", "table_list", "table_xinfo", "user_version"],
]);

/** See (3). The intercepted ones are allowed by being intercepted. */
const SERVER_ALLOWED = new Set([
  ...STATELESS,
  ...["analysis_limit", "auto_vacuum", "automatic_index", "cache_size", "case_sensitive_like"],
  ...["cell_size_check", "collation_list", "compile_options", "count_changes", "data_version"],
  ...["database_list", "defer_foreign_keys", "encoding", "foreign_keys", "freelist_count"],
  ...["function_list", "ignore_check_constraints", "legacy_alter_table", "max_page_count"],
  ...["module_list", "page_count", "page_size", "pragma_list", "query_only"],
  ...["read_uncommitted", "recursive_triggers", "reverse_unordered_selects", "secure_delete"],
  ...["shrink_memory", "stats", "threads"],
]);

/** Setting these is for the owner of the file, not for a tenant. */
const SERVER_READ_ONLY = new Set(["schema_version", "trusted_schema", "writable_schema"]);

export interface PragmaUse {
  /** In lower case. */
  readonly name: string;
  readonly value: string | undefined;
  readonly profile: "embedded" | "server";
}

/** Undefined: let it pass. */
export function judgePragma({ name, value, profile }: PragmaUse): PragmaVerdict | undefined {
  if (name === "encoding" && value === undefined) return { kind: "answer", sql: ENCODING };
  const sql = ANSWERS.get(name);
  if (sql !== undefined) return { kind: "answer", sql };
  if (name === "busy_timeout") {
    const timeoutMs =
      value === undefined ? undefined : Math.max(0, Number.parseInt(value, 10) || 0);
    return { kind: "busy_timeout", timeoutMs };
  }
  if (value !== undefined) {
    const why = READ_ONLY.get(name);
    if (why !== undefined) return { kind: "refuse", message: `PRAGMA ${name} is refused: ${why}` };
    if (name === "writable_schema" && !OFF.has(value.toLowerCase())) {
      return { kind: "refuse", message: "PRAGMA writable_schema is refused: use ALTER TABLE" };
    }
    if (name === "encoding" && !/^utf-?8$/i.test(value)) {
      const message = `PRAGMA encoding = ${value} is refused: text is stored as UTF-8 only`;
      return { kind: "refuse", message };
    }
  }
  if (profile === "server") return judgeTenant(name, value);
  return undefined;
}

function judgeTenant(name: string, value: string | undefined): PragmaVerdict | undefined {
  const readOnly = SERVER_READ_ONLY.has(name);
  if (readOnly ? value === undefined : SERVER_ALLOWED.has(name)) return undefined;
  return { kind: "refuse", message: `PRAGMA ${name} is not available on a server` };
}

/** True if it changes how its connection behaves from then on. */
export function pragmaIsSessionBound(name: string, value: string | undefined): boolean {
  return value !== undefined && !STATELESS.has(name) && !ANSWERS.has(name);
}

export interface ParsedPragma {
  readonly name: string;
  readonly value: string | undefined;
  /** What follows the statement, its semicolon included in neither. */
  readonly tail: string;
}

// Each alternative has one way to match, so that a long preamble of comments costs linear time.
const SPACE = String.raw`(?:\s|--[^\n]*(?:\n|$)|/\*(?:[^*]|\*(?!/))*(?:\*/|$))*`;
const WORD = String.raw`[\w]+|"[^"]*"|\`[^\`]*\`|\[[^\]]*\]`;
const VALUE = String.raw`'(?:[^']|'')*'|"(?:[^"]|"")*"|[-+]?[\w.]+`;
const PRAGMA = new RegExp(
  `^${SPACE}pragma\\b${SPACE}(?:(?:${WORD})${SPACE}\\.${SPACE})?(${WORD})${SPACE}` +
    `(?:=${SPACE}(${VALUE})${SPACE}|\\(${SPACE}(${VALUE})${SPACE}\\)${SPACE})?(?:;|$)`,
  "i",
);

/** Undefined if the text does not begin with a PRAGMA in one of the forms of (1). */
export function parsePragma(sql: string): ParsedPragma | undefined {
  const match = PRAGMA.exec(sql);
  if (match === null) return undefined;
  const [whole, name = "", assigned, called] = match;
  const value = assigned ?? called;
  return {
    name: unquote(name).toLowerCase(),
    value: value === undefined ? undefined : unquote(value),
    tail: sql.slice(whole.length),
  };
}

function unquote(word: string): string {
  const first = word[0];
  if (first === "[") return word.slice(1, -1);
  if (first === '"' || first === "'" || first === "`") {
    return word.slice(1, -1).replaceAll(first + first, first);
  }
  return word;
}
