/** When a lost relay is dialled again: never sooner than the least delay, spread over windows that grow. */
import t from 'tap';
import { Backoff, GOOD_AFTER_MS, LEAST_DELAY_MS, WINDOWS_MS } from '../../src/connector/backoff.ts';
import { seededRandom } from '../wire/seeded.ts';

t.test('the windows double up to a minute, and each is used whole', async (t) => {
  for (const [random, expected] of [
    [0, WINDOWS_MS.map(() => LEAST_DELAY_MS)],
    [0.999_999, WINDOWS_MS],
  ] as const) {
    const backoff = new Backoff(() => random);
    const delays = WINDOWS_MS.map(() => backoff.nextDelayMs());
    delays.forEach((delay, place) => t.ok(Math.abs(delay - expected[place]) <= 1, `${place}: ${delay}`));
    t.ok(Math.abs(backoff.nextDelayMs() - expected.at(-1)!) <= 1, 'the last window stays');
  }
});

t.test('a connection that stood for a minute starts the windows anew, a shorter one does not', async (t) => {
  const backoff = new Backoff(() => 0.999_999);
  backoff.nextDelayMs();
  backoff.stood(GOOD_AFTER_MS - 1);
  t.ok(backoff.nextDelayMs() > WINDOWS_MS[0]);
  backoff.stood(GOOD_AFTER_MS);
  t.ok(backoff.nextDelayMs() <= WINDOWS_MS[0]);
});

t.test(
  'two hundred that lose the relay at once are spread: all within 10 s, never 50 in a second',
  async (t) => {
    const random = seededRandom(t);
    for (let round = 0; round < 20; round += 1) {
      const delays = Array.from({ length: 200 }, () =>
        new Backoff(() => random.integer(65_536) / 65_536).nextDelayMs(),
      ).toSorted((a, b) => a - b);
      t.ok(delays[0] >= LEAST_DELAY_MS);
      t.ok(delays.at(-1)! <= 10_000);
      const most = Math.max(
        ...delays.map((from) => delays.filter((at) => at >= from && at < from + 1_000).length),
      );
      t.ok(most <= 50, `${most} in one second`);
    }
  },
);
