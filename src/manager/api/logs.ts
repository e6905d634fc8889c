/** RECORD LOGS by name. What they can do is in record-log/. */

export interface LogOptions {
  /** With false, an unknown name throws BOP_NOT_FOUND instead of creating it. Default true. */
  readonly create?: boolean;
}

export interface LogInfo {
  readonly name: string;
  /** About what its entries take: in memory, and their share of the chunks that they lie in. */
  readonly sizeBytes: number;
  readonly createdAt: Date;
}
