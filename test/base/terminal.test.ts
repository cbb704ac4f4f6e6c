import { PassThrough } from 'node:stream';
import t from 'tap';
import { readNewSecret, readSecret, type Terminal } from '../../src/base/terminal.ts';

function terminal(
  isTTY: boolean,
): Terminal & { input: PassThrough; modes: boolean[]; prompted: () => string } {
  const input = new PassThrough();
  const prompts = new PassThrough();
  const modes: boolean[] = [];
  let prompted = '';
  prompts.on('data', (chunk: Buffer) => (prompted += chunk.toString()));
  Object.assign(input, { isTTY, setRawMode: (mode: boolean) => modes.push(mode) });
  return { input: input as never, prompts, modes, prompted: () => prompted };
}

t.test('typed at a terminal: not echoed, edited, raw mode taken back', async (t) => {
  const term = terminal(true);
  const secret = readSecret(term, 'Password: ');
  for (const keys of ['wrong\u0015', 'sec', 'x\u007f', 'r\u00e9t', '\r']) term.input.write(keys);
  t.equal(await secret, 'secr\u00e9t');
  t.same(term.modes, [true, false]);
  t.equal(term.prompted(), 'Password: \n');
});

t.test('^C at the prompt is an error, and raw mode is taken back', async (t) => {
  const term = terminal(true);
  const secret = readSecret(term, 'Password: ');
  term.input.write('abc\u0003');
  await t.rejects(secret, /interrupted/);
  t.same(term.modes, [true, false]);
});

t.test('without a terminal the first line counts, without its end', async (t) => {
  const term = terminal(false);
  term.input.end('secret\r\nmore\n');
  t.equal(await readSecret(term, 'Password: '), 'secret');
  t.equal(term.prompted(), '');
});

t.test('an empty or endless standard input is refused', async (t) => {
  const empty = terminal(false);
  empty.input.end('');
  await t.rejects(readSecret(empty, ''), /holds no password/);
  const endless = terminal(false);
  endless.input.write('x'.repeat(10_000));
  await t.rejects(readSecret(endless, ''), /too long/);
});

t.test('a new secret is typed twice', async (t) => {
  const term = terminal(true);
  const secret = readNewSecret(term, 'New: ');
  term.input.write('one\r');
  await new Promise((resolve) => setImmediate(resolve));
  term.input.write('two\r');
  await t.rejects(secret, /not the same/);
});
