/**
 * One timer for each connection, on a wheel of its own: first bytes, authentication, pings, an idle prompt.
 *
 * A connection has one thing to wait for at a time, so arming replaces what was armed before. The rows are sized
 * once; when none is free the connection is not taken.
 */
import type { Cancel, Clock } from '../base/clock.ts';
import { CONNECTIONS_MAX, TICK_MS } from './limits.ts';
import { SlotPool, type Handle } from './slot-pool.ts';
import { TimerWheel } from './timer-wheel.ts';

export class ConnectionTimers {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #pool: SlotPool;
  readonly #wheel: TimerWheel;
  readonly #actions: Array<(() => void) | null>;
  readonly #stopTicking: Cancel;

  constructor(clock: Clock, capacity: number = CONNECTIONS_MAX) {
    this.#clock = clock;
    this.#startMs = clock.now();
    this.#pool = new SlotPool(capacity);
    this.#wheel = new TimerWheel(capacity, TICK_MS);
    this.#actions = new Array<(() => void) | null>(capacity).fill(null);
    this.#stopTicking = clock.every(TICK_MS, () => this.#tick());
  }

  /** A timer for one connection; null when every row is taken. */
  open(): ConnectionTimer | null {
    const handle = this.#pool.acquire();
    return handle === null ? null : new ConnectionTimer(this, handle);
  }

  /** Connections that hold a timer. */
  get size(): number {
    return this.#pool.size;
  }

  now(): number {
    return this.#clock.now();
  }

  stop(): void {
    this.#stopTicking();
  }

  arm(handle: Handle, dueMs: number, action: () => void): void {
    const index = this.#pool.resolve(handle);
    if (index < 0) return;
    this.#actions[index] = action;
    this.#wheel.arm(index, this.#wheel.dueTickAt(dueMs - this.#startMs));
  }

  cancel(handle: Handle): void {
    const index = this.#pool.resolve(handle);
    if (index < 0) return;
    this.#actions[index] = null;
    this.#wheel.cancel(index);
  }

  release(handle: Handle): void {
    if (this.#pool.resolve(handle) < 0) return;
    this.cancel(handle);
    this.#pool.release(handle);
  }

  #tick(): void {
    this.#wheel.advance(this.#wheel.tickAt(this.#clock.now() - this.#startMs), (index) => {
      const action = this.#actions[index];
      this.#actions[index] = null;
      action?.();
    });
  }
}

/** The timer of one connection. After `close` every call does nothing. */
export class ConnectionTimer {
  readonly #timers: ConnectionTimers;
  readonly #handle: Handle;
  /** When the connection was accepted, on the monotonic clock. */
  readonly openedMs: number;

  constructor(timers: ConnectionTimers, handle: Handle) {
    this.#timers = timers;
    this.#handle = handle;
    this.openedMs = timers.now();
  }

  /** Calls `action` once, `delayMs` from now, unless armed anew or cancelled before. */
  armIn(delayMs: number, action: () => void): void {
    this.#timers.arm(this.#handle, this.#timers.now() + delayMs, action);
  }

  /** Calls `action` once, `ageMs` after the connection was accepted: a deadline that nothing extends. */
  armAtAge(ageMs: number, action: () => void): void {
    this.#timers.arm(this.#handle, this.openedMs + ageMs, action);
  }

  cancel(): void {
    this.#timers.cancel(this.#handle);
  }

  close(): void {
    this.#timers.release(this.#handle);
  }
}
