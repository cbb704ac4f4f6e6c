/**
 * When a lost relay is dialled again: after a random time within a window that doubles with every try.
 *
 * Full jitter: whoever lost the same relay at the same moment comes back spread evenly over the window, so that a relay
 * that starts again is not run over. The relay says how wide the first window is to be, for as many connectors as it has:
 * ten seconds at least, and no more than ten minutes whatever it says. No try is sooner than the least delay. A
 * connection that stood for a while starts the windows anew; one that breaks off at once does not, so nothing loops.
 */

export const LEAST_DELAY_MS = 1_000;
export const FIRST_WINDOW_MS = 10_000;
export const FIRST_WINDOW_MS_MAX = 600_000;
/** Windows grow up to this, where the first is not wider. */
export const LAST_WINDOW_MS = 60_000;
/** A connection that stood this long was a good one. */
export const GOOD_AFTER_MS = 60_000;

export class Backoff {
  readonly #random: () => number;
  #firstWindowMs = FIRST_WINDOW_MS;
  #tries = 0;

  /** `random` yields numbers from 0 (included) to 1 (excluded). */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** How wide the first window is to be. */
  spread(windowMs: number): void {
    this.#firstWindowMs = Math.min(Math.max(windowMs, FIRST_WINDOW_MS), FIRST_WINDOW_MS_MAX);
  }

  /** How long to wait before the next try. */
  nextDelayMs(): number {
    const first = this.#firstWindowMs;
    const windowMs = Math.min(first * 2 ** this.#tries, Math.max(first, LAST_WINDOW_MS));
    this.#tries += 1;
    return Math.round(LEAST_DELAY_MS + this.#random() * (windowMs - LEAST_DELAY_MS));
  }

  /** A connection stood for so long before it was lost. */
  stood(ms: number): void {
    if (ms >= GOOD_AFTER_MS) this.#tries = 0;
  }
}
