/** Deadlines of sessions, with a clock that is moved by hand. Times are milliseconds since the clock's start. */
import t from 'tap';
import { Deadlines, type DeadlineLimits } from '../../src/relay/deadlines.ts';
import { DEADLINE_LIMITS } from '../../src/relay/limits.ts';
import type { SessionState } from '../../src/relay/session-states.ts';
import { SessionTable } from '../../src/relay/session-table.ts';
import type { Handle } from '../../src/relay/slot-pool.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const TICK_MS = 100;
const MINUTE_MS = 60_000;
const { waitMs, idleMs, warnMs, lifetimeMs, halfCloseMs } = DEADLINE_LIMITS;

/** A relay of two sessions that writes down what is reported, as `<time> <what>`, and ends what expires. */
class Bench {
  readonly clock = new FakeClock();
  readonly table = new SessionTable<string>(2);
  readonly deadlines: Deadlines;
  readonly log: string[] = [];
  /** Called after a report is written down. */
  onReport: (row: number) => void = () => {};

  constructor(limits: Partial<DeadlineLimits> = {}) {
    this.deadlines = new Deadlines(
      this.clock,
      this.table,
      { ...DEADLINE_LIMITS, ...limits },
      {
        stageExpired: (row) => this.#write(row, 'stageExpired'),
        idleExpired: (row) => this.#write(row, 'idleExpired'),
        lifetimeExpired: (row) => this.#write(row, 'lifetimeExpired'),
        idleWarning: (row, remainingMs) => this.#write(row, `idleWarning ${remainingMs}`),
        lifetimeWarning: (row, remainingMs) => this.#write(row, `lifetimeWarning ${remainingMs}`),
      },
      TICK_MS,
    );
  }

  open(): { handle: Handle; row: number } {
    const handle = this.table.open('session', this.deadlines.tick)!;
    return { handle, row: this.table.resolve(handle) };
  }

  /** A session that has just entered `state`. */
  in(state: SessionState): number {
    const { row } = this.open();
    this.enter(row, state);
    return row;
  }

  enter(row: number, state: SessionState): void {
    this.table.setState(row, state);
    this.deadlines.enterState(row, state);
  }

  touch(row: number): void {
    this.table.touch(row, this.deadlines.tick);
  }

  #write(row: number, what: string): void {
    this.log.push(`${this.clock.now()} ${what}`);
    this.onReport(row);
  }
}

t.test('each stage expires at its limit, once', async (t) => {
  const stages: Partial<Record<SessionState, number>> = {
    awaitingEngineer: 1_800_000,
    awaitingConsent: 60_000,
    awaitingSync: 1_000,
    awaitingData: 10_000,
  };
  for (const [state, limitMs] of Object.entries(stages)) {
    const bench = new Bench();
    bench.in(state as SessionState);
    bench.clock.advance(limitMs - 1);
    t.same(bench.log, [], `${state} is not early`);
    bench.clock.advance(1 + 10 * limitMs);
    t.same(bench.log, [`${limitMs} stageExpired`], state);
    t.equal(bench.deadlines.armed, 0);
  }
});

t.test('a stage that begins between two ticks expires at the tick after its limit', async (t) => {
  for (const offsetMs of [1, 37, 99]) {
    const bench = new Bench();
    bench.clock.advance(offsetMs);
    bench.in('awaitingConsent');
    bench.clock.advance(MINUTE_MS - 1);
    t.same(bench.log, []);
    bench.clock.advance(TICK_MS);
    t.same(bench.log, [`${MINUTE_MS + TICK_MS} stageExpired`], `began at ${offsetMs}`);
  }
});

t.test('an invitation expires when its password does', async (t) => {
  const bench = new Bench();
  const { row } = bench.open();
  bench.deadlines.setPasswordTtl(row, 10 * MINUTE_MS);
  bench.clock.advance(4 * MINUTE_MS);
  bench.enter(row, 'awaitingCustomer');
  bench.clock.advance(6 * MINUTE_MS - 1);
  t.same(bench.log, []);
  bench.clock.advance(1);
  t.same(
    bench.log,
    ['600000 stageExpired'],
    'counted from the invitation, however often the state is entered',
  );
});

t.test('the next stage takes the place of the one before', async (t) => {
  const bench = new Bench();
  const row = bench.in('awaitingConsent');
  bench.clock.advance(59_000);
  bench.enter(row, 'awaitingSync');
  bench.clock.advance(900);
  bench.enter(row, 'awaitingData');
  bench.clock.advance(9_999);
  t.same(bench.log, []);
  bench.clock.advance(1);
  t.same(bench.log, ['69900 stageExpired']);
});

t.test('waiting ends at its first deadline however many visits were tried meanwhile', async (t) => {
  const bench = new Bench();
  const row = bench.in('awaitingEngineer');
  for (let visit = 1; visit <= 29; visit += 1) {
    bench.clock.advance(30_000);
    bench.enter(row, 'awaitingConsent');
    bench.clock.advance(30_000);
    bench.enter(row, 'awaitingEngineer');
  }
  bench.clock.advance(waitMs - 29 * MINUTE_MS - 1);
  t.same(bench.log, []);
  bench.clock.advance(1);
  t.same(bench.log, [`${waitMs} stageExpired`]);
});

t.test('an engineer who leaves after the wait is over ends it with the next tick', async (t) => {
  const bench = new Bench();
  const row = bench.in('awaitingEngineer');
  bench.clock.advance(waitMs - 1_000);
  bench.enter(row, 'awaitingConsent');
  bench.clock.advance(50_000);
  t.same(bench.log, [], 'the visit may still come about');
  bench.enter(row, 'awaitingEngineer');
  bench.clock.advance(TICK_MS);
  t.same(bench.log, [`${waitMs + 49_000 + TICK_MS} stageExpired`]);
});

t.test(
  'a quiet visit is warned a minute before its end, once, and ends within a tick of 30 minutes',
  async (t) => {
    for (const offsetMs of [0, 1, 99, 100]) {
      const bench = new Bench();
      bench.clock.advance(offsetMs);
      bench.in('spliced');
      bench.clock.advance(2 * idleMs);
      const endMs = Number(bench.log[1]?.split(' ')[0]) - offsetMs;
      t.match(bench.log, [/ idleWarning 60000$/, / idleExpired$/]);
      t.equal(bench.log.length, 2);
      t.ok(endMs >= idleMs && endMs <= idleMs + TICK_MS, `ends ${endMs} ms after the splice`);
      t.equal(endMs + offsetMs - Number(bench.log[0].split(' ')[0]), warnMs);
    }
  },
);

t.test('activity puts the idle end off, to within a tick of 30 minutes after the last byte', async (t) => {
  const bench = new Bench();
  const row = bench.in('spliced');
  for (let minute = 0; minute < 120; minute += 1) {
    bench.clock.advance(MINUTE_MS + 37);
    bench.touch(row);
  }
  t.same(bench.log, []);
  const lastMs = bench.clock.now();
  bench.clock.advance(idleMs - 1);
  t.match(bench.log, [/ idleWarning 60000$/]);
  t.equal(bench.log.length, 1);
  bench.clock.advance(1 + TICK_MS);
  t.match(bench.log[1], / idleExpired$/);
  const endMs = Number(bench.log[1].split(' ')[0]) - lastMs;
  t.ok(endMs >= idleMs && endMs <= idleMs + TICK_MS);
});

t.test('activity after a warning begins another quiet time with a warning of its own', async (t) => {
  const bench = new Bench();
  const row = bench.in('spliced');
  bench.clock.advance(idleMs - 30_000);
  t.equal(bench.log.length, 1);
  bench.touch(row);
  bench.clock.advance(idleMs - 30_000);
  t.equal(bench.log.length, 2);
  bench.clock.advance(2 * MINUTE_MS);
  t.same(
    bench.log.map((line) => line.split(' ')[1]),
    ['idleWarning', 'idleWarning', 'idleExpired'],
  );
});

t.test('a warning is on time also when the quiet time before it is short', async (t) => {
  const bench = new Bench({ idleMs: 90_000 });
  const row = bench.in('spliced');
  bench.clock.advance(31_000);
  t.same(bench.log, ['30100 idleWarning 60000']);
  bench.touch(row);
  bench.clock.advance(200_000);
  t.same(bench.log.slice(1), ['61100 idleWarning 60000', '121100 idleExpired']);
});

t.test('there is no idle warning when the limit is a minute or less', async (t) => {
  for (const limitMs of [1_000, warnMs]) {
    const bench = new Bench({ idleMs: limitMs });
    bench.in('spliced');
    bench.clock.advance(2 * idleMs);
    t.same(bench.log, [`${limitMs + TICK_MS} idleExpired`]);
  }
  const bench = new Bench({ idleMs: warnMs + TICK_MS });
  bench.in('spliced');
  bench.clock.advance(2 * idleMs);
  t.same(bench.log, ['200 idleWarning 60000', '60200 idleExpired']);
});

t.test('a visit ends at its lifetime however busy it is, warned a minute before', async (t) => {
  const bench = new Bench();
  const row = bench.in('awaitingData');
  bench.clock.advance(5_000);
  bench.enter(row, 'spliced');
  const endMs = 5_000 + lifetimeMs;
  while (bench.clock.now() < endMs - MINUTE_MS) {
    bench.touch(row);
    bench.clock.advance(MINUTE_MS);
  }
  bench.touch(row);
  bench.onReport = (reported) => {
    if (bench.log.length === 2) bench.enter(reported, 'ended');
  };
  bench.clock.advance(10 * MINUTE_MS);
  t.same(bench.log, [`${endMs - warnMs} lifetimeWarning 60000`, `${endMs} lifetimeExpired`]);
  t.equal(bench.deadlines.armed, 0);
});

t.test('there is no lifetime warning when the lifetime is a minute or less', async (t) => {
  const bench = new Bench({ lifetimeMs: warnMs });
  bench.in('spliced');
  bench.clock.advance(lifetimeMs);
  t.same(bench.log, [`${warnMs} lifetimeExpired`]);
});

t.test('two warnings that fall together are both given, a tick apart', async (t) => {
  const bench = new Bench({ lifetimeMs: idleMs + TICK_MS });
  bench.in('spliced');
  bench.clock.advance(idleMs - MINUTE_MS / 2);
  t.same(bench.log, ['1740100 idleWarning 60000', '1740200 lifetimeWarning 59900']);
});

t.test('a half-closed visit ends when it has been quiet for 30 seconds', async (t) => {
  for (const state of ['awaitingDaemonEnd', 'awaitingEngineerEnd'] as const) {
    const bench = new Bench();
    const row = bench.in('spliced');
    bench.clock.advance(MINUTE_MS);
    bench.enter(row, state);
    for (let step = 0; step < 10; step += 1) {
      bench.clock.advance(20_000);
      bench.touch(row);
    }
    t.same(bench.log, [], 'output on its way is not cut');
    const lastMs = bench.clock.now();
    bench.clock.advance(2 * halfCloseMs);
    t.same(bench.log, [`${lastMs + halfCloseMs + TICK_MS} stageExpired`]);
  }
});

t.test('the lifetime goes on when a visit is half-closed, and a shorter idle limit counts', async (t) => {
  const busy = new Bench({ lifetimeMs: 2 * MINUTE_MS });
  const row = busy.in('spliced');
  busy.enter(row, 'awaitingDaemonEnd');
  for (let step = 0; step < 20; step += 1) {
    busy.touch(row);
    busy.clock.advance(10_000);
  }
  t.same(busy.log, ['60000 lifetimeWarning 60000', '120000 lifetimeExpired']);
  const short = new Bench({ idleMs: 2_000 });
  short.enter(short.in('spliced'), 'awaitingEngineerEnd');
  short.clock.advance(MINUTE_MS);
  t.same(short.log, ['2100 stageExpired']);
});

t.test('after a long sleep a visit ends at once, by what was due first, without a warning', async (t) => {
  const sleep = (limits: Partial<DeadlineLimits>): readonly string[] => {
    let sleptMs = 0;
    const clock = Object.assign(new FakeClock(), { now: () => sleptMs });
    const table = new SessionTable<string>(1);
    const log: string[] = [];
    const deadlines = new Deadlines(
      clock,
      table,
      { ...DEADLINE_LIMITS, ...limits },
      {
        stageExpired: () => log.push('stageExpired'),
        idleExpired: () => log.push('idleExpired'),
        lifetimeExpired: () => log.push('lifetimeExpired'),
        idleWarning: () => log.push('idleWarning'),
        lifetimeWarning: () => log.push('lifetimeWarning'),
      },
    );
    const row = table.resolve(table.open('session', deadlines.tick)!);
    table.setState(row, 'spliced');
    deadlines.enterState(row, 'spliced');
    sleptMs = 30 * 24 * 60 * MINUTE_MS;
    clock.advance(TICK_MS);
    return log;
  };
  t.same(sleep({}), ['idleExpired']);
  t.same(sleep({ lifetimeMs: idleMs - 1_000 }), ['lifetimeExpired']);
});

t.test('a report may end its session and let the row go to another', async (t) => {
  const bench = new Bench();
  const first = bench.open();
  bench.enter(first.row, 'spliced');
  bench.onReport = () => {
    bench.onReport = () => {};
    bench.enter(first.row, 'ended');
    bench.table.release(first.handle);
    bench.in('awaitingConsent');
    bench.in('awaitingConsent');
  };
  bench.clock.advance(idleMs - MINUTE_MS + TICK_MS);
  t.match(bench.log, [/idleWarning/]);
  t.equal(bench.table.resolve(first.handle), -1);
  bench.clock.advance(MINUTE_MS);
  t.same(
    bench.log.slice(1),
    ['1800100 stageExpired', '1800100 stageExpired'],
    'only what the new ones wait for',
  );
});

t.test('an ended session has no deadline', async (t) => {
  const bench = new Bench();
  const row = bench.in('spliced');
  t.equal(bench.deadlines.armed, 1);
  bench.enter(row, 'ended');
  t.equal(bench.deadlines.armed, 0);
  bench.clock.advance(lifetimeMs);
  t.same(bench.log, []);
});

t.test('stop ends the ticking and leaves no timer behind', async (t) => {
  const bench = new Bench();
  t.equal(bench.clock.armed, 1);
  bench.in('awaitingSync');
  bench.deadlines.stop();
  bench.deadlines.stop();
  t.equal(bench.clock.armed, 0);
  bench.clock.advance(MINUTE_MS);
  t.same(bench.log, []);
});

t.test('the limits are the documented ones, and nobody can change them for others', async (t) => {
  t.ok(Object.isFrozen(DEADLINE_LIMITS));
  t.same(DEADLINE_LIMITS, {
    waitMs: 1_800_000,
    consentMs: 60_000,
    syncMs: 1_000,
    dialMs: 10_000,
    idleMs: 1_800_000,
    warnMs: 60_000,
    lifetimeMs: 28_800_000,
    halfCloseMs: 30_000,
  });
});
