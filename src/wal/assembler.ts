/**
 * COMMITS OUT OF BATCHES: takes batches in order of LSN and gives out the commits that are whole.
 *
 * (1) A commit is given out when its commit frame is read, if that lies above `fromLsn`. Of one
 *     that does not, the front may lie in a segment that nobody reads any more.
 * (2) Frames whose commit frame never comes are dropped: a commit that a crash cut off, whose front
 *     may lie before everything that was logged since.
 * (3) A group is given out when its last commit is read. One that a crash cut off is dropped when
 *     anything else follows: of a group all commits count, or none does.
 * (4) A batch may be changed after `take` returned: frames that outlive it have been copied.
 */
import { type Lsn, lsn, streamId } from "../base/units.ts";
import { BATCH_HEADER } from "./batch.ts";
import { FrameReader } from "./bytes.ts";
import type { ReplayedCommit } from "./commit.ts";
import type { Place } from "./corrupt.ts";
import type { CommitFrame } from "./frame.ts";
import { decodeFrame, type KeptFrame } from "./frame-decode.ts";

export interface BatchToRead {
  readonly startLsn: number;
  readonly payload: Uint8Array;
  /** Where the payload lies, for messages. */
  readonly place: Place;
}

export class CommitAssembler {
  readonly #fromLsn: Lsn;
  readonly #onCommit: (commit: ReplayedCommit) => void;
  #frames: KeptFrame[] = [];
  #lsns: number[] = [];
  /** Commits of the group that is not whole yet. */
  #group: HeldGroup | undefined;
  #commits = 0;

  constructor(fromLsn: Lsn, onCommit: (commit: ReplayedCommit) => void) {
    this.#fromLsn = fromLsn;
    this.#onCommit = onCommit;
  }

  /** Commits given out so far. */
  get commits(): number {
    return this.#commits;
  }

  take({ startLsn, payload, place }: BatchToRead): void {
    const payloadLsn = startLsn + BATCH_HEADER.sizeBytes;
    const reader = new FrameReader(payload, place);
    while (!reader.done) {
      const frameLsn = payloadLsn + reader.at;
      const decoded = decodeFrame(reader, frameLsn);
      if (decoded.type === "change") {
        this.#frames.push(decoded.change);
        this.#lsns.push(frameLsn);
        continue;
      }
      const commitLsn = payloadLsn + reader.at;
      if (commitLsn <= this.#fromLsn) this.#drop();
      else
        this.#give(decoded.commit, {
          frames: this.#claim(decoded.commit, { frameLsn, reader }),
          commitLsn,
        });
    }
    for (const frame of this.#frames) frame.keep();
    this.#keepGroup();
  }

  /** The frames that the commit frame names; what lies before them is dropped: see (2). */
  #claim(commit: CommitFrame, at: { frameLsn: number; reader: FrameReader }): KeptFrame[] {
    const first = this.#frames.length - commit.frameCount;
    const firstLsn = first >= 0 ? (this.#lsns[first] ?? at.frameLsn) : -1;
    if (firstLsn !== at.frameLsn - commit.span) {
      throw at.reader.corrupt("a commit does not follow the frames that it names");
    }
    const frames = first === 0 ? this.#frames : this.#frames.slice(first);
    this.#drop();
    return frames;
  }

  #drop(): void {
    this.#frames = [];
    this.#lsns = [];
  }

  #give(commit: CommitFrame, { frames, commitLsn }: { frames: KeptFrame[]; commitLsn: number }) {
    const { stream, pageCount, pageBytes, groupId, groupCount } = commit;
    const replayed = {
      stream: streamId(stream),
      lsn: lsn(commitLsn),
      pageCount,
      pageBytes,
      frames,
    };
    if (groupId === undefined || groupCount === undefined) {
      this.#group = undefined;
      this.#handOut(replayed);
    } else {
      this.#join({ groupId, groupCount }, replayed);
    }
  }

  /** See (3). */
  #join({ groupId, groupCount }: { groupId: number; groupCount: number }, commit: HeldCommit) {
    if (this.#group?.id !== groupId) this.#group = { id: groupId, commits: [], kept: 0 };
    const { commits } = this.#group;
    commits.push(commit);
    if (commits.length < groupCount) return;
    this.#group = undefined;
    for (const each of commits) this.#handOut({ ...each, groupLsn: commit.lsn });
  }

  #handOut(commit: ReplayedCommit): void {
    this.#commits += 1;
    this.#onCommit(commit);
  }

  /** See (4). */
  #keepGroup(): void {
    if (this.#group === undefined) return;
    const { commits, kept } = this.#group;
    for (const { frames } of commits.slice(kept)) for (const frame of frames) frame.keep();
    this.#group.kept = commits.length;
  }
}

type HeldCommit = ReplayedCommit & { readonly frames: readonly KeptFrame[] };

interface HeldGroup {
  readonly id: number;
  readonly commits: HeldCommit[];
  /** How many of them are copies already. */
  kept: number;
}
