import { spawnSync } from 'node:child_process';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { readNewSecret, readSecret, type Terminal } from '../../src/base/terminal.ts';
import { untouched } from '../helpers/processes.ts';

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

t.test('whoever leaves the prompt interrupts, and raw mode is taken back', async (t) => {
  const stop = new AbortController();
  const ways: Record<string, (input: PassThrough) => unknown> = {
    '^C': (input) => input.write('abc\u0003'),
    '^\\': (input) => input.write('abc\u001c'),
    '^D on an empty line': (input) => input.write('abc\u0015\u0004'),
    'the end of the input': (input) => input.end(),
    'an error of the input': (input) => input.emit('error', new Error('EIO')),
    'the caller': () => stop.abort(),
    'the caller, before': () => {},
  };
  for (const [way, leave] of Object.entries(ways)) {
    const term = terminal(true);
    const secret = readSecret({ ...term, stop: stop.signal }, 'Password: ');
    leave(term.input);
    await t.rejects(secret, /interrupted/, way);
    t.same(term.modes, way === 'the caller, before' ? [] : [true, false], way);
  }
});

t.test('^D within a line is nothing, and function keys are no part of the secret', async (t) => {
  const term = terminal(true);
  const secret = readSecret(term, 'Password: ');
  const keys = [
    'a\u0004',
    '\u001b[A',
    'b\u001bOP',
    '\u001b[1;5C',
    '\u001b',
    'c',
    '\u001b[200~d\u001b[201~',
    '\u001bx',
    '\u001b\r',
  ];
  for (const key of keys) {
    term.input.write(key);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(await secret, 'abcd');
});

t.test('the caller stops what waits for standard input, too', async (t) => {
  const stop = new AbortController();
  const secret = readSecret({ ...terminal(false), stop: stop.signal }, '');
  stop.abort();
  await t.rejects(secret, /interrupted/);
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

t.test('a descriptor that is closed already is no trouble at the end', async (t) => {
  const module = new URL('../../src/base/terminal.js', import.meta.url);
  const program = `
    import { closeSync } from 'node:fs';
    import { closeGoneTerminals } from '${module.href}';
    process.once('exit', closeGoneTerminals);
    closeSync(0);
    process.exitCode = 20;`;
  const command = untouched(process.execPath, ['--input-type=module', '-e', program]);
  const { status, stderr } = spawnSync(...command, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  t.same({ status, stderr }, { status: 20, stderr: '' });
});
