import { randomBytes } from 'node:crypto';
import t from 'tap';
import { STRETCH_CONCURRENT_MAX, STRETCH_QUEUED_MAX } from '../../src/relay/limits.ts';
import { MANAGEMENT, Stretcher, StretchingBusy } from '../../src/relay/stretching.ts';

const CHEAP = { N: 16, r: 1, p: 1 };
const FROM = '192.0.2.1';

t.test('equal inputs give equal keys of the length asked for', async (t) => {
  const stretcher = new Stretcher();
  const salt = randomBytes(16);
  const [a, b, c] = await Promise.all([
    stretcher.stretch('x', salt, 32, CHEAP, FROM),
    stretcher.stretch('x', salt, 32, CHEAP, FROM),
    stretcher.stretch('y', salt, 32, CHEAP, FROM),
  ]);
  t.equal(a.length, 32);
  t.ok(a.equals(b));
  t.notOk(a.equals(c));
});

t.test('one greedy source gets half of the queue, and is told at once; what it got is served', async (t) => {
  const stretcher = new Stretcher();
  const places = STRETCH_CONCURRENT_MAX + STRETCH_QUEUED_MAX / 2;
  const all = Array.from({ length: places + 3 }, () =>
    stretcher.stretch('x', randomBytes(8), 16, CHEAP, FROM),
  );
  const results = await Promise.allSettled(all);
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, places);
  for (const result of results)
    if (result.status === 'rejected') t.ok(result.reason instanceof StretchingBusy);
  t.equal(
    (await stretcher.stretch('x', randomBytes(8), 16, CHEAP, FROM)).length,
    16,
    'and there is room again',
  );
});

t.test('greedy sources leave room for the next one, which is served among the first', async (t) => {
  const stretcher = new Stretcher();
  const done: string[] = [];
  const ask = (source: string): Promise<unknown> =>
    stretcher.stretch('x', randomBytes(8), 16, CHEAP, source).then(
      () => done.push(source),
      () => {},
    );
  const greedy = Array.from({ length: 4 }, (_, index) => `203.0.113.${index}`);
  const asked = greedy.flatMap((source) => Array.from({ length: STRETCH_QUEUED_MAX }, () => ask(source)));
  asked.push(ask(MANAGEMENT), ask('198.51.100.1'));
  await Promise.all(asked);
  for (const source of [MANAGEMENT, '198.51.100.1']) {
    t.ok(done.includes(source), `${source} is served`);
    // Those that were running, and one of each source that is waiting.
    t.ok(
      done.indexOf(source) <= STRETCH_CONCURRENT_MAX + greedy.length + 2,
      `at place ${done.indexOf(source)}`,
    );
  }
});

t.test('a place is given back when a hash fails', async (t) => {
  const stretcher = new Stretcher();
  for (let round = 0; round < STRETCH_CONCURRENT_MAX + 1; round += 1) {
    await t.rejects(stretcher.stretch('x', randomBytes(8), 16, { N: 3, r: 1, p: 1 }, FROM));
  }
  t.equal((await stretcher.stretch('x', randomBytes(8), 16, CHEAP, FROM)).length, 16);
});

t.test('two at once: file writes need the other threads of the pool', (t) => {
  t.equal(STRETCH_CONCURRENT_MAX, 2);
  t.end();
});
