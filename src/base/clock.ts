/**
 * Time as it is passed in: the only file of `src` that touches timers and clocks.
 *
 * `now` is monotonic (deadlines and durations: never moved by a clock that is set), `wallNow` is the calendar
 * (what people and logs read). Programs make one `systemClock` in their `main.ts`; tests pass a fake.
 */

/** Cancels what it was returned for; calling it again does nothing. */
export type Cancel = () => void;

export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. */
  now(): number;
  /** Milliseconds since the Unix epoch. */
  wallNow(): number;
  /** Calls `action` once after `delayMs`. */
  after(delayMs: number, action: () => void): Cancel;
  /** Calls `action` every `intervalMs`. Does not keep the process alive. */
  every(intervalMs: number, action: () => void): Cancel;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
  every(intervalMs, action) {
    const timer = setInterval(action, intervalMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};
