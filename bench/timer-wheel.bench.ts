/**
 * The timer wheel at 1,000 to 100,000 deadlines; floor: `setTimeout` for each.
 *
 * Activity is the operation that counts: with the wheel it writes the tick that it is, with timers it is `refresh`. A
 * quiet tick is judged against looking at every deadline, since timers of Node have no tick of their own. Timers
 * that expire are waited for, a few milliseconds, which weighs on the smallest number of them.
 */
import { TimerWheel } from '../src/relay/timer-wheel.ts';
import type { BenchCase } from './measure.ts';

const LADDER = [1_000, 10_000, 100_000] as const;
const IDLE_MS = 1_800_000;
const IDLE_TICKS = 18_000;
/** Deadlines of the expiry cases fall due over this many ticks. */
const EXPIRY_TICKS = 600;
const QUIET_TICKS = 1_000;

export const cases: readonly BenchCase[] = LADDER.flatMap((rows) => [
  ...armAndCancel(rows),
  ...touch(rows),
  ...expire(rows),
  ...quietTick(rows),
]);

function armAndCancel(rows: number): readonly BenchCase[] {
  const floor = `setTimeout: arm and cancel, ${rows}`;
  return [
    {
      name: floor,
      floor: null,
      operations: rows,
      check: () => expectTimers(1_000),
      prepare: () => () => {
        const timers = armTimers(rows);
        for (const timer of timers) clearTimeout(timer);
      },
    },
    {
      name: `arm and cancel, ${rows}`,
      floor,
      operations: rows,
      check: () => expectExpiry(rows),
      prepare() {
        const wheel = new TimerWheel(rows);
        return () => {
          for (let row = 0; row < rows; row += 1) wheel.arm(row, IDLE_TICKS + (row & 63));
          for (let row = 0; row < rows; row += 1) wheel.cancel(row);
        };
      },
    },
  ];
}

function touch(rows: number): readonly BenchCase[] {
  const floor = `setTimeout: touch, ${rows}`;
  return [
    {
      name: floor,
      floor: null,
      operations: rows,
      check: () => expectTimers(1_000),
      prepare() {
        const timers = armTimers(rows);
        return () => {
          for (const timer of timers) timer.refresh();
        };
      },
    },
    {
      name: `touch, ${rows}`,
      floor,
      operations: rows,
      check: () => expectExpiry(rows),
      prepare() {
        const lastSeenTick = new Int32Array(new SharedArrayBuffer(rows * Int32Array.BYTES_PER_ELEMENT));
        let tick = 0;
        return () => {
          tick += 1;
          for (let row = 0; row < rows; row += 1) lastSeenTick[row] = tick;
        };
      },
    },
  ];
}

function expire(rows: number): readonly BenchCase[] {
  const floor = `setTimeout: arm and expire, ${rows}`;
  return [
    {
      name: floor,
      floor: null,
      operations: rows,
      check: () => expectTimers(1_000),
      prepare: () => () => expireTimers(rows),
    },
    {
      name: `arm and expire, ${rows}`,
      floor,
      operations: rows,
      check: () => expectExpiry(rows),
      prepare() {
        const wheel = new TimerWheel(rows);
        let now = 0;
        return () => {
          expireRows(wheel, now, () => {});
          now += EXPIRY_TICKS;
        };
      },
    },
  ];
}

function quietTick(rows: number): readonly BenchCase[] {
  const floor = `scan: a tick with nothing due, ${rows}`;
  return [
    {
      name: floor,
      floor: null,
      operations: QUIET_TICKS,
      check: () => expect(countDue(new Float64Array([1, 5, 9]), 5) === 2, 'the scan finds what is due'),
      prepare() {
        const dueTicks = new Float64Array(rows).fill(Number.MAX_SAFE_INTEGER);
        return () => {
          let due = 0;
          for (let tick = 0; tick < QUIET_TICKS; tick += 1) due += countDue(dueTicks, tick);
          expect(due === 0, 'nothing is due');
        };
      },
    },
    {
      name: `a tick with nothing due, ${rows}`,
      floor,
      operations: QUIET_TICKS,
      check: () => expectExpiry(rows),
      prepare() {
        const wheel = new TimerWheel(rows);
        // Far away: a run passes some 10 million ticks.
        for (let row = 0; row < rows; row += 1) wheel.arm(row, 2 ** 30 + row);
        const onDue = (): void => expect(false, 'nothing is due');
        let now = 0;
        return () => {
          for (let tick = 0; tick < QUIET_TICKS; tick += 1) wheel.advance((now += 1), onDue);
        };
      },
    },
  ];
}

function armTimers(rows: number): readonly NodeJS.Timeout[] {
  return Array.from({ length: rows }, () => setTimeout(() => {}, IDLE_MS));
}

/** Timers of a few delays, as short as they go; resolves when all have fired. */
function expireTimers(rows: number): Promise<void> {
  return new Promise((resolve) => {
    let left = rows;
    const fired = (): void => {
      left -= 1;
      if (left === 0) resolve();
    };
    for (let row = 0; row < rows; row += 1) setTimeout(fired, 1 + (row & 3));
  });
}

/** What the floors stand on: every timer fires, and none that was cleared. */
async function expectTimers(rows: number): Promise<void> {
  const cleared = setTimeout(() => expect(false, 'a cleared timer stays quiet'), 1);
  clearTimeout(cleared);
  await expireTimers(rows);
}

function expireRows(wheel: TimerWheel, now: number, onDue: (row: number) => void): void {
  for (let row = 0; row < wheel.capacity; row += 1) wheel.arm(row, now + 1 + (row % EXPIRY_TICKS));
  for (let tick = 1; tick <= EXPIRY_TICKS; tick += 1) wheel.advance(now + tick, onDue);
}

/** Every row of a wheel of this size falls due once, and leaves the wheel in order. */
function expectExpiry(rows: number): void {
  const wheel = new TimerWheel(rows);
  const times = new Uint8Array(rows);
  expireRows(wheel, 0, (row) => (times[row] += 1));
  wheel.checkInvariants();
  expect(wheel.size === 0 && times.every((count) => count === 1), 'each row was due once');
}

function countDue(dueTicks: Float64Array, tick: number): number {
  let due = 0;
  for (let row = 0; row < dueTicks.length; row += 1) if (dueTicks[row] <= tick) due += 1;
  return due;
}

function expect(condition: boolean, label: string): void {
  if (!condition) throw new Error(`check failed: ${label}`);
}
