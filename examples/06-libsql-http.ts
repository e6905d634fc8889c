/**
 * The stock client over HTTP. Start the server first, in another terminal: `npx bop serve`, or
 * `npm start` in a clone of this repository.
 *
 *   npx tsx examples/06-libsql-http.ts     the server is http://127.0.0.1:8080; another as an argument
 */
import { createClient } from "@libsql/client";

const client = createClient({ url: process.argv[2] ?? "http://127.0.0.1:8080" });

await client.executeMultiple(`
  drop table if exists visit;
  create table visit (page text not null, ms integer not null);
`);

// Twenty requests at once; their commits share flushes on the server.
await Promise.all(
  Array.from({ length: 20 }, (_, at) => {
    return client.execute({ sql: "insert into visit values (?, ?)", args: [`/p/${at % 4}`, at] });
  }),
);
const { rows } = await client.execute(
  "select page, count(*) as visits, max(ms) as slowest from visit group by page order by page",
);
console.log(rows.length, rows[3]?.page, rows[3]?.visits, rows[3]?.slowest); // 4 /p/3 5 19

// An interactive transaction over several requests; without a commit it leaves no trace.
const tx = await client.transaction("write");
await tx.execute("delete from visit");
console.log((await tx.execute("select count(*) as n from visit")).rows[0]?.n); // 0
await tx.rollback();
console.log((await client.execute("select count(*) as n from visit")).rows[0]?.n); // 20

client.close();
