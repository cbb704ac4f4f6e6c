/**
 * What the customer's terminal is given, in order: lines of the connector, and output of the daemon that is being shown.
 *
 * Lines begin on a line of their own, whatever the daemon left behind. Output goes through the filter when its turn
 * comes, so it is known exactly what the terminal has been given and how to undo it. A slow terminal slows the visit
 * down, as it would slow a direct one; one that takes nothing holds up nothing: what it misses is left out, with a note.
 */
import type { Writable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { escapeText, visibleText } from '../base/text.ts';
import { ScreenFilter, type Charset } from './screen-filter.ts';
import { ScreenQueue } from './screen-queue.ts';

const LF = 0x0a;
const SPACE = 0x20;
/** What belongs together (a character and its marks, or its repetition) comes together: after so long nothing does. */
const APART_MS = 1_000;

/** What a terminal that takes nothing still gets of the daemon's output when it is read again: some screens. */
const KEPT_BYTES = 8 * 1_024;
/** What is left at the end gets this long on a terminal that takes it, and then the last words alone. */
const LAST_OUTPUT_MS = 5_000;
const LAST_WORDS_MS = 1_000;
export const CUT = '[some output was not shown here; the log has all of it]';

export class Screen {
  /** Called when output is wanted again, after `show` returned false. */
  onRoom: () => void = () => {};
  readonly #queue: ScreenQueue;
  readonly #filter: ScreenFilter;
  /** A text as the terminal may see it: in an 8-bit set, parts of a UTF-8 letter are controls. */
  readonly safeText: (text: string) => string;
  /** Of what the terminal was given last. */
  #isAtLineStart = true;
  /** Whether the last output given ended in a character, and when: the next may belong to it. */
  #endsInCharacter = false;
  #givenMs = 0;
  readonly #clock: Clock;

  constructor(output: Writable, clock: Clock, charset: Charset) {
    this.#clock = clock;
    this.#queue = new ScreenQueue(output, clock, {
      filter: (bytes) => this.#filtered(bytes),
      room: () => this.onRoom(),
      stalled: () => this.#cut(),
    });
    this.#filter = new ScreenFilter({ charset });
    this.safeText = charset === 'utf-8' ? visibleText : escapeText;
  }

  /** A line. */
  say(text: string): void {
    this.#queue.say(() => `${this.#endedLine()}${this.safeText(text)}\n`);
  }

  /** A line that is not finished; `taken` when the terminal has it. */
  prompt(text: string, taken: () => void): void {
    const make = (): string => {
      const shown = `${this.#endedLine()}${this.safeText(text)} `;
      this.#isAtLineStart = false;
      return shown;
    };
    this.#queue.say(make, taken);
  }

  /** Finishes the line that `prompt` began. */
  finishLine(text: string): void {
    this.#queue.say(() => {
      this.#isAtLineStart = true;
      return `${text}\n`;
    });
  }

  /**
   * Sequences that neither draw nor move the cursor. They are left out where they would stand between a character and
   * what may belong to it, unless it is known that nothing does; `taken` tells whether the terminal has them.
   */
  control(sequences: string, nothingFollows: boolean, taken: (isGiven: boolean) => void): void {
    let isGiven = false;
    const make = (): string => {
      isGiven = nothingFollows || !this.#endsInCharacter || this.#clock.now() - this.#givenMs >= APART_MS;
      return isGiven ? sequences : '';
    };
    this.#queue.say(make, () => taken(isGiven));
  }

  /** Output of the daemon, as it came. False when no more is wanted for now: see `onRoom`. */
  show(bytes: Uint8Array): boolean {
    this.#queue.show(bytes);
    if (!this.#queue.isFull) return true;
    if (this.#queue.isStalled) this.#cut();
    return !this.#queue.isFull;
  }

  /** Forgets output that waits: something else is to be shown. */
  dropOutput(): void {
    this.#queue.drop();
  }

  /** Takes back what the daemon left switched on: colours, alternate screen, hidden cursor. */
  restore(): void {
    this.#queue.say(() => this.#undo());
  }

  /** Says that something was left out. */
  noteCut(): void {
    this.say(CUT);
  }

  /** Leaves the cursor at the beginning of a line. Resolves when the terminal has taken all that is left, or will not. */
  async close(): Promise<void> {
    this.restore();
    this.#queue.say(() => this.#endedLine());
    if (await this.#queue.emptied(LAST_OUTPUT_MS)) return;
    this.#queue.cut(0, () => this.#cutNote());
    await this.#queue.emptied(LAST_WORDS_MS);
  }

  #filtered(bytes: Uint8Array): Uint8Array {
    const shown = this.#filter.filter(bytes);
    if (shown.length > 0) {
      this.#isAtLineStart = shown.at(-1) === LF;
      // A sequence ends in a character, too: that it is taken for one only puts off what can wait.
      this.#endsInCharacter = shown.at(-1)! >= SPACE;
      this.#givenMs = this.#clock.now();
    }
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
    this.#endsInCharacter = false;
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
