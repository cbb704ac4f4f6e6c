/** Text from outside: nothing unprintable, invisible or turning survives, and nothing is lost from a log. */
import t from 'tap';
import { columnsOf, escapeInto, ESCAPED_BYTES_MAX, escapeText, visibleText } from '../../src/base/text.ts';

t.test('escapeText writes any byte as printable ASCII on one line', async (t) => {
  for (let byte = 0; byte < 256; byte++) t.match(escapeText(Uint8Array.of(byte)), /^[\x20-\x7e]+$/);
  t.equal(escapeText('two\r\nlines'), 'two\\x0d\\x0alines');
  t.equal(escapeText('\x1b]0;title\x07'), '\\x1b]0;title\\x07');
  t.equal(escapeText('é'), '\\xc3\\xa9');
  t.equal(escapeText('\u202eevil'), '\\xe2\\x80\\xaeevil');
  t.equal(escapeText(''), '');
});

function recorded(input: string | Uint8Array): string {
  const bytes = Buffer.from(input);
  const target = Buffer.alloc(bytes.length * ESCAPED_BYTES_MAX);
  return target.toString('utf8', 0, escapeInto(target, 0, bytes));
}

t.test('escapeInto leaves letters of every script and escapes the rest, byte by byte', async (t) => {
  for (const text of ['日本語、テスト。', 'grüße', 'Ελληνικά', 'עברית', 'ไทย', '😀𠀀', '\u00a0\u3000'])
    t.equal(recorded(text), text);
  for (const hidden of [
    '\u0080',
    '\u009b',
    '\u00ad',
    '\u061c',
    '\u200b',
    '\u200d',
    '\u202e',
    '\u2028',
    '\u2066',
    '\ufeff',
    '\ue000',
    '\u{f0000}',
    '\u{e0041}',
    '\x1b',
    '\\',
  ])
    t.equal(recorded(`a${hidden}b`), `a${escapeText(hidden)}b`);
});

t.test('escapeInto escapes what is no UTF-8', async (t) => {
  const broken = [
    '80',
    'bf',
    'c0af',
    'c1bf',
    'e08080',
    'e0a0',
    'eda080',
    'edbfbf',
    'f0808080',
    'f09080',
    'f4908080',
    'f8888080',
    'ff',
    'c3',
    'c328',
    'e28228',
  ];
  for (const hex of broken) {
    const bytes = Buffer.from(hex, 'hex');
    t.equal(recorded(bytes), escapeText(bytes), hex);
    t.equal(
      recorded(Buffer.concat([bytes, Buffer.from('é')])),
      `${escapeText(bytes)}é`,
      `${hex}, then a letter`,
    );
  }
});

t.test('escapeText can be read back', async (t) => {
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const back = escapeText(every).replace(/\\(?:x([0-9a-f]{2})|(\\))/g, (_all, code?: string) =>
    code ? String.fromCharCode(parseInt(code, 16)) : '\\',
  );
  t.same(Buffer.from(back, 'latin1'), Buffer.from(every));
});

t.test('a lone surrogate in a string is escaped as the replacement character', async (t) => {
  t.equal(escapeText('a\ud800b'), 'a\\xef\\xbf\\xbdb');
});

t.test('escapeText cuts at a whole escape and says so', async (t) => {
  t.equal(escapeText('abcdefgh', { maxLength: 8 }), 'abcdefgh');
  t.equal(escapeText('abcdefghi', { maxLength: 8 }), 'abcde...');
  t.equal(escapeText('ab\x00\x00\x00', { maxLength: 10 }), 'ab\\x00...');
  t.equal(escapeText('\x00\x00', { maxLength: 5 }), '...');
  t.equal(escapeText('abcd', { maxLength: 2 }), '..');
  t.equal(escapeText('abcd', { maxLength: 0 }), '');
});

t.test('a huge text is cut without being read to its end', async (t) => {
  t.equal(escapeText(new Uint8Array(50_000_000), { maxLength: 12 }), '\\x00\\x00...');
});

t.test('visibleText keeps letters of every script', async (t) => {
  for (const text of ['Zürich', 'Ελλάδα', '日本語', 'עברית', 'नमस्ते', 'a b', '🦊'])
    t.equal(visibleText(text), text);
});

t.test('visibleText leaves out what hides, moves or turns', async (t) => {
  const hidden = [
    ['control', '\x00\x07\x1b\x7f\r\n\t'],
    ['C1 control', '\u0080\u009b\u009f'],
    ['bidi', '\u061c\u200e\u200f\u202a\u202e\u2066\u2069'],
    ['zero width', '\u200b\u200d\ufeff\u2060\u00ad'],
    ['filler', '\u115f\u3164\uffa0\u2800'],
    ['line separators', '\u2028\u2029'],
    ['tags', '\u{e0041}\u{e007f}'],
    ['private use', '\ue000\u{f0000}'],
    ['lone surrogate', '\ud800'],
  ];
  for (const [name, characters] of hidden) t.equal(visibleText(`a${characters}b`), 'ab', name);
});

t.test('visibleText makes every kind of space an ordinary one', async (t) => {
  t.equal(visibleText('a\u00a0b\u3000c\u2003d'), 'a b c d');
});

t.test('visibleText stacks at most four marks on a letter', async (t) => {
  t.equal(visibleText(`e${'\u0301'.repeat(50)}x`), `e${'\u0301'.repeat(4)}x`);
});

t.test('visibleText cuts between characters', async (t) => {
  t.equal(visibleText('🦊🦊🦊🦊', { maxLength: 7 }), '🦊🦊...');
  t.equal(visibleText('short', { maxLength: 5 }), 'short');
});

t.test('columns are those of a terminal', async (t) => {
  const columns: Array<[string, number]> = [
    ['a', 1],
    ['é', 1],
    ['\u0301', 0],
    ['\u200d', 0],
    ['日', 2],
    ['한', 2],
    ['ｗ', 2],
    ['🦊', 2],
  ];
  for (const [character, count] of columns) t.equal(columnsOf(character), count, escapeText(character));
});
