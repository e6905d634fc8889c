/**
 * WRITES THE CATALOGUE TO THE MANIFEST, and with it what the change log tells of it, a moment after
 * it became durable in the log.
 *
 *            consider: something durable is unsaved      after delayMs
 *     idle ───────────────────────────────────► waiting ──────────────► saving
 *      ▲                                                                  │ nothing is left
 *      └──────────────────────────────────────────────────────────────────┘
 *
 * (1) Nobody who creates, renames or drops waits for it: what happens within `delayMs` shares one
 *     commit of the manifest.
 * (2) Only what is durable is saved, in order of LSN, each entry once: the mark that says how far it
 *     is moves in the same commit.
 * (3) A commit carries at most ENTRIES_MAX entries: what they mean to the change log is planned in one
 *     go, and holds up nobody else for long.
 * (4) The timer keeps the process alive: somebody may read the changes and wait for just this one.
 * (5) A failure leaves the entries where they are. It is tried again after a pause, by the next
 *     checkpoint, or when the store is opened next.
 */
import type { Clock, Disposer } from "../../base/env.ts";
import type { Lsn } from "../../base/units.ts";
import type { PageStore } from "../../page-store/index.ts";
import type { Catalogue } from "./catalogue.ts";
import type { CatalogueRow } from "./catalogue-row.ts";

const ENTRIES_MAX = 256;
const PAUSE_AFTER_FAILURE_MS = 1000;

export interface MaterialiserOptions {
  readonly catalogue: Catalogue;
  readonly pages: Pick<PageStore, "publishCatalogue">;
  readonly clock: Clock;
  readonly delayMs: number;
  readonly durableLsn: () => Lsn;
  readonly onFailure: (error: unknown) => void;
}

export class Materialiser {
  readonly #options: MaterialiserOptions;
  #timer: Disposer | undefined;
  #saving: Promise<void> | undefined;
  #stopped = false;

  constructor(options: MaterialiserOptions) {
    this.#options = options;
  }

  /** Cheap; called whenever the durable LSN advances. */
  consider(): void {
    if (this.#isSaved(this.#options.durableLsn())) return;
    this.#startIn(this.#options.delayMs);
  }

  /** Resolves when the manifest has every entry up to an LSN, which must be durable. */
  async upTo(lsn: Lsn): Promise<void> {
    while (!this.#isSaved(lsn)) await this.#save();
  }

  /** Nothing more is saved by itself. Resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.dispose();
    this.#timer = undefined;
    await this.#saving?.catch(() => undefined);
  }

  #isSaved(lsn: Lsn): boolean {
    const oldest = this.#options.catalogue.oldestUnsavedLsn;
    return oldest === undefined || oldest > lsn;
  }

  #startIn(delayMs: number): void {
    if (this.#stopped || this.#timer !== undefined || this.#saving !== undefined) return;
    this.#timer = this.#options.clock.deadline(delayMs, () => {
      this.#timer = undefined;
      this.#save().then(
        () => this.consider(),
        (error: unknown) => {
          this.#options.onFailure(error);
          this.#startIn(PAUSE_AFTER_FAILURE_MS);
        },
      );
    });
  }

  #save(): Promise<void> {
    this.#saving ??= this.#publish().finally(() => {
      this.#saving = undefined;
    });
    return this.#saving;
  }

  async #publish(): Promise<void> {
    const { catalogue, pages, durableLsn } = this.#options;
    const unsaved = catalogue.unsavedUpTo(durableLsn(), ENTRIES_MAX);
    const { lsn: catalogueLsn, rows, ...rest } = unsaved;
    await pages.publishCatalogue({ catalogueLsn, databases: rows.map(asDatabaseRow), ...rest });
    catalogue.saved(unsaved);
  }
}

function asDatabaseRow({ lsn: _lsn, droppedLsn, origin, ...row }: CatalogueRow) {
  const dropped = droppedLsn !== undefined && { droppedLsn };
  return { ...row, ...(origin && { origin }), ...dropped };
}
