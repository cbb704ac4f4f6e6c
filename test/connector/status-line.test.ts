/** A visit in one line. */
import t from 'tap';
import { bytesText, headingOf, idleText, statusLine } from '../../src/connector/status-line.ts';

const facts = {
  who: 'alice',
  from: '10.1.2.3',
  sinceWallMs: new Date(2026, 10, 27, 9, 5).getTime(),
  fromEngineerBytes: 1_234,
  fromDaemonBytes: 34_000,
  lastMovedMs: 1_000,
};

t.test('it says who, from where, since when, how much each way, and how long quiet', async (t) => {
  t.equal(statusLine(facts, 8_000), 'alice from 10.1.2.3 since 09:05, 1.2 kB typed, 34 kB shown, idle 5 s');
});

t.test('long names leave room for the rest', async (t) => {
  const heading = headingOf({ ...facts, who: '\u{1f600}'.repeat(64), from: 'x'.repeat(64) });
  t.equal([...heading].length, 40 + 3 + ' from '.length + 40 + 3 + ' since 09:05'.length);
});

t.test('amounts have three digits at most', async (t) => {
  for (const [bytes, expected] of [
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [9_949, '9.9 kB'],
    [9_950, '10 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [2 ** 53, '9.0 PB'],
    [1e20, '100000 PB'],
  ] as const) {
    t.equal(bytesText(bytes), expected, `${bytes}`);
  }
});

t.test('the idle time moves in steps, so the line does not change every second', async (t) => {
  const seconds = [0, 4, 5, 59, 60, 3_599, 3_600, 90_000];
  t.same(
    seconds.map((s) => idleText(s * 1_000 + 999)),
    ['0 s', '0 s', '5 s', '55 s', '1 min', '59 min', '1 h', '25 h'],
  );
});
