export { Client } from "@libsql/core/api";

export type Config = Common & ({
    readonly url: string;
} | {
    readonly directory: string;
    readonly database?: string;
} | {
    readonly manager: Manager;
    readonly database?: string;
});

export { InArgs } from "@libsql/core/api";

export { InStatement } from "@libsql/core/api";

export { InValue } from "@libsql/core/api";

export { IntMode } from "@libsql/core/api";

export { LibsqlBatchError } from "@libsql/core/api";

export { LibsqlError } from "@libsql/core/api";

export { Replicated } from "@libsql/core/api";

export { ResultSet } from "@libsql/core/api";

export { Row } from "@libsql/core/api";

export { Transaction } from "@libsql/core/api";

export { TransactionMode } from "@libsql/core/api";

export { Value } from "@libsql/core/api";

/** A client of a database in a store of this machine. */
export declare function createClient(config: Config): Client;
