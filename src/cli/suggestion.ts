/** WHAT WAS MEANT by a word that is not known: the known one that few keystrokes tell apart. */

/** More differences than this, or than a third of the word, are another word. */
const DISTANCE_MAX = 3;

export function suggestion(word: string, known: readonly string[]): string | undefined {
  const limit = Math.min(DISTANCE_MAX, Math.max(1, Math.ceil(word.length / 3)));
  let nearest: string | undefined;
  let least = limit + 1;
  for (const one of known) {
    const distance = editDistance(word.toLowerCase(), one.toLowerCase());
    if (distance < least) [nearest, least] = [one, distance];
  }
  return nearest;
}

/** Insertions, deletions and replacements that turn one word into the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
