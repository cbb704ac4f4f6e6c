/** When a lost relay is dialled again: never sooner than the least delay, spread over windows that grow. */
import t from 'tap';
import { Backoff, GOOD_AFTER_MS, LEAST_DELAY_MS } from '../../src/connector/backoff.ts';
import { seededRandom } from '../wire/seeded.ts';

const ALMOST_ONE = 0.999_999_9;

function delays(random: number, count: number, spreadMs?: number): number[] {
  const backoff = new Backoff(() => random);
  if (spreadMs !== undefined) backoff.spread(spreadMs);
  return Array.from({ length: count }, () => backoff.nextDelayMs());
}

t.test('the windows double up to a minute, and each is used whole', async (t) => {
  t.same(
    delays(0, 6),
    Array.from({ length: 6 }, () => LEAST_DELAY_MS),
  );
  t.same(delays(ALMOST_ONE, 6), [10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
});

t.test('a relay with many connectors has them come back over a wider window, within bounds', async (t) => {
  t.same(delays(ALMOST_ONE, 4, 25_000), [25_000, 50_000, 60_000, 60_000]);
  t.same(delays(ALMOST_ONE, 3, 500_000), [500_000, 500_000, 500_000]);
  t.same(delays(ALMOST_ONE, 2, 65_535_000), [600_000, 600_000], 'whatever it says');
  t.same(delays(ALMOST_ONE, 2, 0), [10_000, 20_000]);
});

t.test('many tries do not overflow', async (t) => {
  t.equal(delays(ALMOST_ONE, 2_000).at(-1), 60_000);
});

t.test('a connection that stood for a minute starts the windows anew, a shorter one does not', async (t) => {
  const backoff = new Backoff(() => ALMOST_ONE);
  backoff.nextDelayMs();
  backoff.stood(GOOD_AFTER_MS - 1);
  t.equal(backoff.nextDelayMs(), 20_000);
  backoff.stood(GOOD_AFTER_MS);
  t.equal(backoff.nextDelayMs(), 10_000);
});

t.test('those that lose the relay at once are spread: never 50 in a second', async (t) => {
  const random = seededRandom(t);
  for (const [count, spreadMs] of [
    [200, 10_000],
    [2_000, 100_000],
  ] as const) {
    for (let round = 0; round < 10; round += 1) {
      const at = Array.from({ length: count }, () => {
        const backoff = new Backoff(() => random.integer(65_536) / 65_536);
        backoff.spread(spreadMs);
        return backoff.nextDelayMs();
      }).toSorted((a, b) => a - b);
      t.ok(at[0] >= LEAST_DELAY_MS && at.at(-1)! <= spreadMs);
      // The most in any second ends where a window of 50 is shorter than that.
      const shortest = Math.min(...at.slice(50).map((later, place) => later - at[place]));
      t.ok(shortest > 1_000, `50 in ${shortest} ms`);
    }
  }
});
