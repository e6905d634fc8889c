/**
 * The interface of @libsql/client without a server: code that was written for it runs in your own
 * process. In your own program the import is "bop-storage/libsql".
 *
 *   npx tsx examples/05-libsql-embedded.ts    the store is ./data; another directory as an argument
 */
import { createClient } from "../src/libsql/index.ts";

const directory = process.argv[2] ?? "./data";
const client = createClient({ directory, database: "todo" }); // or { url: "file:./data?database=todo" }

// A batch is one transaction.
await client.batch(
  [
    "drop table if exists task",
    "create table task (id integer primary key, text text not null, done integer default 0)",
    { sql: "insert into task (text) values (?)", args: ["water the plants"] },
    { sql: "insert into task (text) values (:text)", args: { text: "call the bank" } },
  ],
  "write",
);

const { rows, columns } = await client.execute("select * from task order by id");
console.log(columns); // [ 'id', 'text', 'done' ]
console.log(rows[0]?.text, rows[1]?.[1]); // water the plants call the bank

// An interactive transaction: other callers wait to write, and go on reading.
const tx = await client.transaction("write");
try {
  const { rowsAffected } = await tx.execute("update task set done = 1 where id = 1");
  console.log(rowsAffected); // 1
  await tx.commit();
} finally {
  tx.close();
}

await client.execute("insert into task (id, text) values (1, 'twice')").catch((error) => {
  console.log(error.code, error.extendedCode); // SQLITE_CONSTRAINT SQLITE_CONSTRAINT_PRIMARYKEY
});

const open = await client.execute("select count(*) as open from task where done = 0");
console.log(open.rows[0]?.open); // 1
client.close();
