/**
 * WHAT A SERVER'S TENANTS MAY ASK OF SQLITE: its own run-time limits, set low. The embedded profile
 * keeps what the build was compiled with.
 */

interface Limit {
  /** The number that sqlite3_limit knows it by. */
  readonly id: number;
  readonly value: number;
}

const LIMITS: Readonly<Record<string, Limit>> = {
  /** Bytes of a text, a blob or a row. */
  length: { id: 0, value: 2_000_000 },
  /** Bytes of a statement. */
  sqlLength: { id: 1, value: 1_000_000 },
  column: { id: 2, value: 100 },
  expressionDepth: { id: 3, value: 500 },
  compoundSelect: { id: 4, value: 50 },
  vdbeOperations: { id: 5, value: 250_000 },
  functionArguments: { id: 6, value: 32 },
  /** One, which a plain VACUUM needs; the authorizer refuses every other ATTACH. */
  attached: { id: 7, value: 1 },
  likePatternLength: { id: 8, value: 50 },
  variableNumber: { id: 9, value: 32_766 },
  triggerDepth: { id: 10, value: 10 },
};

export const SERVER_LIMITS: ReadonlyMap<number, number> = new Map(
  Object.values(LIMITS).map(({ id, value }) => [id, value]),
);
