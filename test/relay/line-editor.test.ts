/** The engineer's line editor: what is typed, what is echoed, what arrives. */
import t from 'tap';
import { LineEditor } from '../../src/relay/line-editor.ts';
import type { LineLimits } from '../../src/relay/line-editor.ts';

class Recorder {
  readonly lines: string[] = [];
  echo = '';
  interrupts = 0;
  ends = 0;
  /** Called for each line before the next key is read. */
  onLine: (text: string) => void = () => {};
  readonly editor: LineEditor;

  constructor(limits?: LineLimits) {
    this.editor = new LineEditor(
      {
        echo: (bytes) => (this.echo += Buffer.from(bytes).toString()),
        line: (text) => {
          this.lines.push(text);
          this.onLine(text);
        },
        interrupt: () => this.interrupts++,
        endOfInput: () => this.ends++,
      },
      limits,
    );
    this.editor.echoing = true;
  }

  type(text: string | Uint8Array): this {
    this.editor.push(typeof text === 'string' ? Buffer.from(text) : text);
    return this;
  }
}

/** An editor that asks for the next line as soon as one has come. */
function asking(limits?: LineLimits): Recorder {
  const recorder = new Recorder(limits);
  recorder.onLine = () => recorder.editor.prompt();
  recorder.editor.prompt();
  return recorder;
}

t.test('a line is echoed as it is typed and arrives without its end', async (t) => {
  const recorder = asking().type('li').type('st\r');
  t.same(recorder.lines, ['list']);
  t.equal(recorder.echo, 'list\r\n');
});

t.test('each form of line end is one line end, also cut in between', async (t) => {
  for (const end of ['\r\n', '\r\0', '\r', '\n']) {
    const typed = `a${end}b${end}${end}`;
    t.same(asking().type(typed).lines, ['a', 'b', ''], JSON.stringify(end));
    const cut = asking();
    for (const byte of Buffer.from(typed)) cut.type(Uint8Array.of(byte));
    t.same(cut.lines, ['a', 'b', ''], `${JSON.stringify(end)}, byte by byte`);
  }
  t.same(asking().type('a\r\n\n').lines, ['a', ''], 'a second LF is a line of its own');
  t.same(asking().type('a\r').type('\n\rb\r').lines, ['a', '', 'b']);
});

t.test('backspace and DEL take back one character, nothing at the start', async (t) => {
  for (const key of ['\b', '\x7f']) {
    const recorder = asking().type(`${key}ab${key}c\r`);
    t.same(recorder.lines, ['ac']);
    t.equal(recorder.echo, 'ab\b \bc\r\n');
  }
});

t.test('a character of several bytes is taken back as one, over its columns', async (t) => {
  const cases: Array<[string, string]> = [
    ['é', '\b \b'],
    ['日', '\b \b\b \b'],
    ['🦊', '\b \b\b \b'],
    ['\u0301', ''],
  ];
  for (const [character, rubbedOut] of cases) {
    const recorder = asking().type(`a${character}\x7fb\r`);
    t.same(recorder.lines, ['ab']);
    t.equal(recorder.echo, `a${character}${rubbedOut}b\r\n`);
  }
});

t.test('^U takes back the line and ^W the last word with its spaces', async (t) => {
  const recorder = asking().type('wrong\x15open  one two  \x17\r');
  t.same(recorder.lines, ['open  one ']);
  t.equal(recorder.echo, `wrong${'\b \b'.repeat(5)}open  one two  ${'\b \b'.repeat(5)}\r\n`);
  t.same(asking().type('\x15\x17x\r').lines, ['x']);
});

t.test('hidden, nothing is echoed but the line end', async (t) => {
  const recorder = new Recorder();
  recorder.editor.prompt({ hidden: true });
  recorder.type('sex\x7fcret\x17\x15secret\r');
  t.same(recorder.lines, ['secret']);
  t.equal(recorder.echo, '\r\n');
});

t.test('while the client echoes, nothing is echoed and lines arrive all the same', async (t) => {
  const recorder = asking();
  recorder.editor.echoing = false;
  recorder.type('lisx\x7ft\r\n');
  t.same(recorder.lines, ['list']);
  t.equal(recorder.echo, '');
});

t.test('^C interrupts at any time and takes along what was typed', async (t) => {
  const recorder = asking().type('half\x03whole\r');
  t.equal(recorder.interrupts, 1);
  t.same(recorder.lines, ['whole']);
  const idle = new Recorder().type('ahead\r\x03');
  t.equal(idle.interrupts, 1);
  idle.editor.prompt();
  t.same(idle.lines, []);
});

t.test('^D ends the input on an empty line only', async (t) => {
  const recorder = asking().type('a\x04b\r');
  t.equal(recorder.ends, 0);
  t.same(recorder.lines, ['ab']);
  t.equal(recorder.type('\x04').ends, 1);
});

t.test('arrow and function keys are swallowed whole, however cut', async (t) => {
  const sequences = [
    '\x1b[A',
    '\x1bOP',
    '\x1b[15~',
    '\x1b[1;5C',
    '\x1b[[A',
    '\x1bx',
    '\x1b]11;rgb:0/0/0\x1b\\',
    '\x1b]0;t\x07',
  ];
  for (const sequence of sequences) {
    t.same(asking().type(`a${sequence}b\r`).lines, ['ab'], JSON.stringify(sequence));
    const cut = asking();
    for (const byte of Buffer.from(`a${sequence}b\r`)) cut.type(Uint8Array.of(byte));
    t.same(cut.lines, ['ab'], `${JSON.stringify(sequence)}, byte by byte`);
  }
});

t.test('Enter and ^C count even within an escape sequence', async (t) => {
  for (const start of ['\x1b', '\x1b[', '\x1b[1;', '\x1bO', '\x1b]0;']) {
    t.same(asking().type(`a${start}\r`).lines, ['a'], JSON.stringify(start));
    t.equal(asking().type(`a${start}\x03`).interrupts, 1);
  }
});

t.test('other controls and invalid UTF-8 are ignored', async (t) => {
  t.same(asking().type('a\x00\x01\x07\tb\r').lines, ['ab']);
  t.same(asking().type(Buffer.from('61ff80c3c0af62eda0800d', 'hex')).lines, ['ab']);
  t.same(asking().type('a\u009bb\r').lines, ['ab']);
});

t.test('UTF-8 arrives cut at any byte', async (t) => {
  const cut = asking();
  for (const byte of Buffer.from('zürich 日本 🦊\r')) cut.type(Uint8Array.of(byte));
  t.same(cut.lines, ['zürich 日本 🦊']);
  t.equal(cut.echo, 'zürich 日本 🦊\r\n');
});

t.test('beyond the longest line the bell rings and the line stays', async (t) => {
  const recorder = asking({ maxBytes: 4 }).type('abcdef');
  t.equal(recorder.echo, 'abcd\x07\x07');
  t.same(recorder.type('\x7fx\r').lines, ['abcx']);
  t.same(asking({ maxBytes: 4 }).type('abcé\r').lines, ['abc'], 'counted in bytes');
});

t.test('lines typed ahead wait for their prompts, and a password among them is not shown', async (t) => {
  const recorder = new Recorder();
  recorder.type('alice\rsecret\rlist\r');
  t.equal(recorder.echo, '');
  recorder.editor.prompt();
  t.same(recorder.lines, ['alice']);
  recorder.editor.prompt({ hidden: true });
  t.same(recorder.lines, ['alice', 'secret']);
  recorder.editor.prompt();
  t.same(recorder.lines, ['alice', 'secret', 'list']);
  t.equal(recorder.echo, 'alice\r\n\r\nlist\r\n');
});

t.test('a prompt asked for from within `line` goes on with the same chunk', async (t) => {
  const recorder = new Recorder();
  recorder.onLine = (text) => recorder.editor.prompt({ hidden: text === 'alice' });
  recorder.editor.prompt();
  recorder.type('alice\rsecret\rlist\rop');
  t.same(recorder.lines, ['alice', 'secret', 'list']);
  t.equal(recorder.echo, 'alice\r\n\r\nlist\r\nop');
});

t.test('discard forgets type-ahead and the line begun', async (t) => {
  const recorder = new Recorder();
  recorder.type('y\r');
  recorder.editor.discard();
  recorder.editor.prompt();
  t.same(recorder.lines, []);
  recorder.type('half');
  recorder.editor.discard();
  t.same(recorder.type('no\r').lines, ['no']);
});

t.test('discard from within `line` forgets the rest of the chunk and keeps the line end whole', async (t) => {
  const recorder = new Recorder();
  recorder.onLine = () => recorder.editor.discard();
  recorder.editor.prompt();
  recorder.type('open\ryes\ryes\r');
  t.same(recorder.lines, ['open']);
  recorder.editor.prompt();
  recorder.type('\nno\r');
  t.same(recorder.lines, ['open', 'no']);
});

t.test('type-ahead and its memory are bounded', async (t) => {
  const recorder = new Recorder({ maxTypeAheadKeys: 10 });
  for (let i = 0; i < 1_000; i++) recorder.type('x'.repeat(1_000));
  recorder.type('\r');
  recorder.editor.prompt();
  t.same(recorder.lines, [], 'the Enter found no room');
  t.equal(recorder.echo, 'x'.repeat(10));
});

t.test('an endless escape sequence holds nothing and ends at Enter', async (t) => {
  const recorder = asking();
  recorder.type('\x1b[');
  for (let i = 0; i < 1_000; i++) recorder.type('1;'.repeat(500));
  t.same(recorder.type('\rlist\r').lines, ['', 'list']);
});
