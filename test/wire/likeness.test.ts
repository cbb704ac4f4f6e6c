/** What is typed wrong and would be tried as a bare password, if nobody looked: it must not reach anybody's. */
import t from 'tap';
import { likenessOf } from '../../src/wire/likeness.ts';
import { makeNameplate, makePassword, parsePassword } from '../../src/wire/password.ts';
import { seededRandom } from './seeded.ts';

const SIGNS = [...' !"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'];

t.test('mistakes of a password that begins with a nameplate are refused before any packet', (t) => {
  const mistakes: [mistake: string, typed: string][] = [
    ['a space for the dash', 'AB3D9Z cisco'],
    ['a space for the dash, no digit', 'abcdef cisco'],
    ['spaces around the dash', 'AB3D9Z - cisco'],
    ['another sign for the dash', 'AB3D9Z_cisco'],
    ['another sign, no digit', 'abcdef.geheim'],
    ['a soft hyphen for the dash', 'AB3D9Z\u00adcisco'],
    ['no dash', 'AB3D9Zcisco'],
    ['no dash, long', 'ab3d9zgeheimnis'],
    ['no dash, no digit, as printed', 'ABCDEFgeheimnis'],
    ['no dash, spaces in the secret', 'ab3d9zcorrect horse battery'],
    ['the nameplate in two', 'AB3 D9Z-geheimnis'],
    ['the nameplate in two, with a dash', 'AB3-D9Z-geheimnis'],
    ['spelled out', 'A B 3 D 9 Z - g e h e i m n i s'],
    ['the first character lost', 'B3D9Z-geheimnis'],
    ['the first character lost, no digit, as printed', 'BCDEF-geheimnis'],
    ['one character too many', 'AB33D9Z-geheimnis'],
    ['the letter U', 'ABCUEF-geheimnis'],
    ['a sign too many', 'AB+3D9Z-geheimnis'],
    ['a sign for a symbol', 'AB?D9Z-geheimnis'],
    ['another script', 'ÄB3D9Z-geheimnis'],
    ['in quotes', '"AB3D9Z-geheimnis"'],
    ['in quotes, no digit', '"abcdef-geheimnis"'],
    ['with a label', 'password: AB3D9Z-geheimnis'],
    ['the nameplate lost, not the dash', '-geheimnis'],
    ['the same with an en dash', '\u2013geheimnis'],
    ['only the nameplate, as two clicks select it', 'AB3D9Z'],
    ['a made one: the nameplate lost', 'K7QF9-T2MX3-H'],
    ['a made one: one group, as two clicks select it', 'K7QF9'],
    ['a made one: the last groups', 'T2MX3-H'],
    ['a made one: a sign in its nameplate', 'AB3D9?-K7QF9-T2MX3-H'],
    ['a made one: in quotes', '"AB3D9Z-K7QF9-T2MX3-A"'],
    ['a made one: two characters lost', 'AB3D9-K7QF-T2MX3-H'],
    ['a made one: two characters lost, no dashes', 'ab3d9k7qft2mx3h'],
    ['a made one: the wrong order', 'K7QF9-T2MX3-H-AB3D9Z'],
    ['a made one: with its command', 'tndconnect -password AB3D9Z-K7QF9-T2MX3-H'],
    ["the engineer's password", 'K7QF9-T2MX3'],
    ['the number of the session', '4821-9375'],
    ['the same without its dash', '48219375'],
  ];
  for (const [mistake, typed] of mistakes) {
    t.match(parsePassword(typed), { kind: 'refused', problem: /^(nameplate|length|symbol|check)$/ }, mistake);
  }
  t.end();
});

t.test('a dash of any kind still makes a nameplate of the six symbols before it', (t) => {
  for (const dash of '-\u2010\u2013\u2014\u2212\uff0d') {
    t.match(parsePassword(`ab3d9z${dash}cisco`), { kind: 'chosen', nameplate: 'AB3D9Z', secret: 'cisco' });
  }
  t.end();
});

t.test('what nobody can tell from a bare password is tried as one', (t) => {
  const mistakes: [mistake: string, typed: string][] = [
    ['the nameplate left out with its dash', 'cisco'],
    ['in lower case, no digit, and a character lost', 'abcde-geheimnis'],
    ['in lower case, no digit, and no dash', 'abcdefgeheimnis'],
  ];
  for (const [mistake, typed] of mistakes)
    t.match(parsePassword(typed), { kind: 'chosen', nameplate: '', secret: typed }, mistake);
  t.end();
});

t.test('what people choose is not all taken for a mistake', (t) => {
  for (const secret of [
    ...[
      'cisco',
      'cisco1',
      'cisco123',
      'Cisco!',
      'abc123!',
      'PASSWORD',
      'letmein',
      'geheim',
      '1234',
      '123456',
    ],
    ...['router 7', 'cisco-7', 'correct horse battery', 'the-secret-garden', 'überraschung', 'a-b-c'],
  ]) {
    t.equal(likenessOf(secret), undefined, secret);
  }
  t.end();
});

t.test('one mistake in a made password never makes a bare one, however it is written; two seldom', (t) => {
  const random = seededRandom(t);
  const forms: ((printed: string) => string)[] = [
    (printed) => printed,
    (printed) => printed.toLowerCase(),
    (printed) => printed.replaceAll('-', ' '),
    (printed) => printed.replaceAll('-', ''),
  ];
  let twice = 0;
  for (let n = 0; n < 20_000; n++) {
    const typed = withMistake(random, forms[n % forms.length](makePassword(random.bytes).printed));
    if (isBare(typed)) t.fail(typed);
    if (isBare(withMistake(random, typed))) twice++;
  }
  t.ok(twice < 100, `${twice} of 20000 with two`);
  t.end();
});

t.test('one mistake in nameplate or dash seldom makes a bare one, as printed', (t) => {
  const random = seededRandom(t);
  let bare = 0;
  for (let n = 0; n < 10_000; n++) {
    const start = withMistake(random, `${makeNameplate(random.bytes)}-`);
    if (isBare(`${start}geheimnis`)) bare++;
  }
  t.ok(bare < 200, `${bare} of 10000`);
  t.end();
});

function isBare(typed: string): boolean {
  const parsed = parsePassword(typed);
  return parsed.kind === 'chosen' && parsed.nameplate === '';
}

/** One character lost, added, wrong, or exchanged with the next. */
function withMistake(random: ReturnType<typeof seededRandom>, text: string): string {
  const at = random.integer(text.length);
  const characters = [...SIGNS, ...'ABCXYZabcxyz0189UuIl'];
  const wrong = characters[random.integer(characters.length)];
  const [before, character, after] = [text.slice(0, at), text[at], text.slice(at + 1)];
  switch (random.integer(4)) {
    case 0:
      return before + after;
    case 1:
      return before + wrong + character + after;
    case 2:
      return before + wrong + after;
    default:
      return before + after.slice(0, 1) + character + after.slice(1);
  }
}
