/**
 * RECORD LOGS BY NAME, over an open store: what the manager does with them, and their part in
 * checkpoints.
 *
 * (1) A change of the catalogue is told to its caller when it is durable.
 * (2) A row of the manifest has the name that the log had when the checkpoint began.
 */
import { StorageError } from "../../base/errors.ts";
import { type Lsn, laterLsn, type StreamId } from "../../base/units.ts";
import type {
  CheckpointParticipant,
  CheckpointShare,
  ChunkWork,
  ShareChange,
} from "../../page-store/index.ts";
import {
  commitTogether,
  type HandleMember,
  type LogHost,
  type LogMember,
  type LogsShare,
  type LogWritten,
  type RecordLog,
  RecordLogHandle,
  type RecordLogs,
  type RecordLogsStats,
} from "../../record-log/index.ts";
import type { LogInfo, LogOptions } from "../api/logs.ts";
import type { ListOptions } from "../api/manager.ts";
import { recordLogName } from "../catalogue/names.ts";
import { pageWanted } from "../list-page.ts";
import { yesOrNo } from "../option-values.ts";
import { refuseUnknown } from "../refuse-unknown.ts";
import { type LogCatalogue, type LogRow, logNameTaken } from "./log-catalogue.ts";

export interface LogsParts {
  readonly catalogue: LogCatalogue;
  readonly logs: RecordLogs;
  /** First stream that was never given out. */
  readonly nextStreamId: () => StreamId;
  readonly wallMs: () => number;
  readonly durable: (lsn: Lsn) => Promise<void>;
  /** See door.ts. */
  readonly enter: () => Promise<void> | undefined;
}

export class Logs implements CheckpointParticipant {
  readonly #parts: LogsParts;
  readonly #host: LogHost;

  constructor(parts: LogsParts, host: LogHost) {
    this.#parts = parts;
    this.#host = host;
    parts.logs.attach(host);
  }

  get stats(): RecordLogsStats {
    return this.#parts.logs.stats;
  }

  /** Memory that only a checkpoint can free. */
  get unstoredBytes(): number {
    return this.#parts.logs.unstoredBytes;
  }

  /** Something of them is not in the manifest as it is: a drop or a vote, as much as an entry. */
  get isDirty(): boolean {
    const { catalogue, logs } = this.#parts;
    return logs.isDirty || catalogue.dropped().length > 0;
  }

  /** Record logs that hold the store's log: by name, and from where on. */
  holdsLog(): { readonly name: string; readonly fromLsn: Lsn }[] {
    const { catalogue, logs } = this.#parts;
    return logs.holdsLog().map(({ stream, fromLsn }) => {
      return { name: catalogue.nameOf(stream), fromLsn };
    });
  }

  async open(name: string, options: LogOptions = {}): Promise<RecordLog> {
    refuseUnknown("log", options, ["create"]);
    const mayCreate = yesOrNo("log: create", options.create) ?? true;
    const checked = recordLogName(name);
    this.#host.assertOpen();
    const { catalogue, logs, wallMs, durable } = this.#parts;
    let row = catalogue.find(checked);
    if (row === undefined) {
      if (!mayCreate) throw notFound(checked);
      const opened = this.#parts.enter();
      if (opened !== undefined) await opened;
      row = catalogue.find(checked); // Another may have made it meanwhile.
    }
    if (row === undefined) {
      row = catalogue.create(checked, wallMs());
      logs.add(row.stream);
    }
    const log = logs.get(row.stream);
    await durable(row.lsn);
    return new RecordLogHandle(logs, log);
  }

  async list(options: ListOptions = {}): Promise<LogInfo[]> {
    const { prefix, after, limit } = pageWanted("logs", options);
    this.#host.assertOpen();
    const { durableLsn } = this.#host.log;
    const found = this.#parts.catalogue
      .liveAt(durableLsn)
      .filter(({ name }) => name > after && name.startsWith(prefix))
      .slice(0, limit)
      .map(({ name, row }) => {
        const sizeBytes = this.#parts.logs.sizeBytes(row.stream);
        return { name, sizeBytes, createdAt: new Date(row.createdAtMs) };
      });
    await this.#parts.durable(durableLsn);
    return found;
  }

  async rename(from: string, to: string): Promise<void> {
    const [source, target] = [recordLogName(from), recordLogName(to)];
    const opened = this.#parts.enter();
    if (opened !== undefined) await opened;
    const { stream } = this.#live(source);
    const { catalogue, logs, durable } = this.#parts;
    if (catalogue.find(target) !== undefined) throw logNameTaken(target);
    const lsn = catalogue.rename(stream, target);
    logs.touch(stream);
    await durable(lsn);
  }

  async drop(name: string): Promise<void> {
    const checked = recordLogName(name);
    const opened = this.#parts.enter();
    if (opened !== undefined) await opened;
    const { stream } = this.#live(checked);
    const { catalogue, logs, durable } = this.#parts;
    const lsn = catalogue.drop(stream);
    const message = `record log ${JSON.stringify(checked)} was dropped`;
    logs.drop(stream, new StorageError("BOP_DROPPED", message, { details: { database: checked } }));
    await durable(lsn);
  }

  /** One change over several logs. */
  async commit(members: readonly LogMember[]): Promise<LogWritten[]> {
    if (!Array.isArray(members) || members.length === 0) {
      throw new TypeError("commitLogs: want an array of { log, … }");
    }
    const { logs, durable } = this.#parts;
    const given = (members as readonly LogMember[]).map((member): HandleMember => {
      if (member.log instanceof RecordLogHandle) return member.log.member(member);
      throw new TypeError("commitLogs: every member names a log of this manager");
    });
    if (!given.every(({ log }) => logs.owns(log))) {
      throw new TypeError("commitLogs: every member names a log of this manager");
    }
    if (new Set(given.map(({ log }) => log)).size < given.length) {
      throw new TypeError("commitLogs: a log appears twice");
    }
    const { lsn, written } = await commitTogether(given, (whole) => {
      const at = logs.write(whole);
      const told = whole.map(({ log }) => ({ lsn: at, lastIndex: log.core.lastIndex }));
      return { lsn: at, written: told };
    });
    await durable(lsn);
    return written;
  }

  /** What the log has lost is not to be seen. */
  dropAbove(durableLsn: Lsn): void {
    this.#parts.logs.dropAbove(durableLsn);
  }

  begin(): CheckpointShare | undefined {
    const { catalogue, logs, nextStreamId } = this.#parts;
    const removed = catalogue.dropped();
    const share = logs.begin();
    if (share === undefined && removed.length === 0) return undefined;
    const rows = new Map<number, LogRow | undefined>();
    for (const stream of share?.streams ?? []) {
      rows.set(stream, catalogue.live(stream as StreamId));
    }
    const streams = { removed, next: nextStreamId() };
    return {
      write: (work) => writeRows({ share, rows, streams }, work),
      install: () => {
        share?.install();
        catalogue.removed(removed);
        logs.trim();
      },
      refused: () => logs.again(share?.streams ?? []),
    };
  }

  #live(name: string): LogRow {
    const row = this.#parts.catalogue.find(name);
    if (row === undefined) throw notFound(name);
    return row;
  }
}

interface Begun {
  readonly share: LogsShare | undefined;
  /** See (2). */
  readonly rows: ReadonlyMap<number, LogRow | undefined>;
  readonly streams: { readonly removed: readonly StreamId[]; readonly next: StreamId };
}

async function writeRows({ share, rows, streams }: Begun, work: ChunkWork): Promise<ShareChange> {
  const written = await share?.write(work);
  const putRecordLogs = (written?.bodies ?? []).flatMap(({ stream, lsn, body }) => {
    const row = rows.get(stream);
    if (row === undefined) return [];
    const { name, createdAtMs } = row;
    const newest = laterLsn(row.lsn, lsn);
    return [{ stream: row.stream, state: "live" as const, name, createdAtMs, lsn: newest, body }];
  });
  return {
    putRecordLogs,
    removeRecordLogs: streams.removed,
    putChunks: written?.putChunks ?? [],
    removeChunks: written?.removeChunks ?? [],
    nextStreamId: streams.next,
  };
}

function notFound(name: string): StorageError {
  return new StorageError("BOP_NOT_FOUND", `there is no record log named ${JSON.stringify(name)}`, {
    details: { database: name },
  });
}
