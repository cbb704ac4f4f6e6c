/**
 * Line editing for the engineer's dialogue: typed bytes in, echo and finished lines out.
 *
 * Input becomes keys at once (`TypedKeys`: UTF-8, line ends, escape sequences, whatever the chunks); keys wait until
 * a line is asked for. So type-ahead never shows a password: nothing is echoed before `prompt` says how, and after
 * each line the editor stops until the next `prompt`. Bounded: a line to `maxBytes`, type-ahead to
 * `maxTypeAheadKeys`. Pure; the dialogue owns one per connection and feeds it `EngineerTelnet`'s `typed`.
 */
import { checkInteger } from '../base/check.ts';
import { columnsOf } from '../base/text.ts';
import { LINE_BYTES_MAX } from './limits.ts';
import { KEY, TypedKeys } from './typed-keys.ts';

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
const RUB_OUT = '\b \b';

export class LineEditor {
  readonly #sink: LineSink;
  readonly #maxBytes: number;
  readonly #maxTypeAheadKeys: number;
  readonly #keys = new TypedKeys((key) => this.#typed(key));
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
    this.#maxBytes = checkInteger('maxBytes', limits.maxBytes ?? LINE_BYTES_MAX, 1, 65_536);
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
    if (key === KEY.INTERRUPT) return this.#interrupt();
    if (this.#discarding || this.#waiting.length >= this.#maxTypeAheadKeys) return;
    this.#waiting.push(key);
    this.#drain();
  }

  #drain(): void {
    while (this.#asked && this.#waiting.length > 0) this.#edit(this.#waiting.shift()!);
  }

  #edit(key: string): void {
    switch (key) {
      case KEY.ENTER:
        return this.#finish();
      case KEY.BACKSPACE:
        return this.#rubOut(this.#line.length - 1);
      case KEY.ERASE_LINE:
        return this.#rubOut(0);
      case KEY.ERASE_WORD:
        return this.#rubOut(this.#wordStart());
      case KEY.END:
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
