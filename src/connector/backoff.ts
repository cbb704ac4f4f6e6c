/**
 * When a lost relay is dialled again: after a random time within a window that doubles with every try.
 *
 * Full jitter: whoever lost the same relay at the same moment comes back spread evenly over the window, so that a relay
 * that starts again is not run over. The first window is wide enough for some hundred connectors at once (200 in 9 s
 * are 22 a second), and no try is sooner than the least delay. A connection that stood for a while starts the windows
 * anew; one that breaks off at once does not, so nothing loops.
 */

export const LEAST_DELAY_MS = 1_000;
export const WINDOWS_MS: readonly number[] = [10_000, 20_000, 40_000, 60_000];
/** A connection that stood this long was a good one. */
export const GOOD_AFTER_MS = 60_000;

export class Backoff {
  readonly #random: () => number;
  #tries = 0;

  /** `random` yields numbers from 0 (included) to 1 (excluded). */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** How long to wait before the next try. */
  nextDelayMs(): number {
    const windowMs = WINDOWS_MS[Math.min(this.#tries, WINDOWS_MS.length - 1)];
    this.#tries += 1;
    return Math.round(LEAST_DELAY_MS + this.#random() * (windowMs - LEAST_DELAY_MS));
  }

  /** A connection stood for so long before it was lost. */
  stood(ms: number): void {
    if (ms >= GOOD_AFTER_MS) this.#tries = 0;
  }
}
