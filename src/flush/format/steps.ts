/**
 * LARGE OBJECTS ARE MADE IN STEPS, each of less than a millisecond or so: whoever makes one beside
 * other work takes turns between them (ship/paced.ts), everybody else takes them at once.
 */

export type Steps<T> = Generator<void, T>;

export function atOnce<T>(steps: Steps<T>): T {
  while (true) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}
