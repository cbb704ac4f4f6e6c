/**
 * A clock that a test moves by hand. `advance` runs everything that falls due, in order of time, and leaves the
 * clock exactly `ms` later.
 */
import type { Cancel, Clock } from '../../src/base/clock.ts';

interface Entry {
  dueMs: number;
  intervalMs: number | null;
  action: () => void;
}

export class FakeClock implements Clock {
  #nowMs = 0;
  #epochMs = 1_700_000_000_000;
  readonly #entries = new Set<Entry>();

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#epochMs + this.#nowMs;
  }

  after(delayMs: number, action: () => void): Cancel {
    return this.#add({ dueMs: this.#nowMs + delayMs, intervalMs: null, action });
  }

  every(intervalMs: number, action: () => void): Cancel {
    return this.#add({ dueMs: this.#nowMs + intervalMs, intervalMs, action });
  }

  /** How many timers are armed: back to the starting count at the end of a leak-free test. */
  get armed(): number {
    return this.#entries.size;
  }

  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let next = this.#next(endMs); next; next = this.#next(endMs)) {
      this.#nowMs = next.dueMs;
      if (next.intervalMs === null) this.#entries.delete(next);
      else next.dueMs += next.intervalMs;
      next.action();
    }
    this.#nowMs = endMs;
  }

  /** Sets the calendar, as people and machines that slept do; no timer moves. */
  jumpWall(ms: number): void {
    this.#epochMs += ms;
  }

  #add(entry: Entry): Cancel {
    this.#entries.add(entry);
    return () => {
      this.#entries.delete(entry);
    };
  }

  #next(endMs: number): Entry | undefined {
    let first: Entry | undefined;
    for (const entry of this.#entries) {
      if (entry.dueMs <= endMs && (!first || entry.dueMs < first.dueMs)) first = entry;
    }
    return first;
  }
}
