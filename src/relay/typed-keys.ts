/**
 * Typed bytes to keys, for the line editor: a key is one printable character or one of `KEY`.
 *
 * CR LF, CR NUL, CR and LF are one Enter each (RFC 854; a client in the wrong mode sends any of them), at once and
 * also when cut in between. Escape sequences (arrow and function keys, answers of terminals) are swallowed whole,
 * but a control within one ends it and counts, so that Enter and ^C always work. Invalid UTF-8 and other controls
 * are ignored. Keeps no input beyond one character; pure.
 */

export const KEY = {
  ENTER: '\r',
  INTERRUPT: '\x03',
  END: '\x04',
  BACKSPACE: '\x7f',
  ERASE_LINE: '\x15',
  ERASE_WORD: '\x17',
} as const;

const PLAIN = 0;
const AFTER_CR = 1;
const AFTER_ESC = 2;
const IN_CSI_FIRST = 3;
const IN_CSI = 4;
const ONE_MORE = 5;
const IN_STRING = 6;
const IN_STRING_ESC = 7;

const LF = 0x0a;
const CR = 0x0d;
const ESC = 0x1b;
const DEL = 0x7f;
/** Second bytes of ESC ] (OSC), P (DCS), X (SOS), ^ (PM), _ (APC): answers of terminals, ended by BEL or ESC \. */
const STRING_OPENERS = new Set([0x5d, 0x50, 0x58, 0x5e, 0x5f]);

export class TypedKeys {
  readonly #onKey: (key: string) => void;
  readonly #utf8 = new Utf8((character) => this.#onKey(character));
  #state = PLAIN;

  constructor(onKey: (key: string) => void) {
    this.#onKey = onKey;
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte < 0x20 || byte === DEL) this.#control(byte);
      else this.#printable(byte);
    }
  }

  #control(byte: number): void {
    const before = this.#state;
    this.#state = byte === CR ? AFTER_CR : byte === ESC ? afterEscape(before) : PLAIN;
    this.#utf8.reset();
    switch (byte) {
      case CR:
        return this.#onKey(KEY.ENTER);
      case LF:
        return before === AFTER_CR ? undefined : this.#onKey(KEY.ENTER);
      case 0x08:
      case DEL:
        return this.#onKey(KEY.BACKSPACE);
      case 0x03:
      case 0x04:
      case 0x15:
      case 0x17:
        return this.#onKey(String.fromCharCode(byte));
    }
  }

  #printable(byte: number): void {
    switch (this.#state) {
      case AFTER_ESC:
        this.#state = stateAfterEscape(byte);
        return;
      case IN_CSI_FIRST:
        // The Linux console sends ESC [ [ A for F1.
        this.#state = byte === 0x5b ? ONE_MORE : byte >= 0x40 ? PLAIN : IN_CSI;
        return;
      case IN_CSI:
        if (byte >= 0x40) this.#state = PLAIN;
        return;
      case ONE_MORE:
        this.#state = PLAIN;
        return;
      case IN_STRING:
        return;
      case IN_STRING_ESC:
        this.#state = byte === 0x5c ? PLAIN : IN_STRING;
        return;
      default:
        this.#state = PLAIN;
        this.#utf8.push(byte);
    }
  }
}

function afterEscape(before: number): number {
  return before === IN_STRING || before === IN_STRING_ESC ? IN_STRING_ESC : AFTER_ESC;
}

function stateAfterEscape(byte: number): number {
  if (byte === 0x5b) return IN_CSI_FIRST;
  if (byte === 0x4f) return ONE_MORE;
  return STRING_OPENERS.has(byte) ? IN_STRING : PLAIN;
}

/** UTF-8 (RFC 3629) byte by byte; whatever is not well formed is left out, C1 controls too. */
class Utf8 {
  readonly #onCharacter: (character: string) => void;
  #missing = 0;
  #codePoint = 0;
  /** Smallest value that needs this many bytes: a lower one was written too long. */
  #least = 0;

  constructor(onCharacter: (character: string) => void) {
    this.#onCharacter = onCharacter;
  }

  reset(): void {
    this.#missing = 0;
  }

  push(byte: number): void {
    if (byte >= 0x80 && byte < 0xc0) this.#continue(byte);
    else this.#start(byte);
  }

  #start(byte: number): void {
    this.#missing = 0;
    if (byte < 0x80) this.#onCharacter(String.fromCharCode(byte));
    else if (byte < 0xe0) this.#expect(1, byte & 0x1f, 0xa0);
    else if (byte < 0xf0) this.#expect(2, byte & 0x0f, 0x800);
    else if (byte < 0xf5) this.#expect(3, byte & 0x07, 0x10000);
  }

  #expect(missing: number, bits: number, least: number): void {
    this.#missing = missing;
    this.#codePoint = bits;
    this.#least = least;
  }

  #continue(byte: number): void {
    if (this.#missing === 0) return;
    this.#codePoint = (this.#codePoint << 6) | (byte & 0x3f);
    this.#missing--;
    if (this.#missing === 0 && this.#wellFormed()) this.#onCharacter(String.fromCodePoint(this.#codePoint));
  }

  #wellFormed(): boolean {
    const code = this.#codePoint;
    return code >= this.#least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  }
}
