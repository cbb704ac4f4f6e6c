import { PassThrough } from 'node:stream';
import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { Console } from '../../src/connector/console.ts';
import type { Charset } from '../../src/connector/screen-filter.ts';

function make(isTTY = true, charset: Charset = 'utf-8') {
  const input = new PassThrough();
  const output = new PassThrough();
  const modes: boolean[] = [];
  let screen = '';
  output.on('data', (chunk: Buffer) => (screen += chunk.toString()));
  Object.assign(input, { isTTY, setRawMode: (mode: boolean) => modes.push(mode) });
  const console = new Console({ input: input as never, output, charset, clock: systemClock });
  console.open();
  console.visitBegan({ id: VISIT, who: 'alice', from: '192.0.2.1' });
  return { input, output, console, modes, screen: () => screen };
}

const VISIT = 'a visit';

const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))));

t.test('one key answers, and the answer is shown', async (t) => {
  for (const [key, answer] of [
    ['y', 'yes'],
    ['Y', 'yes'],
    ['n', 'no'],
    ['N', 'no'],
  ] as const) {
    const { input, console, screen } = make();
    const asked = console.ask('Let alice in? (y/n)');
    await turn();
    for (const other of ['x', '\r', ' ', '\x1b']) input.write(other);
    input.write(key);
    t.equal(await asked, answer);
    t.equal(screen(), `Let alice in? (y/n) ${answer}\n`);
  }
});

t.test('only a key pressed alone answers; anything else leaves the question as it was', async (t) => {
  const { input, console } = make();
  const asked = console.ask('?');
  await turn();
  for (const keys of ['ny', 'maybe not: y', '\x1bOy', '\x1by', 'y\r', 'yy']) {
    input.write(keys);
    await turn();
  }
  input.write('n');
  t.equal(await asked, 'no');
});

t.test('what was typed before the question does not answer it', async (t) => {
  const { input, console } = make();
  input.write('yyyy');
  const asked = console.ask('?');
  input.write('y');
  await turn();
  input.write('n');
  t.equal(await asked, 'no');
});

t.test('a key after the withdrawal answers nothing, also not the next question', async (t) => {
  const { input, console } = make();
  const first = console.ask('first?');
  await turn();
  console.withdraw();
  t.equal(await first, 'withdrawn');
  input.write('y');
  await turn();
  const second = console.ask('second?');
  await turn();
  input.write('n');
  t.equal(await second, 'no');
});

t.test('a question withdrawn before it is shown is never asked', async (t) => {
  const { input, console, screen } = make();
  const asked = console.ask('?');
  console.withdraw();
  await turn();
  input.write('y');
  t.equal(await asked, 'withdrawn');
  t.equal(screen(), '');
});

t.test('Ctrl+C and Ctrl+\\ are reported at any time', async (t) => {
  const { input, console } = make();
  let interrupts = 0;
  console.onInterrupt = () => (interrupts += 1);
  input.write('\u0003');
  void console.ask('?');
  await turn();
  input.write('ab\u0003');
  await turn();
  input.write('\u001c');
  await turn();
  t.equal(interrupts, 3);
});

t.test('a terminal that is gone is an interrupt', async (t) => {
  for (const leave of [(input: PassThrough) => input.end(), (input: PassThrough) => input.emit('error')]) {
    const { input, console } = make();
    const interrupted = new Promise<void>((resolve) => (console.onInterrupt = resolve));
    leave(input);
    await interrupted;
  }
  t.pass();
});

t.test('what the daemon left switched on is taken back once, before what is said next', async (t) => {
  const { console, screen } = make();
  console.show(VISIT, Buffer.from('\x1b[31mred'));
  console.visitEnded(VISIT);
  console.say('over');
  console.visitEnded(VISIT);
  await turn();
  t.equal(screen(), '\x1b[31mred\x1b[0m\r\nover\n');
});

t.test('nothing said is a control in an 8-bit character set', async (t) => {
  const { console, screen } = make(true, '8-bit');
  console.say('by \u011b');
  t.equal(screen(), 'by \\xc4\\x9b\n');
});

t.test('status lines begin on their own line and show nothing that moves the cursor', async (t) => {
  const { console, screen } = make();
  console.show(VISIT, Buffer.from('login: '));
  console.say('event \u001b[2J\u202e here');
  console.show(VISIT, Buffer.from('done\n'));
  console.say('next');
  await turn();
  t.equal(screen(), 'login: \r\nevent [2J here\ndone\nnext\n');
});

t.test('without a terminal nobody can be asked and the keyboard is left alone', async (t) => {
  const { console, modes } = make(false);
  t.equal(console.hasKeyboard, false);
  await console.close();
  t.same(modes, []);
});

t.test('raw mode is taken back at the end', async (t) => {
  const { console, modes } = make();
  await console.close();
  t.same(modes, [true, false]);
});
