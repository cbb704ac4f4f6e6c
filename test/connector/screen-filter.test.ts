/** What of a daemon's output reaches the customer's terminal. */
import t from 'tap';
import { escapeText } from '../../src/base/text.ts';
import { charsetOf, ScreenFilter } from '../../src/connector/screen-filter.ts';
import { LINE_DRAWING, LINE_DRAWING_ASCII } from '../../src/connector/screen-sequences.ts';
import { seededRandom } from '../wire/seeded.ts';

type Charset = 'utf-8' | '8-bit';

function filtered(input: string | Uint8Array, charset: Charset = 'utf-8'): string {
  const bytes = typeof input === 'string' ? Buffer.from(input) : input;
  return Buffer.from(new ScreenFilter({ charset }).filter(bytes)).toString(
    charset === 'utf-8' ? 'utf8' : 'latin1',
  );
}

function filteredBytewise(input: Uint8Array, charset: Charset): Buffer {
  const filter = new ScreenFilter({ charset });
  return Buffer.concat([...input].map((byte) => Buffer.from(filter.filter(Uint8Array.of(byte)))));
}

/** Each reaches the terminal as it is. */
const SHOWN = [
  'plain text, \ttabs\r\n',
  'back\bspace',
  'Zürich, Ελλάδα, 日本語, 🦊, e\u0301, 👩\u200d💻',
  '\x1b[1;31mred\x1b[0m\x1b[38;5;8m\x1b[38:2::1:2:3m\x1b[m',
  '\x1b[H\x1b[5;10H\x1b[3A\x1b[B\x1b[2C\x1b[D\x1b[E\x1b[F\x1b[7G\x1b[4d\x1b[3;3f',
  '\x1b[2J\x1b[J\x1b[1K\x1b[K\x1b[?J\x1b[0;0r\x1b[3X\x1b[2P\x1b[2@\x1b[2L\x1b[2M\x1b[2S\x1b[2T\x1b[10b',
  '\x1b[?25l\x1b[?25h\x1b[?7l\x1b[?1049h\x1b[?1049l\x1b[4h\x1b[4l',
  '\x1b[s\x1b[u\x1b7\x1b8\x1bD\x1bM\x1bE\x1bH',
];

/** Nothing of these reaches the terminal. */
const HIDDEN: ReadonlyArray<readonly [string, string]> = [
  ['title', '\x1b]0;title\x07\x1b]2;title\x1b\\'],
  ['clipboard', '\x1b]52;c;ZXZpbA==\x07'],
  ['hyperlink', '\x1b]8;;https://evil.example/\x1b\\\x1b]8;;\x1b\\'],
  ['colour query', '\x1b]11;?\x1b\\'],
  ['DCS', '\x1bP$q"p\x1b\\\x1bP+q544e\x1b\\'],
  ['APC, PM, SOS', '\x1b_Gi=1;AAAA\x1b\\\x1b^x\x1b\\\x1bXx\x1b\\'],
  ['title of screen', '\x1bktitle\x1b\\'],
  ['reset', '\x1bc'],
  ['device status', '\x1b[5n\x1b[6n\x1b[?6n\x1b[?15n'],
  ['device attributes', '\x1b[c\x1b[0c\x1b[>c\x1b[=c\x1bZ'],
  ['mode query', '\x1b[?1$p\x1b[4$p'],
  ['parameter query', '\x1b[x\x1b[1x'],
  ['ENQ', '\x05'],
  ['window operations', '\x1b[8;50;200t\x1b[21t\x1b[>2t'],
  ['media copy', '\x1b[i\x1b[5i\x1b[?5i'],
  [
    'mouse and keyboard modes',
    '\x1b[?1000h\x1b[?1002;1006h\x1b[?1h\x1b[?66h\x1b=\x1b>\x1b[2h\x1b[12l\x1b[20h',
  ],
  ['bracketed paste, focus', '\x1b[?2004h\x1b[?1004h'],
  ['keyboard protocols', '\x1b[>4;2m\x1b[>1u\x1b[=1;1u\x1b[<u\x1b[?4m'],
  ['mouse highlight', '\x1b[1;2;3;4;5T'],
  ['columns', '\x1b[?3h\x1b[?40h'],
  ['erasing what scrolled off', '\x1b[3J'],
  ['left and right margins', '\x1b[?69h\x1b[2;20s'],
  ['soft reset, alignment', '\x1b[!p\x1b#8'],
  ['character sets', '\x1b(B\x1b)B\x1b*A\x1b%G\x1bn\x1bo\x1b~\x1bN\x1bO\x0f'],
  ['7- and 8-bit controls', '\x1b F\x1b G'],
  ['lights', '\x1b[1q\x1b[2 q'],
  ['endless repeat', '\x1b[99999999b\x1b[1000b'],
  ['huge numbers', '\x1b[99999A\x1b[1;99999H'],
  ['other controls', '\x00\x01\x04\x10\x11\x13\x1a\x18\x7f'],
  ['C1 as UTF-8', '\u009b\u009d\u0090\u0085'],
  ['bidi and separators', '\u202e\u2066\u2069\u200f\u2028\u2029\ufeff'],
];

t.test('what draws is shown as it is', async (t) => {
  for (const text of SHOWN) t.equal(filtered(text), text, escapeText(text));
});

t.test('what makes the terminal answer, changes its keys, or reaches beyond the screen is not', async (t) => {
  for (const [name, text] of HIDDEN) t.equal(filtered(`<${text}>`), '<>', name);
});

t.test('of several modes the harmless ones are set', async (t) => {
  t.equal(filtered('\x1b[?1;25;1000h'), '\x1b[?25h');
  t.equal(filtered('\x1b[?1049;2004;7l'), '\x1b[?1049;7l');
  t.equal(filtered('\x1b[4;20h'), '\x1b[4h');
});

t.test('everything comes out the same cut at any byte', async (t) => {
  for (const charset of ['utf-8', '8-bit'] as const) {
    for (const text of [
      ...SHOWN,
      ...HIDDEN.map(([, hidden]) => `<${hidden}>`),
      '\x1b(0lqk\x1b(B',
      '\xff\xc3(',
    ]) {
      const bytes = Buffer.from(text, text.startsWith('\xff') ? 'latin1' : 'utf8');
      const whole = Buffer.from(new ScreenFilter({ charset }).filter(bytes));
      for (let at = 1; at < bytes.length; at++) {
        const filter = new ScreenFilter({ charset });
        const first = Buffer.from(filter.filter(bytes.subarray(0, at)));
        const both = Buffer.concat([first, filter.filter(bytes.subarray(at))]);
        if (!both.equals(whole)) t.same(both, whole, `${escapeText(text)} at ${at}`);
      }
      t.ok(filteredBytewise(bytes, charset).equals(whole), escapeText(text));
    }
  }
});

t.test('plain text passes as the chunk itself', async (t) => {
  const chunk = Buffer.from('total 0\r\n');
  t.equal(new ScreenFilter().filter(chunk), chunk);
});

t.test('nothing incomplete comes out: the next text stands for itself', async (t) => {
  for (const begun of [
    '\x1b',
    '\x1b[',
    '\x1b[1;3',
    '\x1b[?',
    '\x1b(',
    '\x1b]0;t',
    '\x1bP',
    '\xc3',
    '\xf0\x9f',
  ]) {
    t.equal(filtered(Buffer.from(begun, 'latin1')), '', escapeText(begun));
  }
});

t.test('bytes that are no UTF-8 are shown as the replacement character', async (t) => {
  t.equal(filtered(Buffer.from('61e462', 'hex')), 'a\ufffdb');
  t.equal(filtered(Buffer.from('61c362', 'hex')), 'a\ufffdb');
  t.equal(filtered(Buffer.from('9b33316d', 'hex')), '\ufffd31m', 'an 8-bit CSI');
});

t.test('on an 8-bit terminal letters pass and controls do not', async (t) => {
  t.equal(filtered(Buffer.from('61e4fc62', 'hex'), '8-bit'), 'aäüb');
  t.equal(filtered(Buffer.from('61c49b62', 'hex'), '8-bit'), 'aÄb', 'the second byte would be CSI');
  const every = Uint8Array.from({ length: 128 }, (_, i) => 0x80 + i);
  t.equal(Buffer.from(filtered(every, '8-bit'), 'latin1')[0], 0xa0);
});

t.test('line drawing becomes characters, whichever set it is in, and no set stays switched', async (t) => {
  t.equal(filtered('\x1b(0lqk\x1b(Blqk'), '┌─┐lqk');
  t.equal(filtered('\x1b)0lq\x0elqk\x0flq'), 'lq┌─┐lq');
  t.equal(filtered('\x1b(0lqk\x1b(Blqk', '8-bit'), '+-+lqk');
  t.equal(filtered('\x1b(0AZ 09'), 'AZ 09');
  t.equal([...LINE_DRAWING].length, 32);
  t.equal(LINE_DRAWING.length, 32);
  t.equal(LINE_DRAWING_ASCII.length, 32);
});

t.test('form feed and vertical tab are line feeds, a run of bells is one', async (t) => {
  t.equal(filtered('a\x0bb\x0cc'), 'a\nb\nc');
  t.equal(filtered('\x07\x07\x07a\x07'), '\x07a\x07');
});

t.test('a string that is not closed hides no more than its line', async (t) => {
  t.equal(filtered('\x1b]0;hidden\nshown'), '\nshown');
  t.equal(filtered('\x1bPhidden\x18shown'), 'shown');
  t.equal(filtered('\x1b]0;hidden\x1b[31mred'), '\x1b[31mred');
  const endless = filtered(`\x1b]0;${'x'.repeat(10_000)}`);
  t.ok(endless.length > 5_000 && endless.length < 7_000, 'nor more than 4096 bytes');
});

t.test('an endless sequence is dropped to its end and holds nothing', async (t) => {
  const filter = new ScreenFilter();
  for (let i = 0; i < 1_000; i++)
    t.equal(filter.filter(Buffer.from(`${i ? '' : '\x1b['}${'1;'.repeat(500)}`)).length, 0);
  t.equal(Buffer.from(filter.filter(Buffer.from('mshown'))).toString(), 'shown');
});

t.test('at the end the terminal is put back', async (t) => {
  const filter = new ScreenFilter();
  filter.filter(Buffer.from('\x1b[?1049h\x1b[2;10r\x1b[31m\x1b[?25l\x1b[?7l\x1b[4h'));
  t.equal(
    Buffer.from(filter.finish()).toString(),
    '\x1b7\x1b[r\x1b8\x1b[?1049l\x1b[?25h\x1b[?7h\x1b[4l\x1b[0m',
  );
  t.equal(filter.finish().length, 0, 'once');
});

t.test('at the end nothing is sent to a terminal that is as it was', async (t) => {
  const filter = new ScreenFilter();
  filter.filter(Buffer.from('\x1b[?1049h\x1b[?25l plain \x1b[?25h\x1b[?1049l\x1b[?1048h\x1b(0 \xf0'));
  t.equal(filter.finish().length, 0);
  t.equal(
    Buffer.from(filter.filter(Buffer.from('lqk'))).toString(),
    'lqk',
    'and what was begun is forgotten',
  );
});

t.test('random output never brings out more than whole, allowed sequences', async (t) => {
  const random = seededRandom(t);
  const alphabet = Buffer.from(
    '\x1b\x1b\x1b[[]P?>;;0159mhlJKHcnt$ (\x07\x05\x0e\x0f\nxq\xc3\xa4\x9b\xff\\',
    'latin1',
  );

  const allowed =
    /^(?:[\x07\x08\t\n\r\x20-\x7e]|[^\x00-\x9f]|\x1b[78DEHM]|\x1b\[\??[0-9;:]*[A-Zabdefghlmrsu@`])*$/u;

  const harmful = /\x1b\[(?:[0-9;:]*[nctixpq]|\?[0-9;]*[nm]|\??3J)/;
  for (let run = 0; run < 5_000; run++) {
    const bytes = Uint8Array.from({ length: 60 }, () => alphabet[random.integer(alphabet.length)]);
    const out = filteredBytewise(bytes, 'utf-8');
    if (!out.equals(Buffer.from(new ScreenFilter().filter(bytes)))) t.fail('depends on the cut');
    const text = out.toString();
    if (!Buffer.from(text).equals(out) || !allowed.test(text) || harmful.test(text)) t.fail(escapeText(text));
  }
  t.pass('5,000 outputs');
});

t.test(
  "the terminal's character set is that of the locale; one that is not named is taken as 8-bit",
  async (t) => {
    const utf8 = 'ja_JP.utf8';
    const latin1 = 'de_DE.ISO-8859-1';
    const cases = [
      [{ LC_ALL: utf8, LC_CTYPE: latin1, LANG: latin1 }, 'utf-8'],
      [{ LC_ALL: latin1, LC_CTYPE: utf8, LANG: utf8 }, '8-bit'],
      [{ LC_ALL: '', LC_CTYPE: 'C.UTF-8', LANG: latin1 }, 'utf-8'],
      [{ LC_CTYPE: latin1, LANG: utf8 }, '8-bit'],
      [{ LANG: 'en_US.Utf-8' }, 'utf-8'],
      [{ LC_ALL: 'C', LANG: utf8 }, '8-bit'],
      [{}, '8-bit'],
    ] as const;
    for (const [env, charset] of cases) t.equal(charsetOf(env, 'linux'), charset, JSON.stringify(env));
    t.equal(charsetOf({}, 'win32'), 'utf-8');
  },
);
