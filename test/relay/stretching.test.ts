import { randomBytes } from 'node:crypto';
import t from 'tap';
import { STRETCH_CONCURRENT_MAX, STRETCH_QUEUED_MAX } from '../../src/relay/limits.ts';
import { Stretcher, StretchingBusy } from '../../src/relay/stretching.ts';

const CHEAP = { N: 16, r: 1, p: 1 };

t.test('equal inputs give equal keys of the length asked for', async (t) => {
  const stretcher = new Stretcher();
  const salt = randomBytes(16);
  const [a, b, c] = await Promise.all([
    stretcher.stretch('x', salt, 32, CHEAP),
    stretcher.stretch('x', salt, 32, CHEAP),
    stretcher.stretch('y', salt, 32, CHEAP),
  ]);
  t.equal(a.length, 32);
  t.ok(a.equals(b));
  t.notOk(a.equals(c));
});

t.test('beyond the queue the caller is told at once; the others are all served', async (t) => {
  const stretcher = new Stretcher();
  const places = STRETCH_CONCURRENT_MAX + STRETCH_QUEUED_MAX;
  const all = Array.from({ length: places + 3 }, () => stretcher.stretch('x', randomBytes(8), 16, CHEAP));
  const results = await Promise.allSettled(all);
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, places);
  for (const result of results)
    if (result.status === 'rejected') t.ok(result.reason instanceof StretchingBusy);
  t.equal((await stretcher.stretch('x', randomBytes(8), 16, CHEAP)).length, 16, 'and there is room again');
});

t.test('a place is given back when a hash fails', async (t) => {
  const stretcher = new Stretcher();
  for (let round = 0; round < STRETCH_CONCURRENT_MAX + 1; round += 1) {
    await t.rejects(stretcher.stretch('x', randomBytes(8), 16, { N: 3, r: 1, p: 1 }));
  }
  t.equal((await stretcher.stretch('x', randomBytes(8), 16, CHEAP)).length, 16);
});
