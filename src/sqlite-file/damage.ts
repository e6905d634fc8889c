/**
 * WHAT IS WRONG WITH A FILE, on its way out of the walk that found it: thrown by whoever looks at a
 * page, caught by page-walk.ts and made an answer there.
 */
export class Damage extends Error {
  readonly page: number;

  constructor(page: number, why: string) {
    super(why);
    this.page = page;
  }
}
