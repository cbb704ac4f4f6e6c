/**
 * The customer's terminal: status lines, the live view of the visit, the consent question, Ctrl+C.
 *
 * The keyboard is read all the time (raw, where there is a terminal), so that what was typed before a question can
 * be thrown away and never answers it. Status lines begin on a line of their own, whatever the daemon left behind.
 * A slow terminal slows the visit down, as it would slow a direct one; one that takes nothing holds up nothing: what
 * it misses is left out, with a note. The streams are passed in and never block; nothing else writes to them.
 */
import type { Writable } from 'node:stream';
import type { ReadStream } from 'node:tty';
import type { Clock } from '../base/clock.ts';
import { escapeText, visibleText } from '../base/text.ts';
import { ScreenFilter, type Charset } from './screen-filter.ts';
import { ScreenQueue } from './screen-queue.ts';

export interface ConsoleStreams {
  readonly input: NodeJS.ReadStream;
  readonly output: Writable;
  readonly clock: Clock;
  /** What the terminal reads; default `utf-8`. */
  readonly charset?: Charset;
}

export type Answer = 'yes' | 'no' | 'withdrawn';

interface Question {
  resolve(answer: Answer): void;
  isShown: boolean;
}

/** Ctrl+C and Ctrl+\: in raw mode they are keys like any other. */
const INTERRUPTS = [0x03, 0x1c];
const LF = 0x0a;
const ANSWERS: Readonly<Record<string, Answer>> = { y: 'yes', Y: 'yes', n: 'no', N: 'no' };

/** What a terminal that takes nothing still gets of the daemon's output when it is read again: some screens. */
const KEPT_BYTES = 8 * 1_024;
/** What is left at the end gets this long on a terminal that takes it, and then the last words alone. */
const LAST_OUTPUT_MS = 5_000;
const LAST_WORDS_MS = 1_000;
const CUT = '[some output was not shown here; the log has all of it]';

export class Console {
  /** Called on Ctrl+C, and when the terminal is gone: nobody watches any more. */
  onInterrupt: () => void = () => {};
  /** Called when output is wanted again, after `show` returned false. */
  onRoom: () => void = () => {};
  onEndShown: (id: string) => void = () => {};
  onWithdraw: () => void = () => {};
  visitBegan(_v: { id: string; who: string; from: string }): void {}
  moved(_i: string, _a: number, _b: number): void {}
  visitEnded(_i: string): void {
    this.restoreScreen();
  }
  setNotice(_t: string | null): void {}
  readonly #keyboard: ReadStream | null;
  readonly #queue: ScreenQueue;
  readonly #filter: ScreenFilter;
  /** A status line as the terminal may see it: in an 8-bit set, parts of a UTF-8 letter are controls. */
  readonly #safeText: (text: string) => string;
  #question: Question | null = null;
  /** Of what the terminal was given last. */
  #isAtLineStart = true;

  constructor({ input, output, clock, charset = 'utf-8' }: ConsoleStreams) {
    this.#queue = new ScreenQueue(output, clock, {
      filter: (bytes) => this.#filtered(bytes),
      room: () => this.onRoom(),
      stalled: () => this.#cut(),
    });
    this.#keyboard = input.isTTY ? input : null;
    this.#filter = new ScreenFilter({ charset });
    this.#safeText = charset === 'utf-8' ? visibleText : escapeText;
  }

  /** Whether there is somebody who can be asked. */
  get hasKeyboard(): boolean {
    return this.#keyboard !== null;
  }

  /** Begins to read the keyboard. */
  open(): void {
    this.#keyboard?.setRawMode(true);
    this.#keyboard?.on('data', this.#onKeys);
    for (const end of ['end', 'error']) this.#keyboard?.on(end, this.#onGone);
    this.#keyboard?.resume();
  }

  /** Gives the keyboard back: the terminal's own Ctrl+C works again. What is to be said still can be. */
  releaseKeyboard(): void {
    this.#keyboard?.off('data', this.#onKeys);
    for (const end of ['end', 'error']) this.#keyboard?.off(end, this.#onGone);
    this.#keyboard?.setRawMode(false);
    this.#keyboard?.pause();
  }

  /** Gives the terminal back as it was. Resolves when it has taken all that is left to say, or will not. */
  async close(): Promise<void> {
    this.restoreScreen();
    this.#queue.say(() => this.#endedLine());
    this.releaseKeyboard();
    if (await this.#queue.emptied(LAST_OUTPUT_MS)) return;
    this.#queue.cut(0, () => this.#cutNote());
    await this.#queue.emptied(LAST_WORDS_MS);
  }

  /** A status line. */
  say(text: string): void {
    this.#queue.say(() => `${this.#endedLine()}${this.#safeText(text)}\n`);
  }

  /** Output of the daemon, as it came. False when no more is wanted for now: see `onRoom`. */
  show(id: string | Uint8Array, more?: Uint8Array): boolean {
    const bytes = more ?? (id as Uint8Array);
    this.#queue.show(bytes);
    if (!this.#queue.isFull) return true;
    if (this.#queue.isStalled) this.#cut();
    return !this.#queue.isFull;
  }

  /** Takes back what the daemon left switched on (colours, alternate screen, hidden cursor): the visit is over. */
  restoreScreen(): void {
    this.#queue.say(() => this.#undo());
  }

  /**
   * Asks a yes-or-no question of one key. It is shown, and keys count, only once what was typed before is thrown away;
   * resolves with `withdrawn` after `withdraw`, shown or not.
   */
  ask(text: string): Promise<Answer> {
    return new Promise((resolve) => {
      const question: Question = { resolve, isShown: false };
      this.#question = question;
      afterWaitingKeys(() => {
        if (this.#question === question) this.#showQuestion(question, text);
      });
    });
  }

  /** Takes the question back; a key that comes now answers nothing. */
  withdraw(): void {
    this.#answer('withdrawn');
  }

  readonly #onGone = (): void => this.onInterrupt();

  readonly #onKeys = (chunk: Buffer): void => {
    if (INTERRUPTS.some((key) => chunk.includes(key))) return this.onInterrupt();
    // More than one byte at once is a function key or was pasted, and no answer.
    const answer = ANSWERS[chunk.toString('latin1')];
    if (answer && this.#question?.isShown) {
      this.#queue.say(() => {
        this.#isAtLineStart = true;
        return `${answer}\n`;
      });
      this.#answer(answer);
    }
  };

  /** Keys count from when the terminal has taken the question. */
  #showQuestion(question: Question, text: string): void {
    const make = (): string => {
      const shown = `${this.#endedLine()}${this.#safeText(text)} `;
      this.#isAtLineStart = false;
      return shown;
    };
    this.#queue.say(make, () => (question.isShown = true));
  }

  #answer(answer: Answer): void {
    const question = this.#question;
    this.#question = null;
    question?.resolve(answer);
  }

  #filtered(bytes: Uint8Array): Uint8Array {
    const shown = this.#filter.filter(bytes);
    if (shown.length > 0) this.#isAtLineStart = shown.at(-1) === LF;
    return shown;
  }

  /** Nobody reads: the newest is kept for when somebody does, and the daemon is not held up. */
  #cut(): void {
    if (this.#queue.cut(KEPT_BYTES, () => this.#cutNote())) this.onRoom();
  }

  /** The filter begins afresh after a gap: how the daemon switched the screen in it is not known. */
  #cutNote(): string {
    return `${this.#undo()}${this.#endedLine()}${CUT}\n`;
  }

  #undo(): string {
    const undo = Buffer.from(this.#filter.finish()).toString('latin1');
    if (undo !== '') this.#isAtLineStart = false;
    return undo;
  }

  /** What brings the terminal to the beginning of a line. */
  #endedLine(): string {
    const end = this.#isAtLineStart ? '' : '\r\n';
    this.#isAtLineStart = true;
    return end;
  }
}

/** Lets the loop deliver keys that were pressed before: they find no question shown and are dropped. */
function afterWaitingKeys(action: () => void): void {
  setImmediate(() => setImmediate(action));
}
