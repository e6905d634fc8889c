/**
 * COMMITS OF THE LOG, judged as they would be replayed, without replaying them.
 *
 * (1) A commit belongs to a database that the manifest or an entry of the catalogue before it tells
 *     of; a tombstone is enough.
 * (2) The base of a delta is the version of the page that the log wrote last, above the checkpoint:
 *     a delta never reaches across one. Its sum is verified by making the page from it.
 * (3) Images are kept for that, up to a budget. Beyond it only the bases are compared, and
 *     `deltasNotApplied` says how often.
 */
import { isStorageError } from "../../base/errors.ts";
import { CATALOGUE_STREAM, MIB } from "../../base/units.ts";
import { type CatalogueEntry, decodeCatalogueEntry } from "../../manifest/index.ts";
import type { ReplayedCommit, ReplayedFrame, SpillFields } from "../../write/index.ts";
import type { Findings } from "./findings.ts";

/** Entries that say how a stream is called; the others with a name are about snapshots. */
type Naming = Extract<
  CatalogueEntry,
  { readonly type: "create" | "createLog" | "fork" | "rename" }
>;

/** Where the batch lies that is being read. */
export interface CommitPlace {
  readonly file: string;
  readonly offset: number;
}

interface LastVersion {
  readonly lsn: number;
  readonly image: Uint8Array | undefined;
}

const IMAGES_BYTES_MAX = 256 * MIB;

type Delta = Extract<ReplayedFrame, { readonly kind: "delta" }>;

export class CommitJudge {
  commits = 0;
  deltas = 0;
  deltasNotApplied = 0;
  /** Chunks that commits of the log name, since they did not fit into memory. */
  readonly spilled: SpillFields[] = [];
  readonly #findings: Findings;
  /** Name by stream, of whatever may have commits. */
  readonly #streams: Map<number, string>;
  readonly #pages = new Map<number, Map<number, LastVersion>>();
  #imageBytes = 0;

  constructor(streams: ReadonlyMap<number, string>, findings: Findings) {
    this.#streams = new Map(streams);
    this.#findings = findings;
  }

  take(commit: ReplayedCommit, place: CommitPlace): void {
    this.commits += 1;
    if (commit.stream === CATALOGUE_STREAM) {
      for (const frame of commit.frames) {
        if (frame.kind === "entry") this.#entry(frame.payload, place);
      }
      return;
    }
    const database = this.#streams.get(commit.stream);
    if (database === undefined) {
      const what = `a commit of stream ${commit.stream}, which nothing tells of`;
      this.#findings.damage(place, what);
    }
    for (const frame of commit.frames) {
      if (frame.kind === "page") {
        this.#put(commit, frame.pageNumber, frame.image);
      } else if (frame.kind === "spill") {
        this.spilled.push(frame);
      } else if (frame.kind === "delta") {
        const why = this.#delta(commit, frame);
        const whose = { page: frame.pageNumber, ...(database !== undefined && { database }) };
        if (why !== undefined) this.#findings.damage({ ...place, ...whose }, why);
      }
    }
  }

  #entry(payload: Uint8Array, place: CommitPlace): void {
    try {
      const entry = decodeCatalogueEntry(payload);
      if (namesStream(entry)) this.#streams.set(entry.stream, entry.name);
    } catch (error) {
      if (!isStorageError(error, "BOP_CORRUPT") && !isStorageError(error, "BOP_FORMAT"))
        throw error;
      this.#findings.damage(place, error.message);
    }
  }

  /** Why the delta cannot be put on its base; undefined if it can. */
  #delta(commit: ReplayedCommit, frame: Delta): string | undefined {
    this.deltas += 1;
    const base = this.#pages.get(commit.stream)?.get(frame.pageNumber);
    if (base?.lsn !== frame.baseLsn) {
      const found = base === undefined ? "none is in the log" : `the newest is of ${base.lsn}`;
      return `a delta of page ${frame.pageNumber} is based on ${frame.baseLsn}; ${found}`;
    }
    if (base.image === undefined) {
      this.deltasNotApplied += 1;
      this.#put(commit, frame.pageNumber, undefined);
      return undefined;
    }
    try {
      this.#put(commit, frame.pageNumber, frame.apply(base.image));
      return undefined;
    } catch (error) {
      if (!isStorageError(error, "BOP_CORRUPT")) throw error;
      return error.details.why;
    }
  }

  #put(commit: ReplayedCommit, pageNumber: number, image: Uint8Array | undefined): void {
    let pages = this.#pages.get(commit.stream);
    if (pages === undefined) {
      pages = new Map();
      this.#pages.set(commit.stream, pages);
    }
    this.#imageBytes -= pages.get(pageNumber)?.image?.length ?? 0;
    const fits = image !== undefined && this.#imageBytes + image.length <= IMAGES_BYTES_MAX;
    if (fits) this.#imageBytes += image.length;
    pages.set(pageNumber, { lsn: commit.lsn, image: fits ? image.slice() : undefined });
  }
}

function namesStream(entry: CatalogueEntry): entry is Naming {
  return "name" in entry && entry.type !== "snapshot" && entry.type !== "dropSnapshot";
}
