/** A part of an object, or its end. One that reaches beyond the object is cut to it. */
export type ByteRange = {
    readonly offset: number;
    readonly bytes: number;
} | {
    readonly lastBytes: number;
};

export interface CallOptions {
    readonly signal?: AbortSignal | undefined;
}

export interface ContractRunner {
    describe(name: string, define: () => void): void;
    test(name: string, run: () => Promise<void>): void;
}

export interface GetOptions extends CallOptions {
    /** Without it the whole object is read, and checked against its SHA-256. A part cannot be. */
    readonly range?: ByteRange | undefined;
}

export interface ListOptions extends CallOptions {
    /** Only keys behind this one. */
    readonly after?: string | undefined;
    /** At most so many. From 1 to 1000, which is the default. */
    readonly limit?: number | undefined;
}

export interface ListPage {
    /** In the order of the keys' bytes. */
    readonly objects: readonly ListedObject[];
    /** Where to go on (`after`); undefined at the end. */
    readonly next: string | undefined;
}

export interface ListedObject {
    readonly key: string;
    readonly sizeBytes: number;
    /** By the clock of the service, for people. Undefined where it does not say. */
    readonly modifiedAtMs: number | undefined;
}

export interface ObjectInfo {
    readonly key: string;
    readonly sizeBytes: number;
    /** Undefined if somebody else than us put it. */
    readonly putId: string | undefined;
    readonly sha256: string | undefined;
}

export interface ObjectStore {
    /** Where it is, as a URL without secrets: for messages and reports. */
    readonly location: string;
    /** Replaces what is there. */
    put(key: string, body: Uint8Array, options: PutOptions): Promise<void>;
    putIfAbsent(key: string, body: Uint8Array, options: PutOptions): Promise<PutOutcome>;
    /** Undefined if there is none. */
    get(key: string, options?: GetOptions): Promise<StoredObject | undefined>;
    /** Undefined if there is none. */
    head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>;
    /** Keys that begin with the prefix, which may end anywhere in a key. */
    list(prefix: string, options?: ListOptions): Promise<ListPage>;
    /** What is not there is deleted already. */
    delete(key: string, options?: CallOptions): Promise<void>;
    /** What the service can do beyond what is asked of it: see probe.ts. Leaves nothing behind. */
    inspect?(key: string, options: PutOptions): Promise<ServiceReport | undefined>;
    /** Ends what calls under way still wait for, lets go of connections. Idempotent. */
    close(): Promise<void>;
}

/** A folder or a prefix of its own, empty. */
export interface ObjectStorePlace {
    readonly store: ObjectStore;
    /** A store on the same place, as another process has one. */
    another(): Promise<ObjectStore>;
    /** Closes what was opened, and removes what was put. */
    close(): Promise<void>;
    /** What a large body is there, such as one that is sent in parts. Default 1 MiB and a bit. */
    readonly largeBytes?: number;
    /** Changes a bit of the stored body. Without it, the test of that is left out. */
    damage?(key: string): Promise<void>;
}

export type OpenPlace = () => Promise<ObjectStorePlace>;

export interface PutOptions extends CallOptions {
    /** Of this body under this key: 32 lower-case hexadecimal digits, never used for another. */
    readonly putId: string;
    /**
     * What the body hashes to, where its maker knows: 64 hexadecimal digits. A body that does not is
     * refused with BOP_SINK_CORRUPT before anything of it leaves.
     */
    readonly sha256?: string | undefined;
}

export type PutOutcome = 
/** It is there, and it is this put that created it. */
{
    readonly type: "created";
}
/** Another put was first. Nothing was changed. */
 | {
    readonly type: "exists";
    readonly info: ObjectInfo;
};

/** Nothing of it is needed; `bop doctor` tells it. */
export interface ServiceReport {
    /** A put on condition of what is there: with the ETag as it was given, without its quotes, not. */
    readonly compareAndSwap: "yes" | "unquoted" | "no";
    /** A body that does not hash to what was announced is refused by the service itself. */
    readonly refusesDamage: boolean;
}

export interface StoredObject {
    readonly info: ObjectInfo;
    readonly bytes: Uint8Array;
}

/** Defines the tests; the runner runs them. `open` gives an empty place each time. */
export declare function runObjectStoreContract(runner: ContractRunner, name: string, open: OpenPlace): void;
