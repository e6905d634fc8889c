import { describe, expect, test } from "vitest";
import { beginsReadOnly, holdsReadOnlyBegin, statementHeads } from "./sql-text.ts";

describe("counting statements", () => {
  test.each([
    ["", 0],
    ["  ;; -- only a comment\n; /* and ; another */ ;", 0],
    ["/* never closed ; select 1", 0],
    ["select 1", 1],
    ["select 1; -- done", 1],
    ["select ';', \";\", `;`, [;] -- ;\n/* ; */", 1],
    ["select 'it''s; fine'; select 2", 2],
    ["select 'never closed; select 2", 1],
    ["create trigger t after insert on a begin select 1; select 2; end; select 3", 2],
    ["create temp trigger t after insert on a begin select case when 1 then 2 end; end", 1],
    ["explain create trigger t after insert on a begin select 1; end; select 2", 2],
    ["create table trigger_log (a); select 1", 2],
  ])("%j holds %i", (sql, count) => {
    expect(statementHeads(sql)).toHaveLength(count);
  });
});

describe("a read-only begin", () => {
  test.each([
    "BEGIN TRANSACTION READONLY",
    "begin readonly;",
    "/* why */ Begin -- so\n Transaction ReadOnly ;",
  ])("%j is one", (sql) => {
    expect(beginsReadOnly(sql)).toBe(true);
    expect(holdsReadOnlyBegin(sql)).toBe(true);
  });

  test.each([
    "BEGIN",
    "BEGIN IMMEDIATE",
    "select 'BEGIN READONLY'",
    "-- BEGIN READONLY\nBEGIN",
    "BEGIN TRANSACTION readonly_please",
  ])("%j is none", (sql) => {
    expect(beginsReadOnly(sql)).toBe(false);
    expect(holdsReadOnlyBegin(sql)).toBe(false);
  });

  test("among other statements it is noticed", () => {
    const sql = "select 1; begin readonly; insert into t values (1); commit";
    expect(beginsReadOnly(sql)).toBe(false);
    expect(holdsReadOnlyBegin(sql)).toBe(true);
  });
});
