/**
 * All timeout policy of sessions: which state has which deadline, and what is reported when it passes.
 *
 * Callers say what happened (`enterState`, and `countFrom…`/`touch` of the session table stamped with `tick`); this
 * file decides what that means. Activity only writes a number. A spliced session has one entry in the wheel: when its
 * slot comes round, the row is judged by what its columns say now, and re-filed at the next tick that could matter.
 *
 *     quiet for      0 ------------ idleMs - warnMs --------- idleMs
 *                    activity       idleWarning, once         idleExpired
 *     since splice   0 ------------ lifetimeMs - warnMs ----- lifetimeMs
 *                                   lifetimeWarning           lifetimeExpired
 *
 * Nothing is early. Stage ends, warnings of the lifetime and its end come at the first tick that does not begin before
 * their time. Activity is known by the tick in which it fell, so idle time is counted from that tick's end: idleExpired
 * comes from idleMs to idleMs + 1 tick after the last byte. When idleMs (or lifetimeMs) is warnMs or less, there is
 * no idle (lifetime) warning. The password's expiry and the end of waiting are absolute: coming back to a state does
 * not extend them. A half-closed session ends when it has been quiet for halfCloseMs (or idleMs, if that is less), so
 * that output still on its way is not cut; its lifetime goes on.
 */
import type { Cancel, Clock } from '../base/clock.ts';
import { TICK_MS } from './limits.ts';
import type { SessionState } from './session-states.ts';
import type { SessionTable } from './session-table.ts';
import { TimerWheel } from './timer-wheel.ts';

export interface DeadlineLimits {
  /** Longest time that a connected customer waits for an engineer, over all visits that did not begin. */
  readonly waitMs: number;
  readonly consentMs: number;
  readonly syncMs: number;
  readonly dialMs: number;
  readonly idleMs: number;
  /** How long before the idle end and before the end of the lifetime people are warned. */
  readonly warnMs: number;
  /** Longest time of a visit, from the splice on. */
  readonly lifetimeMs: number;
  readonly halfCloseMs: number;
}

/** What the session code must answer. Rows are live; a report may end or release any session. */
export interface DeadlineReports {
  stageExpired(row: number): void;
  idleExpired(row: number): void;
  lifetimeExpired(row: number): void;
  idleWarning(row: number, remainingMs: number): void;
  lifetimeWarning(row: number, remainingMs: number): void;
}

export class Deadlines {
  readonly #table: SessionTable<unknown>;
  readonly #clock: Clock;
  readonly #limits: DeadlineLimits;
  readonly #reports: DeadlineReports;
  readonly #wheel: TimerWheel;
  readonly #startMs: number;
  readonly #idleTicks: number;
  readonly #halfCloseTicks: number;
  readonly #warnTicks: number;
  readonly #warnsOfIdle: boolean;
  readonly #warnsOfLifetime: boolean;
  readonly #cancelTicking: Cancel;

  /** Starts ticking at once; `stop` ends it. */
  constructor(
    clock: Clock,
    table: SessionTable<unknown>,
    limits: DeadlineLimits,
    reports: DeadlineReports,
    tickMs: number = TICK_MS,
  ) {
    this.#table = table;
    this.#clock = clock;
    this.#limits = limits;
    this.#reports = reports;
    this.#wheel = new TimerWheel(table.capacity, tickMs);
    this.#startMs = clock.now();
    this.#idleTicks = this.#wheel.dueTickAt(limits.idleMs);
    this.#halfCloseTicks = this.#wheel.dueTickAt(Math.min(limits.halfCloseMs, limits.idleMs));
    this.#warnTicks = this.#wheel.dueTickAt(limits.warnMs);
    this.#warnsOfIdle = this.#idleTicks > this.#warnTicks;
    this.#warnsOfLifetime = this.#wheel.dueTickAt(limits.lifetimeMs) > this.#warnTicks;
    const onDue = (row: number): void => this.#judge(row);
    this.#cancelTicking = clock.every(tickMs, () => this.#wheel.advance(this.tick, onDue));
  }

  /** The tick that is current now: what activity is stamped with. */
  get tick(): number {
    return this.#wheel.tickAt(this.#clock.now() - this.#startMs);
  }

  /** Sets when the password of a session that awaits its customer expires, counted from now, and arms that. */
  setPasswordTtl(row: number, ttlMs: number): void {
    this.#table.passwordDueTick[row] = this.#dueIn(ttlMs);
    this.enterState(row, 'awaitingCustomer');
  }

  /** Arms the deadline of the state that the session has just entered, in place of the one before. */
  enterState(row: number, state: SessionState): void {
    switch (state) {
      case 'awaitingCustomer':
        return this.#wheel.arm(row, this.#table.passwordDueTick[row]);
      case 'awaitingEngineer':
      case 'awaitingReturn':
        return this.#wheel.arm(row, this.#waitDue(row));
      case 'awaitingConsent':
        return this.#wheel.arm(row, this.#dueIn(this.#limits.consentMs));
      case 'awaitingSync':
        return this.#wheel.arm(row, this.#dueIn(this.#limits.syncMs));
      case 'awaitingData':
        return this.#wheel.arm(row, this.#dueIn(this.#limits.dialMs));
      case 'spliced':
        this.#table.lifetimeDueTick[row] = this.#dueIn(this.#limits.lifetimeMs);
        return this.#startQuiet(row, state);
      case 'awaitingDaemonEnd':
      case 'awaitingEngineerEnd':
        return this.#startQuiet(row, state);
      case 'ended':
        return this.#wheel.cancel(row);
    }
  }

  /** Ends the ticking; nothing is reported any more. */
  stop(): void {
    this.#cancelTicking();
  }

  /** Deadlines that are armed: at most one a session. */
  get armed(): number {
    return this.#wheel.size;
  }

  #dueIn(ms: number): number {
    return this.#wheel.dueTickAt(this.#clock.now() - this.#startMs + ms);
  }

  #waitDue(row: number): number {
    return (this.#table.waitDueTick[row] ||= this.#dueIn(this.#limits.waitMs));
  }

  #startQuiet(row: number, state: SessionState): void {
    const tick = this.tick;
    this.#table.touch(row, tick);
    this.#file(row, state, tick);
  }

  /** A row's slot came round. */
  #judge(row: number): void {
    const state = this.#table.stateAt(row);
    if (state === 'spliced' || isHalfClosed(state)) this.#judgeSplice(row, state);
    else this.#reports.stageExpired(row);
  }

  /**
   * Reports at most one thing, last: a report may release the row. What is due besides comes with the next tick. When
   * both ends have passed (the machine slept), the one that was due first counts.
   */
  #judgeSplice(row: number, state: SessionState): void {
    const tick = this.tick;
    const quietDue = this.#quietDue(row, state);
    const lifetimeDue = this.#table.lifetimeDueTick[row];
    if (tick >= Math.min(quietDue, lifetimeDue)) return this.#reportEnd(row, state, quietDue <= lifetimeDue);
    const isIdleWarning = tick >= this.#idleWarningDue(row, state);
    const isLifetimeWarning = !isIdleWarning && tick >= this.#lifetimeWarningDue(row);
    if (isIdleWarning) this.#table.idleWarned[row] = this.#table.lastSeenTick[row] + 1;
    if (isLifetimeWarning) this.#table.lifetimeWarned[row] = 1;
    this.#file(row, state, tick);
    if (isIdleWarning) this.#reports.idleWarning(row, (quietDue - tick) * this.#wheel.tickMs);
    if (isLifetimeWarning) this.#reports.lifetimeWarning(row, (lifetimeDue - tick) * this.#wheel.tickMs);
  }

  #reportEnd(row: number, state: SessionState, isQuiet: boolean): void {
    if (!isQuiet) this.#reports.lifetimeExpired(row);
    else if (state === 'spliced') this.#reports.idleExpired(row);
    else this.#reports.stageExpired(row);
  }

  /** Files a row at the next tick at which something could be due, as things stand at `tick`. */
  #file(row: number, state: SessionState, tick: number): void {
    const lifetime = Math.min(this.#table.lifetimeDueTick[row], this.#lifetimeWarningDue(row));
    const quiet = Math.min(this.#quietDue(row, state), this.#idleWarningDue(row, state));
    // Activity after a warning starts another quiet time, whose own warning can be due before this one's end.
    const nextWarning = this.#warnsOfIdle ? tick + 1 + this.#idleTicks - this.#warnTicks : Infinity;
    this.#wheel.arm(row, Math.min(lifetime, quiet, nextWarning));
  }

  #quietDue(row: number, state: SessionState): number {
    const ticks = isHalfClosed(state) ? this.#halfCloseTicks : this.#idleTicks;
    return this.#table.lastSeenTick[row] + 1 + ticks;
  }

  /** Infinity when there is none to come in this quiet time. */
  #idleWarningDue(row: number, state: SessionState): number {
    const lastSeenTick = this.#table.lastSeenTick[row];
    const isGiven = this.#table.idleWarned[row] === lastSeenTick + 1;
    if (!this.#warnsOfIdle || isGiven || isHalfClosed(state)) return Infinity;
    return lastSeenTick + 1 + this.#idleTicks - this.#warnTicks;
  }

  /** Infinity when it was given or there is none. */
  #lifetimeWarningDue(row: number): number {
    if (!this.#warnsOfLifetime || this.#table.lifetimeWarned[row] === 1) return Infinity;
    return this.#table.lifetimeDueTick[row] - this.#warnTicks;
  }
}

function isHalfClosed(state: SessionState): boolean {
  return state === 'awaitingDaemonEnd' || state === 'awaitingEngineerEnd';
}
