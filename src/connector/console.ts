/**
 * The customer's terminal: status lines, the live view of the visit, the consent question, Ctrl+C.
 *
 * The keyboard is read all the time (raw, where there is a terminal), so that what was typed before a question can
 * be thrown away and never answers it. Status lines begin on a line of their own, whatever the daemon left behind.
 * The streams are passed in; nothing else writes to them.
 */
import type { ReadStream } from 'node:tty';
import { visibleText } from '../base/text.ts';

export interface ConsoleStreams {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WritableStream;
}

export type Answer = 'yes' | 'no' | 'withdrawn';

interface Question {
  resolve(answer: Answer): void;
  isShown: boolean;
}

const ETX = 0x03;
const LF = 0x0a;
const ANSWERS: Readonly<Record<string, Answer>> = { y: 'yes', Y: 'yes', n: 'no', N: 'no' };

export class Console {
  /** Called on Ctrl+C. */
  onInterrupt: () => void = () => {};
  readonly #keyboard: ReadStream | null;
  readonly #output: NodeJS.WritableStream;
  #question: Question | null = null;
  #isAtLineStart = true;

  constructor({ input, output }: ConsoleStreams) {
    this.#output = output;
    this.#keyboard = input.isTTY ? input : null;
    output.on('error', () => {});
  }

  /** Whether there is somebody who can be asked. */
  get hasKeyboard(): boolean {
    return this.#keyboard !== null;
  }

  /** Begins to read the keyboard. */
  open(): void {
    this.#keyboard?.setRawMode(true);
    this.#keyboard?.on('data', this.#onKeys);
    this.#keyboard?.resume();
  }

  close(): void {
    if (!this.#isAtLineStart) this.#output.write('\n');
    this.#keyboard?.off('data', this.#onKeys);
    this.#keyboard?.setRawMode(false);
    this.#keyboard?.pause();
  }

  /** A status line. */
  say(text: string): void {
    this.#output.write(`${this.#isAtLineStart ? '' : '\r\n'}${visibleText(text)}\n`);
    this.#isAtLineStart = true;
  }

  /** Output of the visit, already safe for a terminal. */
  show(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#output.write(bytes);
    this.#isAtLineStart = bytes.at(-1) === LF;
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

  readonly #onKeys = (chunk: Buffer): void => {
    if (chunk.includes(ETX)) return this.onInterrupt();
    const answer = ANSWERS[chunk.toString('latin1').slice(-1)];
    if (answer && this.#question?.isShown) {
      this.#output.write(`${answer}\n`);
      this.#isAtLineStart = true;
      this.#answer(answer);
    }
  };

  #showQuestion(question: Question, text: string): void {
    this.#output.write(`${this.#isAtLineStart ? '' : '\r\n'}${visibleText(text)} `);
    this.#isAtLineStart = false;
    question.isShown = true;
  }

  #answer(answer: Answer): void {
    const question = this.#question;
    this.#question = null;
    question?.resolve(answer);
  }
}

/** Lets the loop deliver keys that were pressed before: they find no question shown and are dropped. */
function afterWaitingKeys(action: () => void): void {
  setImmediate(() => setImmediate(action));
}
