/**
 * Open a store, create a database, write, read. In your own program the import is "bop-storage".
 *
 *   npx tsx examples/01-open.ts            the store is ./data; another directory as an argument
 */
import { Manager } from "../src/index.ts";

interface Book {
  readonly id: number;
  readonly title: string;
  readonly price: number;
}

const manager = await Manager.open({ directory: process.argv[2] ?? "./data" });
const library = await manager.database("library"); // opens or creates

await library.exec(`
  drop table if exists book;
  create table book (id integer primary key, title text not null unique, price real);
`);

// A statement can be kept and used again. `run` resolves when the row would survive a power cut.
const insert = library.prepare("insert into book (title, price) values (:title, :price)");
const { lastInsertRowid, changes } = await insert.run({ title: "Dune", price: 9.5 });
console.log(lastInsertRowid, changes); // 1 1

// Calls that do not wait for each other share a flush of the disk.
const titles = ["Solaris", "Kindred", "Ubik", "Neuromancer"];
await Promise.all(titles.map((title, at) => insert.run({ title, price: 7 + at })));

const byId = library.prepare<Book>("select * from book where id = ?");
console.log(await byId.get(1)); // { id: 1, title: 'Dune', price: 9.5 }
console.log(await byId.get(99)); // undefined

const cheap = library.prepare("select title from book where price < ? order by title").pluck();
console.log(await cheap.all(9)); // [ 'Kindred', 'Solaris' ]

let total = 0;
for await (const { price } of library.prepare<Book>("select * from book").iterate()) {
  total += price;
}
console.log(total); // 43.5

// Errors carry SQLite's own extended code.
await insert.run({ title: "Dune", price: 1 }).catch((error: { sqliteCode: string }) => {
  console.log(error.sqliteCode); // SQLITE_CONSTRAINT_UNIQUE
});

await manager.close();
