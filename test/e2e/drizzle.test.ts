/** Drizzle, unmodified, over both clients. */
import type { Client } from "@libsql/client";
import { eq, relations, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/libsql";
import { blob, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CLIENTS, openTestStore, type TestStore } from "./harness.ts";

const author = sqliteTable("author", {
  id: integer().primaryKey({ autoIncrement: true }),
  name: text().notNull().unique(),
  settings: text({ mode: "json" }).$type<{ theme: string }>(),
  joinedAt: integer("joined_at", { mode: "timestamp_ms" }),
  active: integer({ mode: "boolean" }).notNull().default(true),
  avatar: blob({ mode: "buffer" }),
});
const book = sqliteTable("book", {
  id: integer().primaryKey({ autoIncrement: true }),
  title: text().notNull(),
  authorId: integer("author_id")
    .notNull()
    .references(() => author.id),
});
const authorRelations = relations(author, ({ many }) => ({ books: many(book) }));
const bookRelations = relations(book, ({ one }) => ({
  author: one(author, { fields: [book.authorId], references: [author.id] }),
}));
const schema = { author, book, authorRelations, bookRelations };

const DDL = `
  create table author (
    id integer primary key autoincrement, name text not null unique, settings text,
    joined_at integer, active integer not null default 1, avatar blob);
  create table book (
    id integer primary key autoincrement, title text not null,
    author_id integer not null references author (id));
`;

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

describe.each(CLIENTS)("drizzle over $name", ({ name, create }) => {
  let client: Client;
  const open = () => drizzle(client, { schema });
  let db: ReturnType<typeof open>;
  let databaseCount = 0;
  beforeEach(async () => {
    databaseCount++;
    client = create(store, `drizzle-${name.length}-${databaseCount}`);
    await client.executeMultiple(DDL);
    db = open();
  });
  afterEach(() => client.close());

  test("what is inserted is selected, with every kind of column", async () => {
    const joinedAt = new Date("2026-11-22T12:00:00Z");
    const avatar = Buffer.from([1, 2, 255]);
    const row = { name: "Ada", settings: { theme: "dark" }, joinedAt, active: false, avatar };
    const inserted = await db.insert(author).values(row).returning({ id: author.id });
    expect(inserted).toEqual([{ id: 1 }]);
    expect(await db.select().from(author)).toEqual([{ id: 1, ...row }]);
  });

  test("updates and deletes say how many rows they changed", async () => {
    await db.insert(author).values([{ name: "Ada" }, { name: "Bob" }]);
    const updated = await db.update(author).set({ active: false }).where(eq(author.name, "Ada"));
    expect(updated.rowsAffected).toBe(1);
    expect((await db.delete(author)).rowsAffected).toBe(2);
    expect(await db.$count(author)).toBe(0);
  });

  test("an upsert changes the row that is there", async () => {
    const upsert = (theme: string) =>
      db
        .insert(author)
        .values({ name: "Ada", settings: { theme } })
        .onConflictDoUpdate({ target: author.name, set: { settings: { theme } } });
    await upsert("dark");
    await upsert("light");
    expect(await db.select({ settings: author.settings }).from(author)).toEqual([
      { settings: { theme: "light" } },
    ]);
  });

  test("a relational query gathers the rows of both tables", async () => {
    await db.insert(author).values([{ name: "Ada" }, { name: "Bob" }]);
    await db.insert(book).values([
      { title: "One", authorId: 1 },
      { title: "Two", authorId: 1 },
      { title: "Three", authorId: 2 },
    ]);
    const found = await db.query.author.findMany({
      columns: { name: true },
      with: { books: { columns: { title: true }, orderBy: book.id } },
    });
    expect(found).toEqual([
      { name: "Ada", books: [{ title: "One" }, { title: "Two" }] },
      { name: "Bob", books: [{ title: "Three" }] },
    ]);
  });

  test("a transaction commits as a whole", async () => {
    await db.transaction(async (tx) => {
      const [ada] = await tx.insert(author).values({ name: "Ada" }).returning();
      await tx.insert(book).values({ title: "One", authorId: ada?.id ?? 0 });
    });
    expect(await db.$count(book)).toBe(1);
  });

  test("a transaction that throws leaves nothing", async () => {
    const failing = db.transaction(async (tx) => {
      await tx.insert(author).values({ name: "Ada" });
      throw new Error("changed my mind");
    });
    await expect(failing).rejects.toThrow("changed my mind");
    expect(await db.$count(author)).toBe(0);
  });

  test("a nested transaction is undone alone", async () => {
    await db.transaction(async (tx) => {
      await tx.insert(author).values({ name: "Ada" });
      const nested = tx.transaction(async (inner) => {
        await inner.insert(author).values({ name: "Bob" });
        inner.rollback();
      });
      await expect(nested).rejects.toThrow();
    });
    expect(await db.select({ name: author.name }).from(author)).toEqual([{ name: "Ada" }]);
  });

  test("a batch runs as one, and returns each result", async () => {
    const [inserted, all] = await db.batch([
      db.insert(author).values({ name: "Ada" }).returning({ id: author.id }),
      db.select({ name: author.name }).from(author),
    ]);
    expect([inserted, all]).toEqual([[{ id: 1 }], [{ name: "Ada" }]]);
  });

  test("a violated constraint reaches the caller with SQLite's code", async () => {
    const failing = db.insert(book).values({ title: "One", authorId: 99 });
    await expect(failing).rejects.toMatchObject({ cause: { code: "SQLITE_CONSTRAINT" } });
  });

  test("raw SQL has its arguments bound", async () => {
    const row = await db.get(sql`select ${"x"} || ${"y"} as both`);
    expect(row).toEqual({ both: "xy" });
  });
});
