/**
 * AN OBJECT STORE OVER ANOTHER ONE, for whoever has something to do around its calls: it says so in
 * one place (`around`), and everything else is as it is beneath.
 */
import type {
  CallOptions,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutOutcome,
  ServiceReport,
  StoredObject,
} from "./object-store.ts";
import type { SinkOperation } from "./sink-error.ts";

/** What is asked of a store. */
export interface StoreCall extends CallOptions {
  readonly operation: SinkOperation | "inspect";
  /** Of a list: its prefix. */
  readonly key: string;
  /** What is put. */
  readonly body?: Uint8Array;
}

export abstract class ForwardingStore implements ObjectStore {
  readonly location: string;
  readonly #beneath: ObjectStore;

  /** The store beneath is closed with it. */
  constructor(beneath: ObjectStore) {
    this.location = beneath.location;
    this.#beneath = beneath;
  }

  put(key: string, body: Uint8Array, options: PutOptions): Promise<void> {
    const { signal } = options;
    const send = () => this.#beneath.put(key, body, options);
    return this.around({ operation: "put", key, body, signal }, send);
  }

  putIfAbsent(key: string, body: Uint8Array, options: PutOptions): Promise<PutOutcome> {
    const { signal } = options;
    const send = () => this.#beneath.putIfAbsent(key, body, options);
    return this.around({ operation: "putIfAbsent", key, body, signal }, send);
  }

  get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    const { signal } = options;
    const send = () => this.#beneath.get(key, options);
    return this.around({ operation: "get", key, signal }, send);
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const { signal } = options;
    const send = () => this.#beneath.head(key, options);
    return this.around({ operation: "head", key, signal }, send);
  }

  list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const { signal } = options;
    const send = () => this.#beneath.list(prefix, options);
    return this.around({ operation: "list", key: prefix, signal }, send);
  }

  delete(key: string, options: CallOptions = {}): Promise<void> {
    const { signal } = options;
    const send = () => this.#beneath.delete(key, options);
    return this.around({ operation: "delete", key, signal }, send);
  }

  inspect(key: string, options: PutOptions): Promise<ServiceReport | undefined> {
    const { signal } = options;
    const send = async () => this.#beneath.inspect?.(key, options);
    return this.around({ operation: "inspect", key, signal }, send);
  }

  close(): Promise<void> {
    return this.#beneath.close();
  }

  /** Makes the call with `send`, once or more often, or not at all. */
  protected abstract around<T>(call: StoreCall, send: () => Promise<T>): Promise<T>;
}
