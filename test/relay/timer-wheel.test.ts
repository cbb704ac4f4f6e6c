/** The timer wheel: never early, in order, once an advance, and safe against whatever a callback does. */
import t from 'tap';
import { TICK_MAX, TimerWheel } from '../../src/relay/timer-wheel.ts';

function advance(wheel: TimerWheel, toTick: number): number[] {
  const due: number[] = [];
  wheel.advance(toTick, (row) => due.push(row));
  wheel.checkInvariants();
  return due;
}

t.test('a row is due at its tick, not before, and only once', async (t) => {
  for (const dueTick of [1, 2, 62, 63, 64, 65, 127, 128, 4_095, 4_096, 4_097, 262_143, 262_144, 262_145]) {
    const wheel = new TimerWheel(1);
    wheel.arm(0, dueTick);
    t.same(advance(wheel, dueTick - 1), [], `before ${dueTick}`);
    t.ok(wheel.isArmed(0));
    t.same(advance(wheel, dueTick), [0], `at ${dueTick}`);
    t.notOk(wheel.isArmed(0));
    t.same(advance(wheel, dueTick + 300_000), []);
  }
});

t.test('every distance from every position in a level, tick by tick', async (t) => {
  const wheel = new TimerWheel(200);
  for (let start = 0; start < 200; start += 1) {
    for (let row = 0; row < 200; row += 1) wheel.arm(row, start + 1 + row);
    wheel.advance(start + 1, () => {});
    t.equal(wheel.size, 199);
  }
  const order: number[] = [];
  for (let tick = 201; wheel.size > 0; tick += 1) {
    wheel.advance(tick, (row) => order.push(row));
    if (order.length !== tick - 200) t.fail(`tick ${tick} reported ${order.length}`);
  }
  t.same(
    order,
    Array.from({ length: 199 }, (_, index) => index + 1),
  );
});

t.test('the example that is drawn: a row cascades where its digit comes round', async (t) => {
  const wheel = new TimerWheel(3);
  const digits = (a: number, b: number, c: number): number => (a * 64 + b) * 64 + c;
  advance(wheel, digits(0, 2, 61));
  wheel.arm(0, digits(1, 0, 7));
  wheel.arm(1, digits(0, 3, 5));
  wheel.arm(2, digits(0, 2, 63));
  t.same(advance(wheel, digits(0, 2, 63)), [2]);
  t.same(advance(wheel, digits(0, 3, 4)), []);
  t.same(advance(wheel, digits(0, 3, 5)), [1]);
  t.same(advance(wheel, digits(1, 0, 6)), []);
  t.same(advance(wheel, digits(1, 0, 7)), [0]);
});

t.test('a row that is due exactly where its slot cascades is due there', async (t) => {
  const wheel = new TimerWheel(2);
  wheel.arm(0, 64 * 64);
  wheel.arm(1, 64 * 64 * 64);
  t.same(advance(wheel, 64 * 64), [0]);
  t.same(advance(wheel, 64 * 64 * 64), [1]);
});

t.test('a long pause reports everything in order of ticks, and costs the rows, not the ticks', async (t) => {
  const wheel = new TimerWheel(1_000);
  const dueTicks = Array.from({ length: 1_000 }, (_, row) => 1 + ((row * 7_919) % 1_000_000));
  dueTicks.forEach((dueTick, row) => wheel.arm(row, dueTick));
  const due = advance(wheel, 1_000_000);
  t.same(
    due.map((row) => dueTicks[row]),
    dueTicks.toSorted((a, b) => a - b),
  );
  wheel.arm(3, TICK_MAX);
  t.same(advance(wheel, TICK_MAX - 1), [], 'two thousand million ticks, in no time');
  t.same(advance(wheel, TICK_MAX), [3]);
});

t.test('arming again moves the deadline either way', async (t) => {
  const wheel = new TimerWheel(1);
  wheel.arm(0, 10_000);
  wheel.arm(0, 5);
  t.equal(wheel.size, 1);
  t.same(advance(wheel, 5), [0]);
  wheel.arm(0, 6);
  wheel.arm(0, 10_000);
  t.same(advance(wheel, 9_999), []);
  t.same(advance(wheel, 10_000), [0]);
});

t.test('a cancelled row is not due; cancelling one that is not armed does nothing', async (t) => {
  const wheel = new TimerWheel(2);
  wheel.cancel(0);
  wheel.arm(0, 5);
  wheel.arm(1, 5);
  wheel.cancel(0);
  wheel.cancel(0);
  t.equal(wheel.size, 1);
  t.same(advance(wheel, 100), [1]);
});

t.test('a deadline that is not in the future falls due with the next tick', async (t) => {
  const wheel = new TimerWheel(2);
  advance(wheel, 1_000);
  wheel.arm(0, 1_000);
  wheel.arm(1, 0);
  t.same(advance(wheel, 1_000), []);
  t.same(advance(wheel, 1_001), [0, 1]);
});

t.test('a callback may cancel rows that are due in the same tick and later', async (t) => {
  const wheel = new TimerWheel(4);
  for (let row = 0; row < 3; row += 1) wheel.arm(row, 70);
  wheel.arm(3, 71);
  const due: number[] = [];
  wheel.advance(100, (row) => {
    due.push(row);
    wheel.cancel(1);
    wheel.cancel(3);
    wheel.cancel(row);
  });
  t.same(due, [0, 2]);
  t.equal(wheel.size, 0);
  wheel.checkInvariants();
});

t.test('a callback may arm its own row and others, whose turn is after this advance', async (t) => {
  const wheel = new TimerWheel(3);
  wheel.arm(0, 10);
  wheel.arm(1, 10);
  const due: number[] = [];
  const rearm = (row: number): void => {
    due.push(row);
    t.notOk(wheel.isArmed(row));
    wheel.arm(row, 11);
    wheel.arm(2, 0);
    wheel.arm(1, 12);
  };
  wheel.advance(1_000_000, rearm);
  t.same(due, [0], 'rows 0 and 2 were armed in the past, row 1 was moved: all wait for the next tick');
  wheel.checkInvariants();
  t.same(advance(wheel, 1_000_001).toSorted(), [0, 1, 2]);
});

t.test('a callback that arms its row for every tick is called once an advance', async (t) => {
  const wheel = new TimerWheel(1);
  let calls = 0;
  const again = (row: number): void => {
    calls += 1;
    wheel.arm(row, 0);
  };
  wheel.arm(0, 1);
  for (let step = 1; step <= 50; step += 1) wheel.advance(step * 1_000_000, again);
  t.equal(calls, 50);
});

t.test('when a callback throws, what is still due comes with the next advance', async (t) => {
  const wheel = new TimerWheel(4);
  for (let row = 0; row < 3; row += 1) wheel.arm(row, 500);
  wheel.arm(3, 600);
  const failing = (): void => {
    throw new Error('a mistake of the callback');
  };
  t.throws(() => wheel.advance(1_000, failing), /a mistake of the callback/);
  wheel.checkInvariants();
  t.equal(wheel.size, 3);
  t.same(advance(wheel, 1_000), [1, 2, 3]);
});

t.test('a callback cannot advance the wheel', async (t) => {
  const wheel = new TimerWheel(1);
  wheel.arm(0, 1);
  t.throws(() => wheel.advance(1, () => wheel.advance(2, () => {})), /advancing already/);
  t.same(advance(wheel, 2), []);
});

t.test('time does not go back, and rows and ticks out of range are refused', async (t) => {
  const wheel = new TimerWheel(2);
  advance(wheel, 100);
  t.throws(() => wheel.advance(99, () => {}), RangeError);
  t.throws(() => wheel.advance(TICK_MAX + 1, () => {}), RangeError);
  for (const row of [-1, 2, 0.5, NaN]) {
    t.throws(() => wheel.arm(row, 200), RangeError);
    t.throws(() => wheel.cancel(row), RangeError);
  }
  for (const dueTick of [-1, 0.5, NaN, Infinity, TICK_MAX + 1])
    t.throws(() => wheel.arm(0, dueTick), RangeError);
  t.equal(wheel.size, 0);
  t.throws(() => new TimerWheel(0), RangeError);
  t.throws(() => new TimerWheel(1, 0), RangeError);
  wheel.checkInvariants();
});

t.test('milliseconds become ticks so that a deadline is never early and late by less than one', async (t) => {
  const wheel = new TimerWheel(1, 100);
  t.same(
    [0, 1, 99.9, 100, 101].map((elapsedMs) => wheel.tickAt(elapsedMs)),
    [0, 0, 0, 1, 1],
  );
  t.same(
    [0, 1, 99.9, 100, 100.1].map((elapsedMs) => wheel.dueTickAt(elapsedMs)),
    [0, 1, 1, 1, 2],
  );
});

t.test('one row at the last place of a full wheel is as good as any', async (t) => {
  for (const capacity of [1, 2, 63, 64, 65]) {
    const wheel = new TimerWheel(capacity);
    for (let row = 0; row < capacity; row += 1) wheel.arm(row, 1 + row * 1_000);
    t.throws(() => wheel.arm(capacity, 1), RangeError);
    t.equal(wheel.size, capacity);
    t.same(
      advance(wheel, 1_000_000),
      Array.from({ length: capacity }, (_, row) => row),
    );
  }
});
