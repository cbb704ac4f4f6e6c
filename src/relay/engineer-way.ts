/**
 * The original's way in, without an account: what a session is called, and its engineer password.
 *
 * A session is named by its id, the customer's target, that target's address, or the connector's own address or host
 * name; where several bear the name, the password decides. Wrong tries are charged to their source: the third closes
 * this way into each session that was meant, for that source, for a while. Others are let in as before, and the
 * customer's password is never touched.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { parseHostPort } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { LOGIN_TRIES_MAX, SESSION_CLOSED_MS, TRYING_SOURCES_MAX } from './limits.ts';
import type { Session } from './session.ts';

/** What one source has tried at one session. */
interface Tries {
  wrong: number;
  /** On the monotonic clock. */
  closedUntilMs: number;
}

export class EngineerWay {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #sessions: () => Iterable<Session>;
  readonly #tries = new WeakMap<Session, Map<string, Tries>>();

  /** `sessions` are all that are not over. */
  constructor(clock: Clock, log: Log, sessions: () => Iterable<Session>) {
    this.#clock = clock;
    this.#log = log;
    this.#sessions = sessions;
  }

  /** The session that `name` and `password` open from this source; null counts as a wrong try. */
  find(name: string, password: string, from: string): Session | null {
    const now = this.#clock.now();
    const open = this.#named(name).filter((session) => now >= (this.#of(session, from)?.closedUntilMs ?? 0));
    const tried = hashOf(password);
    const found = open.find((session) => timingSafeEqual(session.engineerPasswordHash!, tried));
    if (found) this.#tries.get(found)?.delete(from);
    else for (const session of open) this.#countWrong(session, from);
    return found ?? null;
  }

  /** Whether `name` is that of some session. */
  isNamed(name: string): boolean {
    return this.#named(name).length > 0;
  }

  #named(name: string): readonly Session[] {
    return [...this.#sessions()].filter(
      (session) => session.engineerPasswordHash !== null && bears(session, name),
    );
  }

  #of(session: Session, from: string): Tries | undefined {
    return this.#tries.get(session)?.get(from);
  }

  #countWrong(session: Session, from: string): void {
    const wrong = (this.#of(session, from)?.wrong ?? 0) + 1;
    const isClosed = wrong >= LOGIN_TRIES_MAX;
    const closedUntilMs = isClosed ? this.#clock.now() + SESSION_CLOSED_MS : 0;
    const sources = this.#tries.get(session) ?? new Map<string, Tries>();
    this.#tries.set(session, sources);
    // Last in the order of the map: when there are too many, the one that was quiet for longest is forgotten.
    sources.delete(from);
    sources.set(from, { wrong: isClosed ? 0 : wrong, closedUntilMs });
    if (sources.size > TRYING_SOURCES_MAX) sources.delete(sources.keys().next().value!);
    if (isClosed)
      this.#log.warn('session-way-closed', { session: session.id, from, forMs: SESSION_CLOSED_MS });
  }
}

/** What is kept of an engineer password. It has 50 random bits, so it needs no stretching. */
export function hashOf(password: string): Buffer {
  return createHash('sha256').update(password).digest();
}

/** Whether `name`, as typed, names the session. */
function bears(session: Session, name: string): boolean {
  const typed = name.trim().toLowerCase();
  if (typed.replace('-', '') === session.id.replace('-', '')) return true;
  const card = session.connector?.card;
  if (!card) return false;
  const targetHost = parseHostPort(card.target, 0)?.host ?? '';
  const names = [card.target, targetHost, card.targetAddress, card.localAddress, card.hostName];
  return names.some((known) => known !== '' && known.toLowerCase() === typed);
}
