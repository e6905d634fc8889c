/**
 * Record logs under Raft: three nodes in one process, an election, a leader that is cut off, a
 * conflict that is truncated, and a node that restarts with what it had promised.
 *
 *   npx tsx examples/07-raft-log.ts        the stores are ./data/node-…; another directory as an argument
 */
import { join } from "node:path";
import { Manager } from "../src/index.ts";
import { RaftNode } from "./raft/node.ts";

const home = process.argv[2] ?? "./data";

/** A node on a store of its own; it begins with an empty log. */
async function start(id: string, { fresh = true } = {}) {
  const manager = await Manager.open({ directory: join(home, `node-${id}`) });
  const log = await manager.log("raft");
  if (fresh) await log.commit({ clear: true, hardState: { term: 0n } });
  return { manager, node: await RaftNode.open(id, log) };
}

const [a, b, c] = [await start("a"), await start("b"), await start("c")];

// Elected: a majority has promised, durably, to vote for nobody else in this term.
console.log(await a.node.campaign([b.node, c.node])); // true
console.log(await a.node.propose("one", [b.node, c.node])); // 3

// Cut off from the others, the old leader appends what nobody else will ever have.
console.log(await a.node.propose("lost", [])); // 1

// The others elect a new leader, and go on without it.
console.log(await b.node.campaign([c.node])); // true
console.log(await b.node.propose("two", [c.node])); // 2

// Back again, the old leader is behind: its vote is not what it was, its tail is replaced.
console.log(await a.node.campaign([b.node, c.node])); // false
console.log(await b.node.campaign([a.node, c.node])); // true
console.log(await b.node.propose("three", [a.node, c.node])); // 3
await b.node.replicate(a.node);
console.log(await a.node.committed()); // [ 'one', 'two', 'three' ]

// A node that starts again has its term, its vote and its entries.
const before = c.node.term;
await c.manager.close();
const again = await start("c", { fresh: false });
console.log(again.node.term === before); // true
await b.node.replicate(again.node);
console.log(await again.node.committed()); // [ 'one', 'two', 'three' ]

for (const { manager } of [a, b, again]) await manager.close();
