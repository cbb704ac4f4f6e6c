/**
 * Line editing for the engineer's dialogue: typed bytes in, echo and finished lines out.
 *
 * Input becomes keys at once (`Keys`: UTF-8, line ends, escape sequences, whatever the chunks); keys wait until
 * a line is asked for. So type-ahead never shows a password: nothing is echoed before `prompt` says how, and after
 * each line the editor stops until the next `prompt`. Bounded: a line to `maxBytes`, type-ahead to
 * `maxTypeAheadKeys`. Pure; the dialogue owns one per connection and feeds it `EngineerTelnet`'s `typed`.
 */
import { checkInteger } from '../base/check.ts';
import { columnsOf } from '../base/text.ts';

export interface LineSink {
  /** Bytes for the client, only while `echoing`. */
  echo(bytes: Uint8Array): void;
  /** A finished line, without its end. The editor now waits for the next `prompt`. */
  line(text: string): void;
  /** ^C at any time, also while no line is asked for. The line begun and all type-ahead are gone. */
  interrupt(): void;
  /** ^D on an empty line, while a line is asked for. */
  endOfInput(): void;
}

export interface LineLimits {
  /** Longest line in UTF-8 bytes; what is typed beyond it rings the bell. Default 256. */
  maxBytes?: number;
  /** Keys kept while no line is asked for; further ones are dropped. Default 1024. */
  maxTypeAheadKeys?: number;
}

const BEL = '\x07';
const ENTER = '\r';
const INTERRUPT = '\x03';
const END = '\x04';
const BACKSPACE = '\x7f';
const ERASE_LINE = '\x15';
const ERASE_WORD = '\x17';
const RUB_OUT = '\b \b';

export class LineEditor {
  readonly #sink: LineSink;
  readonly #maxBytes: number;
  readonly #maxTypeAheadKeys: number;
  readonly #keys = new Keys((key) => this.#typed(key));
  #waiting: string[] = [];
  #asked = false;
  /** The rest of the chunk in hand is to be forgotten. */
  #discarding = false;
  #hidden = false;
  /** The line begun, one character each: what backspace takes away. */
  #line: string[] = [];
  #lineBytes = 0;
  #echo = '';
  /** Whether the client leaves the echo to us. Lines are kept either way. */
  echoing = false;

  constructor(sink: LineSink, limits: LineLimits = {}) {
    this.#sink = sink;
    this.#maxBytes = checkInteger('maxBytes', limits.maxBytes ?? 256, 1, 65_536);
    this.#maxTypeAheadKeys = checkInteger('maxTypeAheadKeys', limits.maxTypeAheadKeys ?? 1024, 1, 65_536);
  }

  /** Asks for one line, beginning with what was typed ahead. `hidden`: nothing of it is echoed but its end. */
  prompt(options: { hidden?: boolean } = {}): void {
    this.#forgetLine();
    this.#asked = true;
    this.#hidden = options.hidden ?? false;
    this.#drain();
    this.#flushEcho();
  }

  push(bytes: Uint8Array): void {
    this.#discarding = false;
    this.#keys.push(bytes);
    this.#flushEcho();
  }

  /**
   * Forgets what was typed ahead and the line begun, so that it cannot answer the next question. Called from
   * within `push` (a line arrived), the rest of that chunk is forgotten as well.
   */
  discard(): void {
    this.#waiting = [];
    this.#discarding = true;
    this.#forgetLine();
  }

  #typed(key: string): void {
    if (key === INTERRUPT) return this.#interrupt();
    if (this.#discarding || this.#waiting.length >= this.#maxTypeAheadKeys) return;
    this.#waiting.push(key);
    this.#drain();
  }

  #drain(): void {
    while (this.#asked && this.#waiting.length > 0) this.#edit(this.#waiting.shift()!);
  }

  #edit(key: string): void {
    switch (key) {
      case ENTER:
        return this.#finish();
      case BACKSPACE:
        return this.#rubOut(this.#line.length - 1);
      case ERASE_LINE:
        return this.#rubOut(0);
      case ERASE_WORD:
        return this.#rubOut(this.#wordStart());
      case END:
        return this.#end();
      default:
        return this.#insert(key);
    }
  }

  #insert(character: string): void {
    const bytes = Buffer.byteLength(character);
    if (this.#lineBytes + bytes > this.#maxBytes) {
      this.#echo += BEL;
      return;
    }
    this.#line.push(character);
    this.#lineBytes += bytes;
    if (!this.#hidden) this.#echo += character;
  }

  #rubOut(keep: number): void {
    for (const character of this.#line.splice(Math.max(keep, 0))) {
      this.#lineBytes -= Buffer.byteLength(character);
      if (!this.#hidden) this.#echo += RUB_OUT.repeat(columnsOf(character));
    }
  }

  #wordStart(): number {
    let at = this.#line.length;
    while (at > 0 && this.#line[at - 1] === ' ') at--;
    while (at > 0 && this.#line[at - 1] !== ' ') at--;
    return at;
  }

  #finish(): void {
    const text = this.#line.join('');
    this.#forgetLine();
    this.#asked = false;
    this.#echo += '\r\n';
    this.#flushEcho();
    this.#sink.line(text);
  }

  #interrupt(): void {
    this.#waiting = [];
    this.#forgetLine();
    this.#flushEcho();
    this.#sink.interrupt();
  }

  #end(): void {
    if (this.#line.length > 0) return;
    this.#flushEcho();
    this.#sink.endOfInput();
  }

  #forgetLine(): void {
    this.#line = [];
    this.#lineBytes = 0;
  }

  #flushEcho(): void {
    const echo = this.#echo;
    this.#echo = '';
    if (this.echoing && echo !== '') this.#sink.echo(Buffer.from(echo));
  }
}

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

/**
 * Bytes to keys: a key is one printable character, or one of the controls above. CR LF, CR NUL, CR and LF are one
 * Enter each (RFC 854; a client in the wrong mode sends any of them). Escape sequences (arrow and function keys)
 * are swallowed whole, but a control within one ends it and counts. Invalid UTF-8 is ignored.
 */
class Keys {
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
        return this.#onKey(ENTER);
      case LF:
        return before === AFTER_CR ? undefined : this.#onKey(ENTER);
      case 0x08:
      case DEL:
        return this.#onKey(BACKSPACE);
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
