/**
 * Several visits on one terminal: which one is seen, what of it when it comes back, keys, questions that stay to be
 * read, and the status line. What the terminal makes of it is judged by a terminal (xterm without a screen).
 */
import { PassThrough, Writable } from 'node:stream';
import xterm from '@xterm/headless';
import t from 'tap';
import { Console } from '../../src/connector/console.ts';
import { CUT } from '../../src/connector/screen.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { seededRandom } from '../wire/seeded.ts';

const COLUMNS = 80;
const ROWS = 24;
const ENTER = '\u001b[?1049h\u001b[H\u001b[2J';
const LEAVE = '\u001b[?1049l';

function make(hasTitle = false) {
  const terminal = new xterm.Terminal({
    cols: COLUMNS,
    rows: ROWS,
    allowProposedApi: true,
    scrollback: 5_000,
  });
  const titles: string[] = [];
  terminal.onTitleChange((title) => titles.push(title));
  const clock = new FakeClock();
  const input = new PassThrough();
  Object.assign(input, { isTTY: true, setRawMode: () => input });
  // What a terminal in raw mode is given: tty adds the carriage return.
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) =>
      terminal.write(chunk.toString().replaceAll(/\r?\n/g, '\r\n'), done),
  });
  const console = new Console({ input: input as never, output, clock, hasTitle });
  const ended: string[] = [];
  const counts = { rooms: 0, withdrawn: 0, interrupts: 0 };
  console.onEndShown = (id) => ended.push(id);
  console.onRoom = () => (counts.rooms += 1);
  console.onWithdraw = () => (counts.withdrawn += 1);
  console.onInterrupt = () => (counts.interrupts += 1);
  console.open();
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await new Promise<void>((resolve) => terminal.write('', resolve));
  };
  const press = async (keys: string): Promise<void> => {
    input.write(keys);
    await settled();
  };
  const lines = (): string[] => {
    const { active } = terminal.buffer;
    return Array.from({ length: active.length }, (_, y) => active.getLine(y)!.translateToString(true));
  };
  const screen = async (): Promise<string> => {
    await settled();
    return lines().join('\n').trimEnd();
  };
  const began = (id: string): void => console.visitBegan({ id, who: id, from: '192.0.2.1' });
  const show = (id: string, text: string): boolean => console.show(id, Buffer.from(text));
  return { terminal, titles, clock, console, ended, counts, press, screen, began, show, settled };
}

t.test('the first visit is seen, others are kept until Tab brings them', async (t) => {
  const { began, show, press, screen } = make();
  began('alice');
  began('bob');
  show('alice', 'a1\r\n');
  show('bob', 'b1\r\n');
  t.equal(await screen(), 'a1');
  await press('\t');
  t.match(await screen(), /a1\n--- bob from 192\.0\.2\.1 since \d\d:\d\d ---\nb1$/);
  show('alice', 'a2\r\n');
  show('bob', 'b2');
  t.match(await screen(), /b1\nb2$/);
  await press('\t');
  t.match(await screen(), /--- alice from 192\.0\.2\.1 since \d\d:\d\d ---\na1\na2$/);
});

t.test('a full-screen program comes back as it stood, and nothing of it is left on the other', async (t) => {
  const { terminal, began, show, press, screen } = make();
  began('alice');
  began('bob');
  show('alice', `$ vi\r\n${ENTER}\u001b[31mred\u001b[10;5Hmiddle`);
  show('bob', 'plain\r\n');
  await screen();
  t.equal(terminal.buffer.active.type, 'alternate');
  await press('\t');
  t.match(await screen(), /plain$/);
  t.equal(terminal.buffer.active.type, 'normal');
  const cell = terminal.buffer.active.getLine(
    terminal.buffer.active.baseY + terminal.buffer.active.cursorY - 1,
  );
  t.equal(cell?.getCell(0)?.isFgDefault(), true, 'no colour is left');
  await press('\t');
  t.match(await screen(), /^red\n{9} {4}middle$/);
  show('alice', `${LEAVE}$ `);
  t.equal(terminal.buffer.active.type, 'alternate');
  await screen();
  t.equal(terminal.buffer.active.type, 'normal');
});

t.test('output that is not seen holds nobody up, and the terminal is told what is missing', async (t) => {
  const { began, show, press, screen } = make();
  began('alice');
  began('bob');
  for (let row = 0; row < 5_000; row += 1) t.equal(show('bob', `row ${row} ${'x'.repeat(60)}\r\n`), true);
  await press('\t');
  const text = await screen();
  t.ok(text.includes(CUT));
  t.match(text, /row 4999 x+$/);
});

t.test('whoever is switched away from is read on', async (t) => {
  const { counts, began, show, press } = make();
  began('alice');
  began('bob');
  while (show('alice', 'x'.repeat(8_000)));
  const before = counts.rooms;
  await press('\t');
  t.ok(counts.rooms > before);
  t.equal(show('alice', 'more'), true);
});

t.test('when the shown visit ends its last words are seen, then the next visit', async (t) => {
  const { console, began, show, screen, press } = make();
  began('alice');
  began('bob');
  show('bob', 'bob is here\r\n');
  show('alice', '\u001b[31mlogout');
  console.visitEnded('alice');
  t.match(await screen(), /^logout\n--- bob .* ---\nbob is here$/);
  console.visitEnded('bob');
  await press('\t');
  t.match(await screen(), /There is no other visit\.$/);
});

t.test(
  'keys: the shown visit is ended, consent is taken back only while it is given, all are told',
  async (t) => {
    const { console, ended, counts, began, press, screen } = make();
    await press('\u0004');
    began('alice');
    began('bob');
    await press('\t');
    await press('\u0004');
    t.same(ended, ['bob']);
    await press('w');
    t.equal(counts.withdrawn, 0);
    console.setNotice('until noon');
    await press('w');
    t.equal(counts.withdrawn, 1);
    console.moved('alice', 10, 2_000);
    await press('s');
    const status = await screen();
    t.match(status, /alice from 192\.0\.2\.1 since \d\d:\d\d, 10 B typed, 2\.0 kB shown, idle 0 s\n/);
    t.match(status, /\* bob from 192\.0\.2\.1/);
    t.match(status, /Consent given ahead: until noon\.$/);
    await press('?');
    t.match(await screen(), /Tab +show the next visit\nCtrl\+D /);
    for (const pasted of ['\t\t', 'sw', '\u0004\n']) await press(pasted);
    t.same(ended, ['bob'], 'several bytes at once are no key');
    await press('\u0003');
    t.equal(counts.interrupts, 1);
  },
);

t.test('a question stays to be read while visits go on, and only its own keys count', async (t) => {
  const { console, counts, ended, began, show, press, screen } = make();
  began('alice');
  show('alice', 'before\r\n');
  const asked = console.ask('Let bob in? (y/n)');
  await screen();
  for (let row = 0; row < 100; row += 1) t.equal(show('alice', `row ${row}\r\n`), true);
  for (const key of ['\t', '\u0004', 's', '?', 'w']) await press(key);
  for (let line = 0; line < 110; line += 1) console.say(`line ${line}`);
  t.equal(await screen(), 'before\nLet bob in? (y/n)');
  t.same(ended, []);
  await press('y');
  t.equal(await asked, 'yes');
  t.match(
    await screen(),
    /^before\nLet bob in\? \(y\/n\) yes\nline 10\n[^]*\nline 109\nrow 0\nrow 1\n[^]*row 99$/,
    'nothing is missing',
  );
  t.equal(counts.interrupts, 0);
});

t.test('a question is seen also over a full-screen program, which is back after it', async (t) => {
  const { terminal, console, began, show, press, screen } = make();
  began('alice');
  show('alice', `${ENTER}editor`);
  await screen();
  void console.ask('Let bob in? (y/n)');
  t.match(await screen(), /Let bob in\? \(y\/n\)$/);
  t.equal(terminal.buffer.active.type, 'normal');
  show('alice', '\u001b[3;3Hmore');
  await press('n');
  t.match(await screen(), /^editor\n\n {2}more$/);
  t.equal(terminal.buffer.active.type, 'alternate');
});

t.test('a full-screen program that is left behind a question leaves the lines in order', async (t) => {
  const { terminal, console, began, show, press, screen } = make();
  began('alice');
  show('alice', `$ vi\r\n${ENTER}editor`);
  await screen();
  void console.ask('Let bob in? (y/n)');
  await screen();
  show('alice', `${LEAVE}$ exit\r\n`);
  await press('n');
  t.match(await screen(), /^\$ vi\n+Let bob in\? \(y\/n\) no\n--- alice .* ---\n\$ vi\n\$ exit$/);
  t.equal(terminal.buffer.active.type, 'normal');
});

t.test('a question that outlives the visit it stood over leaves the next one in order', async (t) => {
  const { console, began, show, screen } = make();
  began('alice');
  began('carol');
  show('alice', 'a\r\n');
  show('carol', 'c\r\n');
  void console.ask('?');
  await screen();
  console.visitEnded('alice');
  show('carol', 'c2\r\n');
  console.withdraw();
  t.match(await screen(), /--- carol .* ---\nc\nc2$/);
});

t.test('the status line is the title: it follows the shown visit, and is given back', async (t) => {
  const { titles, clock, console, began, press, screen } = make(true);
  began('al\u001bice\u0007');
  console.moved('al\u001bice\u0007', 5, 1_500);
  clock.advance(1_000);
  await screen();
  t.match(
    titles.at(-1),
    /^tndconnect: alice from 192\.0\.2\.1 since \d\d:\d\d, 5 B typed, 1\.5 kB shown, idle 0 s$/,
  );
  clock.advance(7_000);
  await screen();
  t.match(titles.at(-1), /idle 5 s$/);
  began('bob');
  console.setNotice('let in until 18:00');
  await press('\t');
  t.match(titles.at(-1), /^tndconnect: bob .*; 1 of 2 visits; let in until 18:00$/);
  console.visitEnded('bob');
  console.visitEnded('al\u001bice\u0007');
  console.setNotice(null);
  await screen();
  t.equal(titles.at(-1), '', 'and then popped');
  t.equal(clock.armed, 0, 'nothing ticks when there is nothing to be seen');
});

t.test(
  'the status line does not come between a character and what belongs to it, and comes later',
  async (t) => {
    for (const [before, behind, whole] of [
      ['ab', '\u001b[5bx', 'abbbbbbx'],
      ['e', '\u0301x', 'e\u0301x'],
      ['\u{1f468}', '\u200d\u{1f469}x', '\u{1f468}\u200d\u{1f469}x'],
    ] as const) {
      const { titles, clock, console, began, show, screen } = make(true);
      began('alice');
      await screen();
      clock.advance(500);
      show('alice', before);
      await screen();
      const shown = titles.length;
      console.moved('alice', 1, 1);
      clock.advance(500);
      await screen();
      t.equal(titles.length, shown, 'not now');
      show('alice', behind);
      t.equal(await screen(), whole);
      clock.advance(3_000);
      await screen();
      t.match(titles.at(-1), /1 B typed/);
    }
  },
);

t.test('the status line never touches what the daemon draws, whatever that is', async (t) => {
  const random = seededRandom(t);
  const pick = <T>(from: readonly T[]): T => from[random.integer(from.length)];
  const number = (): number => 1 + random.integer(30);
  const makers: readonly (() => string)[] = [
    () => 'abc \u00e9\u4e2d\u{1f600}'.repeat(random.integer(12)),
    () => '\r\n',
    () => pick(['\b', '\t', '\r', '\n']),
    () => `\u001b[${number()};${number()}H`,
    () =>
      `\u001b[${number()}${pick(['A', 'B', 'C', 'D', 'E', 'F', 'G', 'd', 'L', 'M', '@', 'P', 'X', 'S', 'T'])}`,
    () => `\u001b[${pick(['0', '1', '2'])}${pick(['J', 'K'])}`,
    () => `\u001b[${number()};${number()}r`,
    () => '\u001b[r',
    () => pick(['\u001b7', '\u001b8', '\u001b[s', '\u001b[u', '\u001bD', '\u001bE', '\u001bM']),
    () => `\u001b[?${pick(['6', '7', '25', '1049', '1047', '47', '1048'])}${pick(['h', 'l'])}`,
    () => `\u001b[${pick(['0', '1', '7', '31', '42', '38;5;200'])}m`,
    () => `\u001b[4${pick(['h', 'l'])}`,
  ];
  for (let round = 0; round < 60; round += 1) {
    const [plain, titled] = [make(false), make(true)];
    for (const { began } of [plain, titled]) began('alice');
    for (let step = 0; step < 120; step += 1) {
      const text = pick(makers)();
      for (const { show } of [plain, titled]) show('alice', text);
      if (random.integer(3) > 0) continue;
      for (const { clock, console } of [plain, titled]) {
        console.moved('alice', 1, 1);
        clock.advance(1_000 * number());
      }
      await titled.settled();
    }
    await plain.settled();
    await titled.settled();
    t.ok(titled.titles.length > 3, 'there was a status line');
    t.same(pictureOf(titled.terminal), pictureOf(plain.terminal), `round ${round}`);
  }
});

/** Every cell that there is, with its looks, and where the cursor stands. */
function pictureOf(terminal: InstanceType<typeof xterm.Terminal>): object {
  const { active } = terminal.buffer;
  const rows = Array.from({ length: active.length }, (_, y) => {
    const line = active.getLine(y)!;
    return Array.from({ length: COLUMNS }, (_cell, x) => {
      const cell = line.getCell(x)!;
      return [cell.getChars(), cell.getFgColor(), cell.getBgColor(), cell.isBold(), cell.isInverse()].join();
    }).join('|');
  });
  return { rows, type: active.type, x: active.cursorX, y: active.cursorY, baseY: active.baseY };
}
