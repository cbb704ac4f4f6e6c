/**
 * The two people of a visit, and what is left of it: what tests of races, endings and hostile callers share.
 *
 * An engineer here answers timing marks at once, as telnet clients do, and speaks first, so that no test waits for a
 * greeting. `watchLeaks` compares what the process and the relay hold with what they held before.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Test } from 'tap';
import type { HostPort } from '../../src/base/address.ts';
import type { Cancel, Clock } from '../../src/base/clock.ts';
import type { Outcome } from '../../src/wire/outcomes.ts';
import { until, type Rig, type RunningConnector, type TestDaemon, type TestSocket } from './rig.ts';

/** By an account and `open`, or by session id and engineer password as in the original. */
export type Way = 'account' | 'session';
export const ways: readonly Way[] = ['account', 'session'];

export const account = { name: 'alice', password: 'correct horse' } as const;

export type Invited = Awaited<ReturnType<Rig['invite']>>;

export interface People {
  readonly invited: Invited;
  readonly engineer: TestSocket;
  readonly customer: RunningConnector;
}

const IAC_NOP = Buffer.from([0xff, 0xf1]);
const ASK_MARK = Buffer.from([0xff, 0xfd, 0x06]);
const GIVE_MARK = Buffer.from([0xff, 0xfb, 0x06]);

/** An engineer's connection that needs no greeting. `marks: false` never answers a timing mark. */
export async function dialEngineer(rig: Rig, { marks = true } = {}): Promise<TestSocket> {
  const engineer = await rig.dial();
  let answered = 0;
  engineer.socket.on('data', () => {
    const asked = engineer.bytes.toString('latin1').split(ASK_MARK.toString('latin1')).length - 1;
    for (; marks && answered < asked; answered += 1) engineer.write(GIVE_MARK);
  });
  engineer.write(IAC_NOP);
  return engineer;
}

/** A session for the way in; accounts are made as needed. */
export async function inviteFor(rig: Rig, way: Way, options: { ttlMs?: number } = {}): Promise<Invited> {
  const isNew = way === 'account' && !rig.relay.accounts.list().some(({ name }) => name === account.name);
  if (isNew) await rig.relay.accounts.add(account.name, 'engineer', account.password);
  return rig.invite({ ...options, ...(way === 'account' ? { owner: account.name } : {}) });
}

/** Resolves at the account's prompt. */
export async function logInAccount(engineer: TestSocket): Promise<void> {
  await engineer.logIn(account.name, account.password);
  await engineer.has('relay> ');
}

/** A session, and its account's engineer who waits for the customer. */
export async function waitForCustomer(rig: Rig): Promise<{ invited: Invited; engineer: TestSocket }> {
  const invited = await inviteFor(rig, 'account');
  const engineer = await dialEngineer(rig);
  await comeIn(engineer, 'account', invited);
  await engineer.has('Waiting for the customer');
  return { invited, engineer };
}

/** Logs in and asks for the session; resolves once the relay has seen the last line. */
export async function comeIn(engineer: TestSocket, way: Way, invited: Invited): Promise<void> {
  if (way === 'session') return engineer.logIn(invited.session.id, invited.engineerPassword);
  await logInAccount(engineer);
  engineer.write(`open ${invited.session.id}\r\n`);
}

/** Both people up to the question for consent, which `args` or the keyboard answers. */
export async function bringTogether(
  rig: Rig,
  daemon: TestDaemon,
  way: Way,
  options: { keyboard?: boolean; args?: readonly string[]; relay?: HostPort; marks?: boolean } = {},
): Promise<People> {
  const invited = await inviteFor(rig, way);
  const customer = rig.connect(invited.customerPassword, daemon.address, options);
  await customer.shows('waiting for the engineer');
  const engineer = await dialEngineer(rig, options);
  await comeIn(engineer, way, invited);
  return { invited, engineer, customer };
}

/** Both people, and the daemon's end of the visit they are in. */
export async function holdVisit(
  rig: Rig,
  daemon: TestDaemon,
  way: Way,
  options: { relay?: HostPort } = {},
): Promise<People & { site: TestSocket }> {
  const people = await bringTogether(rig, daemon, way, options);
  const site = await daemon.accepted();
  await people.engineer.has('daemon ready');
  return { ...people, site };
}

/** Resolves when `text` has been received `times` times. */
export function showsTimes(socket: TestSocket, text: string, times: number): Promise<void> {
  return until(() => socket.text.split(text).length > times);
}

/** Lines of the audit file. */
export function audited(rig: Rig, event: string): readonly Readonly<Record<string, unknown>>[] {
  const lines = readFileSync(rig.state.auditFile, 'latin1').trim().split('\n');
  const entries = lines
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return entries.filter((entry) => entry['event'] === event);
}

/** The outcome words under which a session ended: one, if all is well. */
export function outcomesOf(rig: Rig, { session }: Invited): readonly Outcome[] {
  const ends = audited(rig, 'session-end').filter((entry) => entry['session'] === session.id);
  return ends.map((entry) => entry['outcome'] as Outcome);
}

/** A clock that knows how many of its timers are armed. */
export class CountingClock implements Clock {
  readonly #clock: Clock;
  readonly #armed = new Set<object>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get armed(): number {
    return this.#armed.size;
  }

  now(): number {
    return this.#clock.now();
  }

  wallNow(): number {
    return this.#clock.wallNow();
  }

  after(delayMs: number, action: () => void): Cancel {
    const key = {};
    this.#armed.add(key);
    const cancel = this.#clock.after(delayMs, () => {
      this.#armed.delete(key);
      action();
    });
    return () => {
      this.#armed.delete(key);
      cancel();
    };
  }

  every(intervalMs: number, action: () => void): Cancel {
    const key = {};
    this.#armed.add(key);
    const cancel = this.#clock.every(intervalMs, action);
    return () => {
      this.#armed.delete(key);
      cancel();
    };
  }
}

export type AssertNoLeaks = () => Promise<void>;

/** Notes what is held now. The function it returns fails the test unless all of that, and no more, is held within 3 s. */
export function watchLeaks(t: Test, rig: Rig, clock: { readonly armed: number }): AssertNoLeaks {
  const held = (): Readonly<Record<string, number>> => ({
    descriptors: readdirSync('/proc/self/fd').length,
    timers: clock.armed,
    sessions: rig.relay.sessions.size,
    connections: rig.relay.connections,
  });
  const before = held();
  const isBack = (): boolean => Object.entries(held()).every(([name, count]) => count <= before[name]);
  return async () => {
    const endMs = performance.now() + 3_000;
    await until(() => isBack() || performance.now() > endMs);
    t.same(held(), before, 'descriptors, timers, sessions and connections are back');
    t.notMatch(rig.log(), /"level":"error"/, 'the relay logs no error');
  };
}
