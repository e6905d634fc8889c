/**
 * SLUGS: names of databases as one segment of a URL, of a path, of a metric's label. A slug is made
 * of `a-z`, `0-9`, `-` and `_` alone.
 *
 *   a-z 0-9 -                 themselves
 *   any other byte of UTF-8   `_` and two lower-case hex digits
 *
 * (1) Injective and reversible: the escape begins with a byte that never stands for itself, so
 *     `my-db` and `my_db` are `my-db` and `my_5fdb`.
 * (2) Safe where case is not told apart: no slug has an upper-case letter, so two slugs that differ
 *     only in case do not exist. `A` is `_41`.
 * (3) Slugs sort as their names do as long as those are plain; beyond that their order means
 *     nothing.
 * (4) Of a name of 255 bytes the slug has at most 765 characters: too long for a file name, which
 *     is why files are named by id.
 */
import { databaseName } from "./names.ts";

const PLAIN = /^[a-z0-9-]$/;
const SLUG = /^(?:[a-z0-9-]|_[0-9a-f]{2})+$/;

/**
 * The name of a database as one segment of a URL or a path, from which `nameOfSlug` makes it again.
 * Throws TypeError or RangeError for what is no name.
 */
export function slugOf(name: string): string {
  let slug = "";
  for (const byte of Buffer.from(databaseName(name), "utf8")) {
    const character = String.fromCharCode(byte);
    slug += PLAIN.test(character) ? character : `_${byte.toString(16).padStart(2, "0")}`;
  }
  return slug;
}

/** The name that has this slug; undefined if none has. Any text gives an answer. */
export function nameOfSlug(slug: string): string | undefined {
  if (!SLUG.test(slug)) return undefined;
  const bytes: number[] = [];
  for (const [part] of slug.matchAll(/_(..)|./g)) {
    bytes.push(part.length === 3 ? Number.parseInt(part.slice(1), 16) : part.charCodeAt(0));
  }
  const text = Buffer.from(bytes).toString("utf8");
  try {
    const name = databaseName(text);
    return slugOf(name) === slug ? name : undefined; // One name has one slug: see (1).
  } catch {
    return undefined; // What it stands for is no name.
  }
}
