/**
 * A daemon's output, made safe for the customer's own terminal: the live view of a visit.
 *
 * Invariant: what comes out is whole characters and whole allowed sequences (`screen-sequences.ts`), never part of
 * one, wherever the input was cut; so nothing of it can combine with what the connector prints next, and nothing
 * makes the terminal answer. Line drawing is turned into plain characters, so no character set stays switched. The
 * log has the bytes as they came; this is for eyes. Bounded: 64 bytes of a sequence are held, 4096 of a string
 * skipped. The connector passes every chunk of the visit through one of these.
 */
import { Utf8Decoder } from '../base/utf8.ts';
import {
  DRAWING_ESCAPES,
  LINE_DRAWING,
  LINE_DRAWING_ASCII,
  STRING_OPENERS,
  ScreenState,
  allowedParameters,
} from './screen-sequences.ts';

/**
 * What a terminal reads. `utf-8`: the output is well-formed UTF-8, with U+FFFD for what is not. `8-bit`: bytes from
 * 0xA0 on are letters and pass; 0x80 to 0x9F are controls there and do not.
 */
export type Charset = 'utf-8' | '8-bit';

export interface ScreenOptions {
  /** Default `utf-8`. */
  charset?: Charset;
}

/**
 * What the terminal of a process with this environment reads. Where it does not say, `8-bit`: that is safe on both
 * kinds of terminal, UTF-8 is not. Windows' console is given Unicode by Node, whatever its own set is.
 */
export function charsetOf(env: NodeJS.ProcessEnv, platform: string): Charset {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return platform === 'win32' || /utf-?8/i.test(locale) ? 'utf-8' : '8-bit';
}

const GROUND = 0;
const AFTER_ESC = 1;
const AFTER_ESC_INTERMEDIATE = 2;
const IN_CSI = 3;
const IN_STRING = 4;

const BEL = 0x07;
const LF = 0x0a;
const VT = 0x0b;
const FF = 0x0c;
const SO = 0x0e;
const SI = 0x0f;
const CAN = 0x18;
const SUB = 0x1a;
const ESC = 0x1b;
const DEL = 0x7f;
/** Pass as they are: BS, TAB, LF, CR. */
const LAYOUT: ReadonlySet<number> = new Set([0x08, 0x09, LF, 0x0d]);

/** 1 for each byte that passes as it is whatever stands beside it: printable ASCII and layout. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  LAYOUT.has(byte) || (byte >= 0x20 && byte < DEL) ? 1 : 0,
);

const MAX_SEQUENCE = 64;
const MAX_STRING = 4096;
/** Most bytes that one byte of input can become (U+FFFD, a line-drawing character). */
const MAX_GROWTH = 3;

/** Formats that steer the reading direction or hide; joiners stay, since scripts and emoji need them. */
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/u;
const REPLACEMENT = '\ufffd';

export class ScreenFilter {
  readonly #utf8: Utf8Decoder | null;
  readonly #lines: string;
  readonly #screen = new ScreenState();
  #state = GROUND;
  /** Parameters of the CSI sequence in hand; null once it is too long to be allowed. */
  #parameters: string | null = '';
  #intermediate = '';
  #skipped = 0;
  /** Whether G0 and G1 are the line-drawing set, and which of the two is in use. */
  readonly #isDrawing = [false, false];
  #shift = 0;
  #justRang = false;
  #out: Buffer = Buffer.alloc(0);
  #length = 0;

  constructor(options: ScreenOptions = {}) {
    const isUtf8 = options.charset !== '8-bit';
    this.#lines = isUtf8 ? LINE_DRAWING : LINE_DRAWING_ASCII;
    this.#utf8 = isUtf8
      ? new Utf8Decoder({
          character: (codePoint) => this.#character(codePoint),
          invalid: () => this.#put(REPLACEMENT),
        })
      : null;
  }

  /** What may be shown of `chunk`, and of what was held before it. May be a view of `chunk`. */
  filter(chunk: Uint8Array): Uint8Array {
    if (this.#isPlain(chunk)) return chunk;
    this.#out = Buffer.allocUnsafe(chunk.length * MAX_GROWTH + MAX_SEQUENCE + MAX_GROWTH);
    this.#length = 0;
    for (const byte of chunk) this.#push(byte);
    return this.#out.subarray(0, this.#length);
  }

  /**
   * The visit is over: the bytes that put the terminal back (main screen, cursor, margins, colours). What was held
   * of a sequence or a character is dropped.
   */
  finish(): Uint8Array {
    this.#out = Buffer.alloc(MAX_GROWTH);
    this.#length = 0;
    this.#utf8?.reset();
    this.#state = GROUND;
    this.#shift = 0;
    this.#isDrawing.fill(false);
    return Buffer.from(this.#screen.undo());
  }

  /** Printable ASCII and layout only, with nothing held: the usual chunk. */
  #isPlain(chunk: Uint8Array): boolean {
    if (this.#state !== GROUND || this.#utf8?.pending || this.#draws) return false;
    for (let i = 0; i < chunk.length; i++) {
      if (IS_PLAIN[chunk[i]] === 0) return false;
    }
    if (chunk.length > 0) this.#justRang = false;
    return true;
  }

  get #draws(): boolean {
    return this.#isDrawing[this.#shift];
  }

  #push(byte: number): void {
    if (byte < 0x20 || byte === DEL) return this.#control(byte);
    if (byte >= 0x80 && this.#state !== IN_STRING) this.#state = GROUND;
    switch (this.#state) {
      case AFTER_ESC:
        return this.#afterEscape(byte);
      case AFTER_ESC_INTERMEDIATE:
        return this.#afterIntermediate(byte);
      case IN_CSI:
        return this.#inSequence(byte);
      case IN_STRING:
        return this.#inString();
      default:
        return this.#printable(byte);
    }
  }

  /**
   * A control ends whatever is in hand. A terminal would go on with the sequence after it; no program relies on
   * that, and a line end that closes a string keeps an unclosed one from hiding the rest of the visit.
   */
  #control(byte: number): void {
    this.#utf8?.reset();
    const isInString = this.#state === IN_STRING;
    if (isInString && byte !== LF && byte !== BEL && byte !== ESC && byte !== CAN && byte !== SUB) {
      return this.#inString();
    }
    this.#state = byte === ESC ? AFTER_ESC : GROUND;
    if (LAYOUT.has(byte)) this.#putByte(byte);
    else if (byte === VT || byte === FF) this.#putByte(LF);
    else if (byte === SO || byte === SI) this.#shift = byte === SO ? 1 : 0;
    else if (byte === BEL && !isInString) this.#ring();
  }

  /** One of a run: a bell rung without end would be a nuisance. */
  #ring(): void {
    if (this.#justRang) return;
    this.#putByte(BEL);
    this.#justRang = true;
  }

  #afterEscape(byte: number): void {
    const character = String.fromCharCode(byte);
    this.#state = GROUND;
    if (character === '[') {
      this.#parameters = '';
      this.#state = IN_CSI;
    } else if (STRING_OPENERS.has(character)) {
      this.#skipped = 0;
      this.#state = IN_STRING;
    } else if (byte < 0x30) {
      this.#intermediate = character;
      this.#state = AFTER_ESC_INTERMEDIATE;
    } else if (DRAWING_ESCAPES.has(character)) {
      this.#put(`\x1b${character}`);
    }
  }

  /** ESC ( and ESC ) choose the sets G0 and G1; `0` is line drawing. All else is left out. */
  #afterIntermediate(byte: number): void {
    if (byte < 0x30) {
      this.#intermediate = '';
      return;
    }
    this.#state = GROUND;
    const isDrawing = byte === 0x30;
    if (this.#intermediate === '(') this.#isDrawing[0] = isDrawing;
    else if (this.#intermediate === ')') this.#isDrawing[1] = isDrawing;
  }

  #inSequence(byte: number): void {
    if (byte >= 0x40) {
      this.#state = GROUND;
      this.#finishSequence(String.fromCharCode(byte));
    } else if (this.#parameters !== null) {
      this.#parameters += String.fromCharCode(byte);
      if (this.#parameters.length > MAX_SEQUENCE - 3) this.#parameters = null;
    }
  }

  #finishSequence(final: string): void {
    const parameters = this.#parameters === null ? null : allowedParameters(this.#parameters, final);
    if (parameters === null) return;
    this.#screen.note(parameters, final);
    this.#put(`\x1b[${parameters}${final}`);
  }

  #inString(): void {
    this.#skipped++;
    if (this.#skipped > MAX_STRING) this.#state = GROUND;
  }

  #printable(byte: number): void {
    if (byte >= 0x80) {
      if (this.#utf8) this.#utf8.push(byte);
      else if (byte >= 0xa0) this.#putByte(byte);
      return;
    }
    this.#utf8?.reset();
    if (byte >= 0x5f && this.#draws) this.#put(this.#lines[byte - 0x5f]);
    else this.#putByte(byte);
  }

  #character(codePoint: number): void {
    const character = String.fromCodePoint(codePoint);
    if (!HIDDEN.test(character)) this.#put(character);
  }

  #put(text: string): void {
    this.#length += this.#out.write(text, this.#length);
    this.#justRang = false;
  }

  #putByte(byte: number): void {
    this.#out[this.#length++] = byte;
    this.#justRang = false;
  }
}
