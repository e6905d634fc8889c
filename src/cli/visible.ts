/**
 * TEXT AS A TERMINAL MAY SHOW IT. Names and values come from anywhere: an escape sequence in one must
 * not move the cursor, set a title or recolour the screen.
 *
 * (1) `visible` leaves no control character and no character that reorders or hides others.
 * (2) `displayWidth` counts columns of a terminal: 2 for East Asian wide characters and emoji, 0 for
 *     marks that combine with the character before.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;
const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60]/u;
const COMBINING = /\p{Mn}|\p{Me}|[\u200b-\u200d]|[\ufe00-\ufe0f]/u;
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

export function visible(text: string): string {
  if (PRINTABLE_ASCII.test(text)) return text;
  return text.replace(HIDDEN, (character) => {
    const code = character.charCodeAt(0);
    const digits = code < 0x100 ? 2 : 4;
    const prefix = code < 0x100 ? "\\x" : "\\u";
    return NAMED[character] ?? `${prefix}${code.toString(16).padStart(digits, "0")}`;
  });
}

/** Lines of text that comes from anywhere. */
export function visibleLines(lines: readonly string[]): string {
  return lines.map((line) => `${visible(line)}\n`).join("");
}

export function displayWidth(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += widthOf(character);
  return width;
}

/** The longest beginning of `text` that fits `width` columns, with `…` at its end if it was cut. */
export function cutToWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let used = 0;
  let kept = "";
  for (const character of text) {
    used += widthOf(character);
    if (used > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

function widthOf(character: string): number {
  if (COMBINING.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
