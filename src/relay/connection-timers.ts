/**
 * One timer for each connection, on a wheel of its own: first bytes, authentication, pings, an idle prompt.
 *
 * A connection has one thing to wait for at a time, so arming replaces what was armed before. The rows are sized
 * once; when none is free the connection is not taken. Who is no stranger any more says so (`keep`): the others have
 * nothing to lose when the relay stops.
 */
import type { Cancel, Clock } from '../base/clock.ts';
import { CONNECTIONS_MAX, TICK_MS } from './limits.ts';
import { SlotPool, type Handle } from './slot-pool.ts';
import { TimerWheel } from './timer-wheel.ts';

/** What can be cut off. */
export interface Stranger {
  destroy(): unknown;
}

export class ConnectionTimers {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #pool: SlotPool;
  readonly #wheel: TimerWheel;
  readonly #actions: Array<(() => void) | null>;
  readonly #strangers: Array<Stranger | null>;
  readonly #stopTicking: Cancel;

  constructor(clock: Clock, capacity: number = CONNECTIONS_MAX) {
    this.#clock = clock;
    this.#startMs = clock.now();
    this.#pool = new SlotPool(capacity);
    this.#wheel = new TimerWheel(capacity, TICK_MS);
    this.#actions = new Array<(() => void) | null>(capacity).fill(null);
    this.#strangers = new Array<Stranger | null>(capacity).fill(null);
    this.#stopTicking = clock.every(TICK_MS, () => this.#tick());
  }

  /** A timer for one connection; null when every row is taken. */
  open(stranger: Stranger): ConnectionTimer | null {
    const handle = this.#pool.acquire();
    if (handle === null) return null;
    this.#strangers[this.#pool.resolve(handle)] = stranger;
    return new ConnectionTimer(this, handle);
  }

  /** Cuts off every connection whose timer is neither kept nor closed. */
  cutStrangers(): void {
    for (const stranger of this.#strangers) stranger?.destroy();
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

  keep(handle: Handle): void {
    const index = this.#pool.resolve(handle);
    if (index >= 0) this.#strangers[index] = null;
  }

  release(handle: Handle): void {
    if (this.#pool.resolve(handle) < 0) return;
    this.cancel(handle);
    this.keep(handle);
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

  /** From now on the connection is no stranger's: whoever serves it ends it in good order. */
  keep(): void {
    this.#timers.keep(this.#handle);
  }

  close(): void {
    this.#timers.release(this.#handle);
  }
}
