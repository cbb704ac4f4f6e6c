/**
 * The customer's consent: asked for each visit, one question at a time, or given ahead, for a while or until further
 * notice.
 *
 * Consent that is given ahead ends at its hour by the calendar, or when as much time has passed as there was to that
 * hour, whichever is first: neither a clock that is set back nor a machine that slept prolongs it. It can be taken back
 * by one key. A question whose engineer is gone, or whose time is over, is withdrawn, and no key answers another
 * question than the one it was pressed for.
 */
import type { Cancel, Clock } from '../base/clock.ts';
import { visibleText } from '../base/text.ts';
import type { Answer } from './console.ts';

/** The customer's terminal, as far as consent goes. */
export interface ConsentConsole {
  readonly hasKeyboard: boolean;
  ask(question: string): Promise<Answer>;
  withdraw(): void;
  /** Shown as long as consent is given ahead; null takes it away. */
  setNotice(text: string | null): void;
}

export interface ConsentRequest {
  readonly visit: string;
  readonly who: string;
  /** How long the relay waits for the answer. */
  readonly answerMs: number;
}

export interface ConsentPolicy {
  readonly mode: 'ask' | 'auto';
  /** When `auto` ends, on the calendar; null for never. */
  readonly untilWallMs: number | null;
  /** What visitors come to, as the customer typed it. */
  readonly targetText: string;
}

/** A person's, from seeing that a question is gone to not pressing its key any more, amply. */
const REACTION_MS = 1_000;
/** A clock may be set at any time. */
const CALENDAR_CHECK_MS = 10_000;

export class Consent {
  readonly #console: ConsentConsole;
  readonly #clock: Clock;
  readonly #policy: ConsentPolicy;
  readonly #say: (text: string) => void;
  #isGivenAhead: boolean;
  /** On the monotonic clock. */
  #aheadEndMs = Infinity;
  #cancelCheck: Cancel = () => {};
  /** Visits that wait for their answer; those that are withdrawn leave. */
  readonly #waiting = new Set<string>();
  #asking: string | null = null;
  /** A key that is pressed before may be meant for the question that was withdrawn. */
  #nextQuestionMs = 0;
  #lastQuestion: Promise<unknown> = Promise.resolve();

  constructor(console: ConsentConsole, clock: Clock, policy: ConsentPolicy, say: (text: string) => void) {
    this.#console = console;
    this.#clock = clock;
    this.#policy = policy;
    this.#say = say;
    this.#isGivenAhead = policy.mode === 'auto';
  }

  /** Says what is given ahead, and begins its time. */
  open(): void {
    if (!this.#isGivenAhead) return;
    const { untilWallMs } = this.#policy;
    const hour = this.#hourText;
    this.#say(`Engineers are let in without a question${hour} (-consent auto).`);
    if (this.#console.hasKeyboard) this.#say('w takes that back.');
    this.#console.setNotice(`let in without a question${hour} (w takes it back)`);
    if (untilWallMs === null) return;
    this.#aheadEndMs = this.#clock.now() + (untilWallMs - this.#clock.wallNow());
    this.#watchCalendar();
  }

  /** Consent that was given ahead is taken back. Visits under way go on. */
  takeBack(): void {
    if (this.#isGivenAhead) this.#endAhead('Consent given ahead is taken back');
  }

  /** Nothing is asked or timed any more. */
  close(): void {
    this.#cancelCheck();
    for (const visit of [...this.#waiting]) this.withdraw(visit);
  }

  /** The customer's answer; `withdrawn` after `withdraw`, or when the relay waits no longer. */
  async decide(request: ConsentRequest): Promise<Answer> {
    if (this.#isAhead()) {
      this.#say(`Consent was given ahead${this.#hourText}: no question is asked.`);
      return 'yes';
    }
    if (!this.#console.hasKeyboard) {
      this.#say('There is no terminal to ask at: use -consent auto to allow visits.');
      return 'no';
    }
    const { visit, answerMs } = request;
    const endMs = this.#clock.now() + answerMs;
    this.#waiting.add(visit);
    const cancel = this.#clock.after(answerMs, () => this.withdraw(visit));
    const before = this.#lastQuestion;
    const answer = before.then(() => this.#ask(request, endMs));
    this.#lastQuestion = answer;
    try {
      return await answer;
    } finally {
      cancel();
      this.#waiting.delete(visit);
    }
  }

  /** The engineer is gone, or too much time has passed. */
  withdraw(visit: string): void {
    this.#waiting.delete(visit);
    if (this.#asking !== visit) return;
    this.#nextQuestionMs = this.#clock.now() + REACTION_MS;
    this.#console.withdraw();
  }

  async #ask({ visit, who }: ConsentRequest, endMs: number): Promise<Answer> {
    await this.#pause(this.#nextQuestionMs - this.#clock.now());
    if (!this.#waiting.has(visit)) return 'withdrawn';
    const seconds = Math.round((endMs - this.#clock.now()) / 1_000);
    this.#asking = visit;
    try {
      return await this.#console.ask(
        `Let ${visibleText(who)} work on ${this.#policy.targetText}? (y/n, ${seconds} s)`,
      );
    } finally {
      this.#asking = null;
    }
  }

  get #hourText(): string {
    const { untilWallMs } = this.#policy;
    return untilWallMs === null ? '' : ` until ${timeText(untilWallMs)}`;
  }

  #pause(ms: number): Promise<void> | void {
    if (ms > 0) return new Promise((resolve) => void this.#clock.after(ms, resolve));
  }

  #isAhead(): boolean {
    if (this.#isGivenAhead && this.#remainingMs() <= 0)
      this.#endAhead('The time of consent given ahead is over');
    return this.#isGivenAhead;
  }

  #remainingMs(): number {
    const { untilWallMs } = this.#policy;
    if (untilWallMs === null) return Infinity;
    return Math.min(this.#aheadEndMs - this.#clock.now(), untilWallMs - this.#clock.wallNow());
  }

  #watchCalendar(): void {
    const inMs = Math.min(Math.max(0, this.#remainingMs()), CALENDAR_CHECK_MS);
    this.#cancelCheck = this.#clock.after(inMs, () => {
      if (this.#isAhead()) this.#watchCalendar();
    });
  }

  #endAhead(why: string): void {
    this.#isGivenAhead = false;
    this.#cancelCheck();
    this.#console.setNotice(null);
    const now = this.#console.hasKeyboard
      ? 'you are asked before each visit'
      : 'no engineer is let in any more';
    this.#say(`${why}: ${now}.`);
  }
}

/** A wall-clock time as the customer reads it. */
export function timeText(wallMs: number): string {
  const date = new Date(wallMs);
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
