/**
 * The customer's terminal as a reader: one that reads slowly gets everything, one that stops reading misses the middle
 * and holds up nobody, and the last words reach whoever still reads.
 */
import { PassThrough, Writable } from 'node:stream';
import t from 'tap';
import { Console } from '../../src/connector/console.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

const NOTE = '[some output was not shown here; the log has all of it]';
const STALL_MS = 2_000;
const ROW = `${'x'.repeat(78)}\r\n`;

/** A terminal that takes a piece whenever `read` is called. */
const VISIT = 'a visit';

function make() {
  const clock = new FakeClock();
  let shown = '';
  let take: (() => void) | null = null;
  const output = new Writable({
    highWaterMark: 1_024,
    write(chunk: Buffer, _encoding, done) {
      take = () => {
        take = null;
        shown += chunk.toString('latin1');
        done();
      };
    },
  });
  const input = Object.assign(new PassThrough(), { isTTY: false });
  const console = new Console({ input: input as never, output, clock });
  console.visitBegan({ id: VISIT, who: 'alice', from: '192.0.2.1' });
  let rooms = 0;
  console.onRoom = () => (rooms += 1);
  /** Takes up to so many pieces; false when there are no more. */
  const read = async (pieces = Infinity): Promise<boolean> => {
    for (let taken = 0; taken < pieces; taken += 1) {
      if (take === null) return false;
      take();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return true;
  };
  return { clock, console, read, shown: () => shown, rooms: () => rooms };
}

t.test('a slow terminal is waited for, and gets everything in order', async (t) => {
  const { clock, console, read, shown, rooms } = make();
  let sent = '';
  let waits = 0;
  for (let row = 0; row < 5_000; row += 1) {
    const line = `${row} ${ROW}`;
    sent += line;
    if (console.show(VISIT, Buffer.from(line))) continue;
    const before = rooms();
    for (waits += 1; rooms() === before; await read(1)) clock.advance(STALL_MS - 1);
  }
  await read();
  t.equal(shown(), sent);
  t.ok(waits > 3, `it was waited for ${waits} times`);
});

t.test('one that takes nothing holds up nobody, and has the newest when it is read again', async (t) => {
  const { clock, console, read, shown, rooms } = make();
  let isWanted = true;
  for (let row = 0; isWanted; row += 1) isWanted = console.show(VISIT, Buffer.from(`first ${row} ${ROW}`));
  clock.advance(STALL_MS);
  t.equal(rooms(), 1, 'the daemon is read again');
  for (let row = 0; row < 50_000; row += 1) isWanted ||= !console.show(VISIT, Buffer.from(`${row} ${ROW}`));
  t.equal(isWanted, false, 'and never held up again');
  console.say('a word');
  await read();
  t.equal(shown().split(NOTE).length, 2, 'one note');
  t.match(shown(), /^first 0 x+\r\n/);
  t.ok(shown().endsWith(`49998 ${ROW}49999 ${ROW}a word\n`));
  t.ok(shown().length < 100_000);
  t.equal(clock.armed, 0);
});

t.test('the newest is kept also of large chunks', async (t) => {
  const { clock, console, read, shown } = make();
  while (console.show(VISIT, Buffer.from(ROW.repeat(800))));
  clock.advance(STALL_MS);
  for (let chunk = 0; chunk < 10; chunk += 1)
    console.show(VISIT, Buffer.from(`${`${chunk} ${ROW}`.repeat(1_000)}end of ${chunk}\r\n`));
  await read();
  t.ok(shown().endsWith(`9 ${ROW}9 ${ROW}end of 9\r\n`));
  t.match(shown(), NOTE);
});

t.test('after the gap the terminal is as the note finds it, and a cut sequence does no harm', async (t) => {
  const { clock, console, read, shown } = make();
  console.show(VISIT, Buffer.from('\x1b[?1049h\x1b[31m'));
  while (console.show(VISIT, Buffer.from(ROW)));
  clock.advance(STALL_MS);
  while (shown().length < 1) await read(1);
  console.show(VISIT, Buffer.from('2Jplain'));
  await read();
  t.match(shown(), `\x1b[0m`);
  t.match(shown(), `\x1b[?1049l`);
  t.ok(shown().indexOf('\x1b[?1049l') < shown().indexOf(NOTE));
  t.ok(shown().endsWith('2Jplain'));
});

/** A long end of output, and its last words. */
function end({ console }: ReturnType<typeof make>): Promise<void> {
  console.show(VISIT, Buffer.from('\x1b[31m'));
  for (let row = 0; row < 800; row += 1) console.show(VISIT, Buffer.from(`${row} ${ROW}`));
  console.visitEnded(VISIT);
  console.say('It is over.');
  return console.close();
}

t.test('at the end all is shown to whoever reads it in time', async (t) => {
  const terminal = make();
  const closed = end(terminal);
  await terminal.read();
  await closed;
  t.equal(terminal.shown().includes(NOTE), false);
  t.ok(
    terminal.shown().endsWith(`799 ${ROW}\x1b[0m\r\nIt is over.\n`),
    JSON.stringify(terminal.shown().slice(-99)),
  );
});

t.test('at the end of its time a slow terminal is restored and has the last words', async (t) => {
  const terminal = make();
  const closed = end(terminal);
  for (let second = 0; second < 5; second += 1) {
    await terminal.read(1);
    terminal.clock.advance(1_000);
  }
  await new Promise((resolve) => setImmediate(resolve));
  await terminal.read();
  await closed;
  t.ok(
    terminal.shown().endsWith(`\x1b[0m\r\n${NOTE}\nIt is over.\n`),
    JSON.stringify(terminal.shown().slice(-99)),
  );
  t.ok(terminal.shown().length < 10_000);
});

t.test('at the end a terminal that takes nothing is left after two seconds', async (t) => {
  const { clock, console } = make();
  console.say('never read');
  const closed = console.close();
  clock.advance(STALL_MS);
  await closed;
  t.pass();
});

t.test('words that nobody reads are bounded: the newest are kept', async (t) => {
  const { console, read, shown } = make();
  for (let word = 0; word < 5_000; word += 1) console.say(`word ${word}`);
  await read();
  const lines = shown().trimEnd().split('\n');
  t.equal(lines.length, 1_001);
  t.equal(lines.at(-1), 'word 4999');
});
