/** WORK ON MANY OBJECTS, several at a time, with the results in order. */

/** Requests under way at a time. */
const READS_AT_A_TIME = 8;

/** Results in the order of the items; `ahead` of them are under way while one is waited for. */
export async function* inOrder<Item, Result>(
  items: Iterable<Item>,
  work: (item: Item) => Promise<Result>,
  ahead = READS_AT_A_TIME,
): AsyncGenerator<Result> {
  const started: Promise<Result>[] = [];
  try {
    for (const item of items) {
      const result = work(item);
      result.catch(() => {}); // Whoever waits for it is told.
      started.push(result);
      if (started.length >= ahead) yield await (started.shift() as Promise<Result>);
    }
    while (started.length > 0) yield await (started.shift() as Promise<Result>);
  } finally {
    await Promise.allSettled(started);
  }
}

export async function allInOrder<Item, Result>(
  items: Iterable<Item>,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for await (const result of inOrder(items, work)) results.push(result);
  return results;
}
