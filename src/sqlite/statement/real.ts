/**
 * A NUMBER THAT BINDS AS A REAL, whole or not. A plain number that is whole binds as an integer,
 * which is what JavaScript means by it; but a protocol that tells 1 from 1.0 must be able to.
 */
export class SqlReal {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}
