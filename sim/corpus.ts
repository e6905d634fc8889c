/**
 * SEEDS THAT ONCE FAILED, with what they found. Each test run lives them again. A seed draws other
 * dice when the simulation changes, so this is a thin net; what was found has its own unit test.
 */
import type { ScenarioName } from "./scenarios/index.ts";

export interface PastFailure {
  readonly scenario: ScenarioName;
  readonly seed: number;
  readonly found: string;
  /** In a further image of a crash; of the others only the main line is lived again. */
  readonly inEcho?: boolean;
}

export const CORPUS: readonly PastFailure[] = [
  {
    scenario: "crash",
    seed: 6,
    found: "a commit below the checkpoint whose front lies in a released segment stopped recovery",
  },
  {
    scenario: "crash",
    seed: 108,
    found: "a killed first open left a directory whose name nobody synced; a power cut took it",
  },
  {
    scenario: "faults",
    seed: 15,
    found: "a commit that waited while the log failed was reported as refused, and was there",
  },
  {
    scenario: "faults",
    seed: 61,
    found: "pages that a reader held started checkpoints without end, and nothing else ran",
  },
  {
    scenario: "faults",
    seed: 85,
    found: "a list left out a database whose renaming was not durable yet",
  },
  {
    scenario: "faults",
    seed: 84,
    found:
      "a failed sync after segments were let go came out of a checkpoint as a raw system error",
  },
  {
    scenario: "faults",
    seed: 5048,
    found: "a disk that had been full was refused for ever, though a segment had become free",
  },
  {
    scenario: "faults",
    seed: 5001597,
    found: "a checkpoint that failed behind the manifest was never ended, and its log filled up",
  },
  {
    scenario: "faults",
    seed: 5001680,
    found:
      "one refused commit of the manifest ended it, and the log with it when a segment was full",
  },
  {
    scenario: "faults",
    seed: 1031,
    found: "a failed sync of the manifest's directory left open as a raw system error",
  },
  {
    scenario: "pages",
    seed: 2970,
    found: "a database that was emptied and grew within one checkpoint got old pages back",
  },
  {
    scenario: "pages",
    seed: 3197,
    found: "the same, and what it got back was another page's image",
  },
  {
    scenario: "pages",
    seed: 1140,
    found: "a collection took what a dropped fork began with, and no checkpoint ended it any more",
  },
  {
    scenario: "pages",
    seed: 1011,
    found: "a collection rewrote chunks that are small for ever, and never ended",
  },
  {
    scenario: "families",
    seed: 3007,
    found: "a list of a fork that reads nothing through its origin waited for it for ever",
  },
  {
    scenario: "log",
    seed: 732,
    found: "a batch that two killed starts had copied hung on a header that nobody had synced",
  },
  {
    scenario: "shipping",
    seed: 318,
    found: "a process that died before its first state left a quiet store waiting for a checkpoint",
  },
  {
    scenario: "fencing",
    seed: 84,
    found:
      "a stalled take-over looked into what a newer writer had deleted, and believed the end too low",
  },
  {
    scenario: "rot",
    seed: 1699,
    found:
      "copies of a superblock in the page cache only were written over before they were synced",
  },
  {
    scenario: "decay",
    seed: 67,
    found: "a store restored from a bucket that has a state and no log was refused by that bucket",
  },
  {
    scenario: "decay",
    seed: 42,
    found: "a copy of a segment for the history took over what was read wrong while it was made",
  },
  {
    scenario: "families",
    seed: 10000019,
    found: "a checkpoint let a segment go that a pass over the log was still about to read",
  },
  {
    scenario: "families",
    seed: 10000053,
    found: "the same, when the last database that waited had been replayed by itself",
  },
  {
    scenario: "families",
    seed: 20000039,
    found: "a reader of history asked for a segment by the name that its copy had just replaced",
  },
  {
    scenario: "families",
    seed: 20000074,
    found: "an integrity check called damage what the device had refused to read",
  },
  {
    scenario: "jobs",
    seed: 32,
    found: "a read that failed during an integrity check was reported as damage of the database",
  },
  {
    scenario: "residency",
    seed: 53,
    found: "a file of a chunk that was too short made readers doubt what was fetched in its place",
  },
  {
    scenario: "residency",
    seed: 11,
    found: "what was damaged on its way to a compaction was reported as damage of this disk",
  },
  {
    scenario: "jobs",
    seed: 68,
    found: "diagnostics met an assertion while a segment was being taken into use",
  },
  {
    scenario: "past",
    seed: 5,
    found: "a database that was dropped while it was being opened met an assertion",
  },
  {
    scenario: "families",
    seed: 70000019,
    found: "an export whose look for its file failed threw the system's own error",
  },
  {
    scenario: "crash",
    seed: 70000104,
    found: "an older segment went while the header of the only one left was in the page cache only",
    inEcho: true,
  },
  {
    scenario: "record-log",
    seed: 40000068,
    found: "an emptied log that took a snapshot of less said that it had entries which are nowhere",
  },
  {
    scenario: "record-log",
    seed: 40000153,
    found: "the same, after four lives",
  },
  {
    scenario: "record-log",
    seed: 40000143,
    found: "a change of another log passed a compaction that reads a chunk, unknown to the oracle",
  },
  {
    scenario: "log",
    seed: 30000007,
    found: "history that begins within a large commit was called damaged",
  },
  {
    scenario: "past",
    seed: 19,
    found:
      "a moment was made of a newer state, found behind a base that tells of an older checkpoint",
  },
  {
    scenario: "past",
    seed: 13,
    found: "the oracle asked for the end of a batch without commits, which was not shipped yet",
  },
  {
    scenario: "past",
    seed: 1008,
    found: "the oracle held that handles queue in order while pages of the schema are away",
  },
  {
    scenario: "record-log",
    seed: 5002693,
    found:
      "the oracle took a change over both logs for known when what changed nothing was answered",
    inEcho: true,
  },
  {
    scenario: "record-log",
    seed: 5003574,
    found: "the same, with more changes behind it",
    inEcho: true,
  },
  {
    scenario: "pages",
    seed: 5007849,
    found: "a collection took chunks of a checkpoint that the manifest had refused, and made",
    inEcho: true,
  },
  {
    scenario: "pages",
    seed: 5020719,
    found: "the same, on a disk that was full for a moment",
    inEcho: true,
  },
  {
    scenario: "pages",
    seed: 8000141,
    found:
      "a fork's origin was not kept any more, and no version yet, while a checkpoint was installed",
  },
  {
    scenario: "faults",
    seed: 11000921,
    found: "a segment that could not be opened became history from the beginning of the log on",
  },
  {
    scenario: "residency",
    seed: 40000109,
    found: "the oracle forgot a damaged file that a killed process had let go, until a power cut",
  },
  {
    scenario: "tiering",
    seed: 40000056,
    found: "a load of a database of 8 MiB was more than the simulation lets a transaction change",
  },
  {
    scenario: "log",
    seed: 20004515,
    found:
      "copies of a superblock whose sync had failed were taken for durable by the next process",
  },
  {
    scenario: "lost-manifest",
    seed: 129,
    found: "a store that was rebuilt named a past that began before the log that it needs",
  },
  {
    scenario: "faults",
    seed: 20002079,
    found: "a chunk that the device did not read at a start was never asked for again",
  },
  {
    scenario: "residency",
    seed: 70000188,
    found: "the oracle had the same bytes damaged on their way three times, and wanted them read",
  },
  {
    scenario: "decay",
    seed: 70000103,
    found: "a chunk that showed damage at a start was refused when the disk was well again",
  },
  {
    scenario: "fencing",
    seed: 70000686,
    found: "the oracle wanted a log compared of which the service had denied an object",
  },
  {
    scenario: "residency",
    seed: 1601,
    found: "nothing of the store: the bucket of its rig asked for ever for what came cut short",
  },
  {
    scenario: "rot",
    seed: 1096,
    found: "nothing of the store: a superblock that was cut off twice lags two sequences behind",
  },
  {
    scenario: "decay",
    seed: 90000042,
    found: "half a superblock was written over beside a half that had decayed meanwhile",
  },
  {
    scenario: "gaps",
    seed: 110000059,
    found:
      "a restored store gave a chunk the id of one that the bucket had, and never put it there",
  },
  {
    scenario: "gaps",
    seed: 120000097,
    found: "a base that was never finished hid the states behind it from who restores",
  },
  {
    scenario: "lost-manifest",
    seed: 120000028,
    found: "a rebuild registered a segment whose name was not durable",
  },
  {
    scenario: "lost-manifest",
    seed: 130000051,
    found: "a rebuild left out the segment before one whose header only the page cache had",
  },
  {
    scenario: "decay",
    seed: 131000008,
    found: "a pass over the disk took a superblock that was being written for damaged",
  },
  {
    scenario: "gaps",
    seed: 131000817,
    found: "a sink was refused for an object that was damaged on its way back",
  },
  {
    scenario: "gaps",
    seed: 131000382,
    found: "the oracle missed a transaction that was refused where nobody listened any more",
  },
];
