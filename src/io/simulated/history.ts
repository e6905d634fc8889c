/**
 * ONE THING ON THE SIMULATED DISK (a sector, a size, a name) with what it was when last durable and
 * everything that it became since. A power cut may leave any of these.
 *
 * (1) `current` is what a living process sees.
 * (2) A version marked `lost` is one whose sync failed: the page cache may show it, but no later
 *     sync makes it durable. Only writing it anew does.
 */

interface Version<T> {
  readonly order: number;
  readonly value: T;
  lost: boolean;
}

export class History<T> {
  #durable: T;
  #versions: Version<T>[] = [];

  constructor(durable: T) {
    this.#durable = durable;
  }

  get current(): T {
    const newest = this.#versions.at(-1);
    return newest === undefined ? this.#durable : newest.value;
  }

  get durable(): T {
    return this.#durable;
  }

  /** True if a power cut cannot change it. */
  get settled(): boolean {
    return this.#versions.length === 0;
  }

  put(order: number, value: T): void {
    this.#versions.push({ order, value, lost: false });
  }

  /** A sync that began after `order` has succeeded. */
  sync(order: number): void {
    const at = this.#versions.findLastIndex((version) => !version.lost && version.order <= order);
    const synced = this.#versions[at];
    if (synced === undefined) return;
    this.#durable = synced.value;
    this.#versions = this.#versions.slice(at + 1);
  }

  /** A sync that began after `order` has failed, and the page cache keeps what it has. */
  lose(order: number): void {
    for (const version of this.#versions) if (version.order <= order) version.lost = true;
  }

  /** A sync that began after `order` has failed, and the page cache dropped what it had. */
  drop(order: number): void {
    this.#versions = this.#versions.filter((version) => version.order > order);
  }

  /** Everything that a power cut may leave, the durable value first, the newest last. */
  possible(): readonly T[] {
    return [this.#durable, ...this.#versions.map((version) => version.value)];
  }

  /** The same with a life of its own. */
  copy(same: (value: T) => T): History<T> {
    const copy = new History(same(this.#durable));
    copy.#versions = this.#versions.map((each) => ({ ...each, value: same(each.value) }));
    return copy;
  }

  /** What it is from now on, and durable. */
  become(value: T): void {
    this.#durable = value;
    this.#versions = [];
  }
}
