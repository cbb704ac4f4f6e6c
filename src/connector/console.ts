/**
 * The customer's terminal: status lines, the live view of the visits, the consent question, and keys.
 *
 * The keyboard is read all the time (raw, where there is a terminal), so that what was typed before a question can
 * be thrown away and never answers it. A key counts alone: several bytes at once are a function key or were pasted.
 * The streams are passed in and never block; nothing else writes to them.
 */
import type { Writable } from 'node:stream';
import type { ReadStream } from 'node:tty';
import type { Cancel, Clock } from '../base/clock.ts';
import { LiveView, type VisitOnScreen } from './live-view.ts';
import { Screen } from './screen.ts';
import type { Charset } from './screen-filter.ts';
import { headingOf, statusLine } from './status-line.ts';
import { TerminalTitle } from './terminal-title.ts';

export interface ConsoleStreams {
  readonly input: NodeJS.ReadStream;
  readonly output: Writable;
  readonly clock: Clock;
  /** What the terminal reads; default `utf-8`. */
  readonly charset?: Charset;
  /** Whether the terminal has a status line (terminal-title.ts); default false. */
  readonly hasTitle?: boolean;
}

export type Answer = 'yes' | 'no' | 'withdrawn';

interface Question {
  resolve(answer: Answer): void;
  isShown: boolean;
}

/** Ctrl+C and Ctrl+\: in raw mode they are keys like any other. */
const INTERRUPTS = [0x03, 0x1c];
const ANSWERS: Readonly<Record<string, Answer>> = { y: 'yes', Y: 'yes', n: 'no', N: 'no' };
const TITLE_INTERVAL_MS = 1_000;
/** Lines that wait for an answer; the log has them all. */
const UNSAID_MAX = 100;
const KEYS_TEXT = [
  'Tab     show the next visit',
  'Ctrl+D  end the visit that is shown',
  's       say who is here, since when, how much, how long quiet',
  'w       take back consent that was given ahead',
  'Ctrl+C  end all visits, and tndconnect',
];

export class Console {
  /** Called on Ctrl+C, and when the terminal is gone: nobody watches any more. */
  onInterrupt: () => void = () => {};
  /** Called when output is wanted again, after `show` returned false. */
  onRoom: () => void = () => {};
  /** Called when the shown visit is to end. */
  onEndShown: (visit: string) => void = () => {};
  /** Called when consent given ahead is to be taken back. */
  onWithdraw: () => void = () => {};
  readonly #keyboard: ReadStream | null;
  readonly #clock: Clock;
  readonly #screen: Screen;
  readonly #view: LiveView;
  readonly #title: TerminalTitle | null;
  #question: Question | null = null;
  #unsaid: string[] = [];
  /** Consent given ahead, in words. */
  #notice: string | null = null;
  #endTicks: Cancel | null = null;

  readonly #keys: Readonly<Record<string, () => void>> = {
    '\t': () => this.#next(),
    '\u0004': () => this.#endShown(),
    s: () => this.#sayStatus(),
    w: () => this.#withdrawAhead(),
    '?': () => KEYS_TEXT.forEach((line) => this.say(line)),
  };

  constructor({ input, output, clock, charset = 'utf-8', hasTitle = false }: ConsoleStreams) {
    this.#keyboard = input.isTTY ? input : null;
    this.#clock = clock;
    this.#screen = new Screen(output, clock, charset);
    this.#screen.onRoom = () => this.onRoom();
    this.#view = new LiveView(this.#screen, clock, (facts) => `--- ${headingOf(facts)} ---`);
    this.#title = hasTitle ? new TerminalTitle(this.#screen) : null;
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
    this.#notice = null;
    this.#showTitle();
    const closed = this.#screen.close();
    this.releaseKeyboard();
    await closed;
  }

  /** A status line. While a question is open lines wait, so that it stays to be read; beyond a hundred the oldest goes. */
  say(text: string): void {
    if (this.#question === null) return this.#screen.say(text);
    this.#unsaid.push(text);
    if (this.#unsaid.length > UNSAID_MAX) this.#unsaid.shift();
  }

  /** An engineer is joined to the daemon. Shown, if no other visit is. */
  visitBegan(visit: VisitOnScreen): void {
    this.#view.began(visit);
    this.#showTitle();
  }

  /** Output of the daemon, as it came. False when no more is wanted for now: see `onRoom`. */
  show(visit: string, bytes: Uint8Array): boolean {
    return this.#view.show(visit, bytes);
  }

  /** Bytes went through a visit. */
  moved(visit: string, fromEngineerBytes: number, fromDaemonBytes: number): void {
    this.#view.moved(visit, fromEngineerBytes, fromDaemonBytes);
  }

  /** Takes back what the daemon left switched on, and shows another visit, if there is one. */
  visitEnded(visit: string): void {
    this.#view.ended(visit);
    this.#showTitle();
  }

  /** What is to be seen as long as consent is given ahead; null takes it away. */
  setNotice(text: string | null): void {
    this.#notice = text;
    this.#showTitle();
  }

  /**
   * Asks a yes-or-no question of one key. It is shown, and keys count, only once what was typed before is thrown away;
   * resolves with `withdrawn` after `withdraw`, shown or not. The live view stands still meanwhile.
   */
  ask(text: string): Promise<Answer> {
    return new Promise((resolve) => {
      const question: Question = { resolve, isShown: false };
      this.#question = question;
      this.#view.hold();
      afterWaitingKeys(() => {
        // Keys count from when the terminal has taken the question.
        if (this.#question === question) this.#screen.prompt(text, () => (question.isShown = true));
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
    const key = chunk.toString('latin1');
    if (this.#question === null) return this.#keys[key]?.();
    const answer = ANSWERS[key];
    if (!answer || !this.#question.isShown) return;
    this.#screen.finishLine(answer);
    this.#answer(answer);
  };

  #answer(answer: Answer): void {
    const question = this.#question;
    if (question === null) return;
    this.#question = null;
    for (const line of this.#unsaid.splice(0)) this.#screen.say(line);
    this.#view.letGo();
    question.resolve(answer);
  }

  #next(): void {
    if (!this.#view.next()) this.say('There is no other visit.');
    this.#showTitle();
  }

  #endShown(): void {
    const { shown } = this.#view;
    if (shown) this.onEndShown(shown.id);
  }

  #withdrawAhead(): void {
    if (this.#notice !== null) this.onWithdraw();
  }

  #sayStatus(): void {
    const { all, shown } = this.#view;
    for (const facts of all) {
      const mark = facts === shown && all.length > 1 ? '* ' : '';
      this.say(`${mark}${statusLine(facts, this.#clock.now())}`);
    }
    if (all.length === 0) this.say('No visit.');
    if (this.#notice !== null) this.say(`Consent given ahead: ${this.#notice}.`);
  }

  /** Now, and every second while there is something to be seen. */
  #showTitle(): void {
    if (this.#title === null) return;
    const text = this.#titleText();
    this.#title.show(text);
    if (text === null) {
      this.#endTicks?.();
      this.#endTicks = null;
    } else this.#endTicks ??= this.#clock.every(TITLE_INTERVAL_MS, () => this.#showTitle());
  }

  #titleText(): string | null {
    const { all, shown } = this.#view;
    const others = all.length > 1 ? [`1 of ${all.length} visits`] : [];
    const visit = shown ? [statusLine(shown, this.#clock.now())] : [];
    const parts = [...visit, ...others, ...(this.#notice === null ? [] : [this.#notice])];
    return parts.length === 0 ? null : `tndconnect: ${parts.join('; ')}`;
  }
}

/** Lets the loop deliver keys that were pressed before: they find no question shown and are dropped. */
function afterWaitingKeys(action: () => void): void {
  setImmediate(() => setImmediate(action));
}
