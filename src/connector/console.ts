/**
 * The customer's terminal: status lines, the live view of the visit, the consent question, Ctrl+C.
 *
 * The keyboard is read all the time (raw, where there is a terminal), so that what was typed before a question can
 * be thrown away and never answers it. Status lines begin on a line of their own, whatever the daemon left behind.
 * Whoever does not read what is shown holds up nothing: what a bounded queue does not take is left out, with a note.
 * The streams are passed in and never block; nothing else writes to them.
 */
import type { Writable } from 'node:stream';
import type { ReadStream } from 'node:tty';
import { escapeText, visibleText } from '../base/text.ts';
import { ScreenFilter, type Charset } from './screen-filter.ts';

export interface ConsoleStreams {
  readonly input: NodeJS.ReadStream;
  readonly output: Writable;
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

/** Output of a visit is queued while no more than this waits; with the next chunk it may be four times as much. */
const SHOWN_BYTES_MAX = 64 * 1_024;
/** What the connector itself says: there is always room for the last line. */
const SAID_BYTES_MAX = 512 * 1_024;
const CUT = '[some output was not shown here; the log has all of it]';

export class Console {
  /** Called on Ctrl+C, and when the terminal is gone: nobody watches any more. */
  onInterrupt: () => void = () => {};
  readonly #keyboard: ReadStream | null;
  readonly #output: Writable;
  readonly #filter: ScreenFilter;
  /** A status line as the terminal may see it: in an 8-bit set, parts of a UTF-8 letter are controls. */
  readonly #safeText: (text: string) => string;
  #question: Question | null = null;
  #isAtLineStart = true;
  /** Something was left out, and the note of it is owed. */
  #isCut = false;

  constructor({ input, output, charset = 'utf-8' }: ConsoleStreams) {
    this.#output = output;
    this.#keyboard = input.isTTY ? input : null;
    this.#filter = new ScreenFilter({ charset });
    this.#safeText = charset === 'utf-8' ? visibleText : escapeText;
    output.on('drain', () => this.#noteCut());
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

  close(): void {
    this.restoreScreen();
    if (!this.#isAtLineStart) this.#output.write('\n');
    this.releaseKeyboard();
  }

  /** A status line. */
  say(text: string): void {
    this.#noteCut();
    this.#sayLine(text);
  }

  /** Output of the daemon, as it came. */
  show(bytes: Uint8Array): void {
    if (this.#output.writableLength > SHOWN_BYTES_MAX) {
      this.#isCut = true;
      return;
    }
    const shown = this.#filter.filter(bytes);
    if (shown.length === 0) return;
    this.#output.write(shown);
    this.#isAtLineStart = shown.at(-1) === LF;
  }

  /** Takes back what the daemon left switched on (colours, alternate screen, hidden cursor): the visit is over. */
  restoreScreen(): void {
    const undo = this.#filter.finish();
    if (undo.length === 0) return;
    this.#output.write(undo);
    this.#isAtLineStart = false;
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
      this.#output.write(`${answer}\n`);
      this.#isAtLineStart = true;
      this.#answer(answer);
    }
  };

  /** Keys count from when the terminal has taken the question. */
  #showQuestion(question: Question, text: string): void {
    this.#noteCut();
    this.#output.write(`${this.#lineStart()}${this.#safeText(text)} `, () => (question.isShown = true));
    this.#isAtLineStart = false;
  }

  #answer(answer: Answer): void {
    const question = this.#question;
    this.#question = null;
    question?.resolve(answer);
  }

  /** The filter begins afresh after a gap: how the daemon switched the screen in it is not known. */
  #noteCut(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    this.restoreScreen();
    this.#sayLine(CUT);
  }

  #sayLine(text: string): void {
    if (this.#output.writableLength > SAID_BYTES_MAX) {
      this.#isCut = true;
      return;
    }
    this.#output.write(`${this.#lineStart()}${this.#safeText(text)}\n`);
    this.#isAtLineStart = true;
  }

  #lineStart(): string {
    return this.#isAtLineStart ? '' : '\r\n';
  }
}

/** Lets the loop deliver keys that were pressed before: they find no question shown and are dropped. */
function afterWaitingKeys(action: () => void): void {
  setImmediate(() => setImmediate(action));
}
