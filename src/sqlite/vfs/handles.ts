/** OPEN FILES BY INDEX, as C knows them. Free indexes are used again. */
import { present } from "../../base/assert.ts";

export class Handles<T> {
  readonly #open: (T | undefined)[] = [];
  readonly #free: number[] = [];

  add(file: T): number {
    const index = this.#free.pop() ?? this.#open.length;
    this.#open[index] = file;
    return index;
  }

  get(index: number): T {
    return present(this.#open[index], "a file is used after it was closed");
  }

  remove(index: number): T {
    const file = this.get(index);
    this.#open[index] = undefined;
    this.#free.push(index);
    return file;
  }
}
