export interface ContractRunner {
    describe(name: string, define: () => void): void;
    test(name: string, run: () => Promise<void>): void;
}

/** One store; each test opens its own, empty. */
export interface LogStore {
    /** Opens the log of that name, or creates it. */
    log(name: string): Promise<RecordLog>;
    /** Closes everything properly and opens it again: handles from before are of no more use. */
    reopen(): Promise<void>;
    close(): Promise<void>;
    /** One atomic change over several logs. Without it, those tests are left out. */
    commitLogs?(members: readonly LogMember[]): Promise<LogWritten[]>;
    /** Ends it without closing anything, as a power cut does, and opens it again. */
    crash?(): Promise<void>;
    /** From now on the device refuses what is written, for good. */
    failWrites?(): void;
    /** Moves entries out of memory, as far as the store knows how. */
    settle?(): Promise<void>;
}

export type OpenLogStore = () => Promise<LogStore>;

/** Defines the tests; the runner runs them. `open` gives an empty store each time. */
export declare function runLogStoreContract(runner: ContractRunner, name: string, open: OpenLogStore): void;
