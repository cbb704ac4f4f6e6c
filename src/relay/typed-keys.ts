/**
 * Typed bytes to keys, for the line editor: a key is one printable character or one of `KEY`.
 *
 * CR LF, CR NUL, CR and LF are one Enter each (RFC 854; a client in the wrong mode sends any of them), at once and
 * also when cut in between. Escape sequences (arrow and function keys, answers of terminals) are swallowed whole,
 * but a control within one ends it and counts, so that Enter and ^C always work. Invalid UTF-8 and other controls
 * are ignored. Keeps no input beyond one character; pure.
 */
import { Utf8Decoder } from '../base/utf8.ts';

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
  readonly #utf8 = new Utf8Decoder({
    character: (codePoint) => this.#character(codePoint),
    invalid: () => {},
  });
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

  #character(codePoint: number): void {
    const isC1Control = codePoint >= 0x80 && codePoint < 0xa0;
    if (!isC1Control) this.#onKey(String.fromCodePoint(codePoint));
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
