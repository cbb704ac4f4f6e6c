/**
 * Text from outside, made fit to be shown: every string a peer or a customer sends passes through here before it
 * reaches a log, a prompt or a terminal.
 *
 * `escapeText` is for logs: one line of printable ASCII, whatever comes in, and nothing lost. `escapeInto` is for the
 * record of a session: the same, but letters of every script stay. `visibleText` is for people: letters stay, what
 * could move the cursor, turn the reading direction or hide does not. None ever throws. `columnsOf` tells how wide a
 * character stands on a terminal.
 */

const encoder = new TextEncoder();

export interface TextLimit {
  /** Longest result, in characters; a longer one is cut at a character (never within an escape) and ends in "...". */
  maxLength?: number;
}

/**
 * `input` as printable ASCII (0x20 to 0x7E) on one line: every other byte (of a string: of its UTF-8 form) as \xNN,
 * the backslash doubled.
 */
export function escapeText(input: string | Uint8Array, limit: TextLimit = {}): string {
  const bytes = typeof input === 'string' ? encoder.encode(input) : input;
  const cut = new Shortener(limit);
  for (let i = 0; i < bytes.length && !cut.full; i++) cut.add(escapeByte(bytes[i]));
  return cut.text;
}

/** What one byte can become at most. */
export const ESCAPED_BYTES_MAX = 4;
/** Of each byte its escaped form, four places each, and how many of them count: looked up, bulk is done in no time. */
const ESCAPED = new Uint8Array(256 * ESCAPED_BYTES_MAX);
const ESCAPED_LENGTH = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const { written } = encoder.encodeInto(escapeByte(byte), ESCAPED.subarray(byte * ESCAPED_BYTES_MAX));
  ESCAPED_LENGTH[byte] = written;
}

/**
 * `escapeText` for bulk, which leaves letters of every script: writes `bytes` into `target` from `at` on, where there
 * must be room for ESCAPED_BYTES_MAX times as many. What is not the UTF-8 form of something visible becomes \xNN, so
 * nothing is lost. Returns where it ended.
 */
export function escapeInto(target: Uint8Array, at: number, bytes: Uint8Array): number {
  let bytesOfLetter = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    const length = ESCAPED_LENGTH[byte];
    if (byte >= 0x80 && bytesOfLetter === 0) bytesOfLetter = visibleAt(bytes, i);
    if (length === 1 || bytesOfLetter > 0) {
      target[at++] = byte;
      if (bytesOfLetter > 0) bytesOfLetter--;
      continue;
    }
    const from = byte * ESCAPED_BYTES_MAX;
    target[at] = ESCAPED[from];
    target[at + 1] = ESCAPED[from + 1];
    target[at + 2] = ESCAPED[from + 2];
    target[at + 3] = ESCAPED[from + 3];
    at += length;
  }
  return at;
}

/** What a terminal neither shows nor may obey: controls, formats, surrogates, private characters, fillers. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
/** What HIDDEN says of each code point, once it was asked: 1 visible, 2 hidden. */
const visibility = new Uint8Array(0x110000);
const MARK = /\p{M}/u;
const SPACE = /\p{Zs}/u;

/** More marks than any script stacks on one letter; further ones would only climb over neighbouring lines. */
const MAX_MARKS = 4;

/** `text` without hidden characters, every kind of space as an ordinary one, marks stacked at most four high. */
export function visibleText(text: string, limit: TextLimit = {}): string {
  const cut = new Shortener(limit);
  let marks = 0;
  for (const character of text) {
    if (cut.full) break;
    if (HIDDEN.test(character)) continue;
    marks = MARK.test(character) ? marks + 1 : 0;
    if (marks <= MAX_MARKS) cut.add(SPACE.test(character) ? ' ' : character);
  }
  return cut.text;
}

/** Smallest code point of a UTF-8 form (RFC 3629) of 2, 3 and 4 bytes. */
const SMALLEST = [0, 0, 0x80, 0x800, 0x10000];

/** Bytes of the visible character beyond ASCII whose UTF-8 form begins at `at`; 0 where there is none. */
function visibleAt(bytes: Uint8Array, at: number): number {
  const lead = bytes[at];
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  let codePoint = lead & (0x7f >> length);
  for (let i = at + 1; i < at + length; i++) {
    if (bytes[i] >> 6 !== 2) return 0;
    codePoint = (codePoint << 6) | (bytes[i] & 0x3f);
  }
  if (codePoint < SMALLEST[length] || codePoint > 0x10ffff) return 0;
  visibility[codePoint] ||= HIDDEN.test(String.fromCodePoint(codePoint)) ? 2 : 1;
  return visibility[codePoint] === 1 ? length : 0;
}

/** Unicode East Asian Width W and F in whole blocks, and the emoji planes: close enough to rub out what was echoed. */
const WIDE =
  /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;
const NARROWEST = /[\p{M}\p{Cf}]/u;

/** Columns that one character (one code point) takes on a terminal: 0, 1 or 2. */
export function columnsOf(character: string): number {
  if (character >= ' ' && character <= '~') return 1;
  if (NARROWEST.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

function escapeByte(byte: number): string {
  if (byte === 0x5c) return '\\\\';
  if (byte >= 0x20 && byte <= 0x7e) return String.fromCharCode(byte);
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

const ELLIPSIS = '...';

/** Joins pieces up to a length, remembering where to cut if one more comes than fits. */
class Shortener {
  readonly #maxLength: number;
  #text = '';
  /** Length of the longest prefix that leaves room for the ellipsis. */
  #cutLength = 0;
  full = false;

  constructor(limit: TextLimit) {
    this.#maxLength = limit.maxLength ?? Infinity;
  }

  add(piece: string): void {
    if (this.#text.length + piece.length > this.#maxLength) {
      this.full = true;
      return;
    }
    this.#text += piece;
    if (this.#text.length + ELLIPSIS.length <= this.#maxLength) this.#cutLength = this.#text.length;
  }

  get text(): string {
    if (!this.full) return this.#text;
    return this.#text.slice(0, this.#cutLength) + ELLIPSIS.slice(0, this.#maxLength);
  }
}
