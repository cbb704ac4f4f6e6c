import t from 'tap';
import { jsonLine, Log } from '../../src/base/log.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

t.test('one event is one line of printable ASCII, whatever comes in', async (t) => {
  for (let code = 0; code < 0x3000; code += 1) {
    const line = jsonLine({ event: 'x', value: `a${String.fromCharCode(code)}b` });
    if (!/^[\x20-\x7e]*\n$/.test(line)) t.fail(`code ${code}: ${line}`);
    if ((JSON.parse(line) as { value: string }).value !== `a${String.fromCharCode(code)}b`)
      t.fail(`code ${code}`);
  }
  t.match(jsonLine({ v: '\u{1F600}\u2028\u202e' }), /^[\x20-\x7e]*\n$/);
});

t.test('long values are cut', async (t) => {
  t.ok(jsonLine({ v: 'x'.repeat(10_000) }).length < 600);
});

t.test('levels below the chosen one are not written', async (t) => {
  const lines: string[] = [];
  const log = new Log(new FakeClock(), (line) => lines.push(line), 'warn');
  log.debug('a');
  log.info('b');
  log.warn('c', { n: 1 });
  log.error('d');
  t.same(
    lines.map((line) => JSON.parse(line) as unknown),
    [
      { time: '2023-11-14T22:13:20.000Z', level: 'warn', event: 'c', n: 1 },
      { time: '2023-11-14T22:13:20.000Z', level: 'error', event: 'd' },
    ],
  );
});
