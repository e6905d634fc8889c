/** COPIES of a model in which the same thing is met in several places: each is copied once. */
export class Copies {
  readonly #copies = new Map<object, object>();

  of<T extends object>(each: T, make: (each: T) => T): T {
    const known = this.#copies.get(each);
    if (known !== undefined) return known as T;
    return this.put(each, make(each));
  }

  /** Before its parts are copied, where those lead back to it. */
  put<T extends object>(each: T, copy: T): T {
    this.#copies.set(each, copy);
    return copy;
  }
}
