/** The UTF-8 decoder agrees with the platform's, byte by byte and on anything. */
import t from 'tap';
import { Utf8Decoder } from '../../src/base/utf8.ts';
import { seededRandom } from '../wire/seeded.ts';

function decode(bytes: Uint8Array): string {
  let text = '';
  const decoder = new Utf8Decoder({
    character: (codePoint) => (text += String.fromCodePoint(codePoint)),
    invalid: () => (text += '\ufffd'),
  });
  for (const byte of bytes) decoder.push(byte);
  decoder.reset();
  return text;
}

const platform = new TextDecoder('utf-8', { ignoreBOM: true });

t.test('every character of two bytes and the edges of the others are read', async (t) => {
  const edges = [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x10000, 0x10ffff];
  for (const codePoint of [...Array(0x800).keys(), ...edges]) {
    const character = String.fromCodePoint(codePoint);
    if (decode(Buffer.from(character)) !== character) t.fail(codePoint.toString(16));
  }
  t.pass('all');
});

t.test('long forms, surrogates, values beyond Unicode and stray bytes are invalid', async (t) => {
  for (const bytes of [
    'c080',
    'c1bf',
    'e09fbf',
    'eda080',
    'edbfbf',
    'f08fbfbf',
    'f4908080',
    'f5808080',
    '80',
    'ff',
  ]) {
    t.match(decode(Buffer.from(bytes, 'hex')), /^\ufffd+$/, bytes);
  }
});

t.test('any bytes are read as the platform reads them', async (t) => {
  const random = seededRandom(t);
  const alphabet = [0x41, 0x80, 0xbf, 0x9f, 0xa0, 0xc2, 0xe0, 0xe1, 0xed, 0xf0, 0xf1, 0xf4, 0xf5, 0xff];
  for (let run = 0; run < 5_000; run++) {
    const bytes = Uint8Array.from({ length: 12 }, () => alphabet[random.integer(alphabet.length)]);
    if (decode(bytes) !== platform.decode(bytes)) t.equal(decode(bytes), platform.decode(bytes));
  }
  t.pass('5,000 strings');
});
