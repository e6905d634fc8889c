/**
 * A MINIMAL REPLICATED LOG: one node of a Raft group, over a record log. Elections, replication,
 * conflicts; no membership changes, no snapshots. Messages are calls.
 *
 * (1) Term, vote and entries are durable before anybody hears of them.
 * (2) A vote goes only to a candidate whose log is not behind one's own.
 * (3) An entry is committed when a majority has it, and it is of the leader's own term.
 */
import type { LogEntry, RecordLog } from "../../src/index.ts";

export interface VoteRequest {
  readonly term: bigint;
  readonly candidate: string;
  readonly lastIndex: bigint;
  readonly lastTerm: bigint;
}

export interface AppendRequest {
  readonly term: bigint;
  /** The entry before the first: the follower must have it, of that term. */
  readonly previous: { readonly index: bigint; readonly term: bigint };
  readonly entries: readonly LogEntry[];
  readonly commit: bigint;
}

export class RaftNode {
  readonly id: string;
  readonly #log: RecordLog;
  #term = 0n;
  #vote: string | undefined;
  #commit = 0n;

  private constructor(id: string, log: RecordLog) {
    this.id = id;
    this.#log = log;
  }

  /** A node as its log remembers it. */
  static async open(id: string, log: RecordLog): Promise<RaftNode> {
    const node = new RaftNode(id, log);
    const state = await log.readHardState();
    node.#term = state?.term ?? 0n;
    node.#vote =
      state === undefined ? undefined : Buffer.from(state.vote ?? []).toString() || undefined;
    node.#commit = state?.commit ?? 0n;
    return node;
  }

  get term(): bigint {
    return this.#term;
  }

  /** Texts of the committed entries. */
  async committed(): Promise<string[]> {
    if (this.#commit === 0n) return [];
    const entries = await this.#log.read({ from: 1n, to: this.#commit + 1n });
    return entries.map(({ payload }) => Buffer.from(payload).toString());
  }

  /** Asks the others for their votes. True if a majority gave theirs. */
  async campaign(others: readonly RaftNode[]): Promise<boolean> {
    await this.#enter(this.#term + 1n, this.id);
    const { index: lastIndex, term: lastTerm } = this.#last();
    const request = { term: this.#term, candidate: this.id, lastIndex, lastTerm };
    const votes = await Promise.all(others.map((other) => other.onVote(request)));
    return 1 + votes.filter(Boolean).length > (others.length + 1) / 2;
  }

  /** See (2). */
  async onVote({ term, candidate, lastIndex, lastTerm }: VoteRequest): Promise<boolean> {
    if (term > this.#term) await this.#enter(term, undefined);
    const own = this.#last();
    const isBehind = lastTerm < own.term || (lastTerm === own.term && lastIndex < own.index);
    const isTaken = this.#vote !== undefined && this.#vote !== candidate;
    if (term < this.#term || isBehind || isTaken) return false;
    await this.#enter(term, candidate);
    return true;
  }

  /** As the leader: appends, replicates, and tells how many nodes have it. See (3). */
  async propose(text: string, others: readonly RaftNode[]): Promise<number> {
    const index = this.#last().index + 1n;
    await this.#log.append([{ term: this.#term, index, payload: Buffer.from(text) }]);
    const answers = await Promise.all(others.map((other) => this.replicate(other)));
    const holders = 1 + answers.filter(Boolean).length;
    if (holders > (others.length + 1) / 2) this.#commit = index;
    return holders;
  }

  /** Brings a follower up to date, from where its log and ours agree. */
  async replicate(follower: RaftNode): Promise<boolean> {
    for (let index = this.#last().index; index >= 0n; index--) {
      const entries = await this.#log.read({ from: index + 1n, clip: true });
      const previous = { index, term: this.#termAt(index) };
      const request = { term: this.#term, previous, entries, commit: this.#commit };
      if (await follower.onAppend(request)) return true;
      if (follower.term > this.#term) return false;
    }
    return false;
  }

  async onAppend({ term, previous, entries, commit }: AppendRequest): Promise<boolean> {
    if (term < this.#term) return false;
    if (term > this.#term) await this.#enter(term, undefined);
    if (previous.index > this.#last().index) return false;
    if (this.#termAt(previous.index) !== previous.term) return false;
    // What contradicts the leader goes, and the leader's entries take its place, as one change.
    await this.#log.commit({
      truncateAfter: previous.index === 0n ? "all" : previous.index,
      entries,
    });
    const last = this.#last().index;
    this.#commit = commit < last ? commit : last;
    return true;
  }

  /** See (1). */
  async #enter(term: bigint, vote: string | undefined): Promise<void> {
    this.#term = term;
    this.#vote = vote;
    await this.#log.setHardState({ term, vote: Buffer.from(vote ?? ""), commit: this.#commit });
  }

  #last(): { readonly index: bigint; readonly term: bigint } {
    const index = this.#log.lastIndex ?? 0n;
    return { index, term: this.#termAt(index) };
  }

  #termAt(index: bigint): bigint {
    return index === 0n ? 0n : this.#log.termAt(index);
  }
}
