/** Printed passwords: what is made, what is accepted as typed, and that mistakes never turn into a chosen secret. */
import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import t from 'tap';
import { checkCharacter, SYMBOLS } from '../../src/wire/crockford.ts';
import {
  BARE_NAMEPLATE,
  BARE_ODDS,
  CHOSEN_BYTES_MAX,
  checkBareSecret,
  checkChosenSecret,
  chosenSecretBits,
  chosenSecretBytes,
  foldEngineerPassword,
  guessOdds,
  makeEngineerPassword,
  makeNameplate,
  makePassword,
  parsePassword,
  printBare,
  printChosen,
  prsOfMade,
  stretchParameters,
} from '../../src/wire/password.ts';
import type { MadePassword, ParsedPassword } from '../../src/wire/password.ts';
import { seededRandom } from './seeded.ts';

const PRINTABLE_ASCII = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
const NAMEPLATE = 'AB3D9Z';

t.test('a made password is printed in groups of 6, 5, 5 and 1 and parses to what was made', (t) => {
  const random = seededRandom(t);
  for (let n = 0; n < 500; n++) {
    const made = makePassword(random.bytes);
    t.match(
      made.printed,
      /^[0-9A-HJKMNP-TV-Z]{6}-[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]$/,
    );
    t.same(parsePassword(made.printed), parsedOf(made));
  }
  t.end();
});

t.test('the last character is the check of nameplate and secret', (t) => {
  const made = makePassword((length) => new Uint8Array(length).fill(0b00000_100));
  t.equal(made.printed.replaceAll('-', '').slice(0, -1), made.nameplate + made.secret);
  t.equal(made.printed.at(-1), checkCharacter(made.nameplate + made.secret));
  t.equal(
    made.nameplate,
    makeNameplate((length) => new Uint8Array(length).fill(0b00000_100)),
  );
  t.end();
});

t.test(
  'a made password may be typed in any case, with look-alikes, and with other dashes, spaces or none',
  (t) => {
    const made = madeOf('01AB0Z', '10K7QF9T21');
    const { printed } = made;
    const wrongLetters = printed.replaceAll('0', 'o').replaceAll('1', 'l');
    const variants = [
      printed.toLowerCase(),
      wrongLetters,
      wrongLetters.replaceAll('l', 'I').replaceAll('o', 'O'),
      printed.replaceAll('-', ''),
      printed.replaceAll('-', ' '),
      printed.replaceAll('-', '\u2013'),
      printed.replaceAll('-', ' - '),
      ` \t${printed}\r\n`,
      '01AB0Z-10K7Q-F9T21' + printed.at(-1),
      '01A-B0Z10K-7QF9T21' + printed.at(-1),
    ];
    for (const typed of variants) t.same(parsePassword(typed), parsedOf(made), JSON.stringify(typed));
    t.end();
  },
);

t.test(
  'any one wrong, missing or extra character is refused or harmless, and never taken as a chosen secret',
  (t) => {
    const random = seededRandom(t);
    let refused = 0;
    const broken: string[] = [];
    for (let n = 0; n < 40; n++) {
      const made = makePassword(random.bytes);
      for (const typed of singleEdits(made.printed)) {
        const parsed = parsePassword(typed);
        if (parsed.kind === 'refused') refused++;
        else if (!isSame(parsed, made)) broken.push(typed);
      }
    }
    t.same(broken, []);
    t.ok(refused > 40 * 2_000);
    t.end();
  },
);

t.test('every substituted symbol and every exchange of two symbols is refused', (t) => {
  const random = seededRandom(t);
  const accepted: string[] = [];
  for (let n = 0; n < 100; n++) {
    const { printed } = makePassword(random.bytes);
    for (const typed of [...symbolSubstitutions(printed), ...symbolExchanges(printed)]) {
      if (parsePassword(typed).kind !== 'refused') accepted.push(typed);
    }
  }
  t.same(accepted, []);
  t.end();
});

t.test('any two symbols dropped after the nameplate are refused before any packet', (t) => {
  const { printed } = makePassword(seededRandom(t).bytes);
  const places = [...[...printed].keys()].filter((i) => i > 6 && printed[i] !== '-');
  for (const i of places) {
    for (const j of places.filter((other) => other > i)) {
      const typed = [...printed].filter((_, k) => k !== i && k !== j).join('');
      t.equal(parsePassword(typed).kind, 'refused', `without ${i} and ${j}`);
    }
  }
  t.end();
});

t.test('a refusal names the test that failed', (t) => {
  const { printed } = madeOf(NAMEPLATE, 'K7QF9T2MX3');
  const wrong = (from: number, to: number, text: string): string =>
    printed.slice(0, from) + text + printed.slice(to);
  const problems: [typed: string, problem: string][] = [
    ['', 'empty'],
    [' \t ', 'empty'],
    ['cis', 'short'],
    ['cis\u0007co', 'control'],
    ['x'.repeat(65), 'long'],
    ['cisco-cisco', 'nameplate'],
    ['ABCUEF-cisco', 'nameplate'],
    ['AB3D9-cisco', 'nameplate'],
    ['AB3D9ZK-cisco', 'nameplate'],
    ['-cisco', 'nameplate'],
    [wrong(7, 8, ''), 'length'],
    [wrong(0, 1, ''), 'length'],
    [wrong(0, 0, '7'), 'length'],
    [wrong(19, 20, ''), 'length'],
    [wrong(12, 13, '0'), 'length'],
    [wrong(7, 8, 'U'), 'symbol'],
    [wrong(7, 8, '?'), 'symbol'],
    [wrong(7, 8, printed[7] === 'A' ? 'B' : 'A'), 'check'],
    [wrong(0, 1, 'Q'), 'check'],
    [`${NAMEPLATE}-`, 'short'],
    [`${NAMEPLATE}-abc`, 'short'],
    [`${NAMEPLATE}- cisco`, 'space'],
    [`${NAMEPLATE}-cis\u0007co`, 'control'],
    [`${NAMEPLATE}-${'x'.repeat(65)}`, 'long'],
  ];
  for (const [typed, problem] of problems) {
    const parsed = parsePassword(typed);
    t.equal(parsed.kind === 'refused' ? parsed.problem : parsed.kind, problem, JSON.stringify(typed));
  }
  t.end();
});

t.test('every refusal is one sentence that says what to do and repeats nothing that was typed', (t) => {
  const typedTexts = [
    'xyz',
    'xyzzyxyzzy',
    'xyz'.repeat(22),
    '',
    'AB3D9Z-xyz',
    'AB3D9Z-XYZZY-XYZZY-X',
    'AB3D9Z-XYZZ-XYZZY-X',
    'AB3D9Z-XYZZ!-XYZZY-X',
  ];
  for (const typed of typedTexts) {
    const parsed = parsePassword(typed);
    if (parsed.kind !== 'refused') return t.fail(typed);
    t.match(parsed.sentence, /^[A-Z][^.\n]*\.$/);
    t.notMatch(parsed.sentence, /xyz|AB3/i);
    t.match(parsed.sentence, /type|compare/);
  }
  return t.end();
});

t.test('a chosen secret is opaque: neither folded nor checked, only composed to NFC', (t) => {
  for (const secret of [
    'cisco',
    'Oil1',
    'pass',
    'a-b-c-d',
    '--ab',
    'hunter2-hunter2',
    'Ünïcödé',
    '密码密码',
    'U U U U',
    '1234',
  ]) {
    const printed = printChosen(NAMEPLATE, secret);
    t.equal(printed, `${NAMEPLATE}-${secret}`);
    t.match(parsePassword(printed), { kind: 'chosen', nameplate: NAMEPLATE, secret });
    t.match(parsePassword(printed.normalize('NFD')), { kind: 'chosen', nameplate: NAMEPLATE, secret });
  }
  t.match(
    parsePassword('ab3d9z-Cisco'),
    { nameplate: NAMEPLATE, secret: 'Cisco' },
    'the nameplate alone is folded',
  );
  t.match(parsePassword('ob3dLi\u2013cisco'), { nameplate: '0B3D11', secret: 'cisco' });
  t.end();
});

t.test('a bare password is a chosen one with the empty nameplate', (t) => {
  for (const secret of ['cisco', 'Oil1', '1234', 'a-b-c-d', 'Ünïcödé', '密码密码', 'correct horse battery']) {
    t.equal(checkBareSecret(secret), undefined, secret);
    t.equal(printBare(secret), secret);
    const bits = chosenSecretBits(secret);
    const bare = { kind: 'chosen', nameplate: BARE_NAMEPLATE, secret, bits };
    t.same(parsePassword(secret), bare);
    t.same(parsePassword(` ${secret.normalize('NFD')}\r\n`), bare);
  }
  t.equal(BARE_NAMEPLATE, '');
  t.end();
});

t.test('a secret is not made bare with a flaw, or when it looks like another password', (t) => {
  const problems: [secret: string, problem: string, sentence: RegExp][] = [
    ['abc', 'short', /at least 4 characters/],
    ['x'.repeat(65), 'long', /at most 64 bytes/],
    ['new\nline', 'control', /line breaks/],
    [' cisco', 'space', /space/],
    ['abcdef-word', 'resembles-other', /it begins with six characters and a dash.*: choose another/],
    ['K7QF9-T2MX3', 'resembles-other', /it has ten to twelve letters and digits/],
    ['abcdefghijk', 'resembles-other', /it has ten to twelve letters and digits/],
    ['abcdefghijklmnopq', 'resembles-other', /it has sixteen to eighteen letters and digits/],
    [madeOf(NAMEPLATE, 'K7QF9T2MX3').printed, 'resembles-other', /sixteen to eighteen/],
  ];
  for (const [secret, problem, sentence] of problems) {
    t.match(checkBareSecret(secret), { problem, sentence }, inAscii(secret));
    t.throws(() => printBare(secret), { name: 'RangeError', message: `bare secret: ${problem}` });
  }
  t.end();
});

t.test('a secret is made bare if and only if it is read back as it is, for random texts', (t) => {
  const random = seededRandom(t);
  const alphabets = [
    'abcXYZ019-- .!éU',
    'AB3D9ZK7QF--- ',
    'abcdefghi 1\u2013',
    '0123456789-',
    'aé\u0301 \n-1',
  ];
  let allowed = 0;
  for (let n = 0; n < 50_000; n++) {
    const characters = [...alphabets[n % alphabets.length]];
    const length = 1 + random.integer(24);
    const secret = Array.from({ length }, () => characters[random.integer(characters.length)]).join('');
    const isAllowed = checkBareSecret(secret) === undefined;
    if (isAllowed) allowed++;
    const parsed = parsePassword(isAllowed ? printBare(secret) : secret);
    const isReadBack =
      parsed.kind === 'chosen' && parsed.nameplate === '' && parsed.secret === secret.normalize('NFC');
    if (isReadBack !== isAllowed) t.fail(inAscii(secret));
  }
  t.ok(allowed > 5_000, `${allowed} allowed`);
  t.end();
});

t.test('chosen secrets are refused when too short, too long, unprintable or edged with space', (t) => {
  const problems: [secret: string, problem: string | undefined][] = [
    ['abc', 'short'],
    ['e\u0301e\u0301e\u0301', 'short'],
    ['😀😀😀', 'short'],
    ['😀😀😀😀', undefined],
    ['x'.repeat(CHOSEN_BYTES_MAX), undefined],
    ['x'.repeat(CHOSEN_BYTES_MAX + 1), 'long'],
    ['é'.repeat(33), 'long'],
    ['new\nline', 'control'],
    ['nul\u0000l', 'control'],
    ['line\u2028break', 'control'],
    ['half\ud83d', 'control'],
    ['  abcd', 'space'],
    ['abcd\u00a0', 'space'],
    ['ab cd', undefined],
  ];
  for (const [secret, problem] of problems)
    t.equal(checkChosenSecret(secret)?.problem, problem, inAscii(secret));
  t.throws(() => printChosen(NAMEPLATE, 'abc'), RangeError);
  t.end();
});

t.test(
  'chosen secrets that a mistyped made password could look like are refused when they are chosen',
  (t) => {
    const alike = [
      'K7QF9-T2MX3-C',
      'K7QF-T2MX3-C',
      'K7QF9-T2MX3-',
      'K7QF9-T2MX3',
      'K7QF9T2MX3C',
      'K7QF9T2MX3CC',
      'K7QF9 T2MX3 C',
      'K7QF9;T2MX3-C',
      'blue-moon-7',
      'red-balloon-7',
      'correcthorse',
      'hello-world',
    ];
    for (const secret of alike) {
      t.match(checkChosenSecret(secret), { problem: 'resembles-made', sentence: /choose/ }, secret);
      t.throws(() => printChosen(NAMEPLATE, secret), { message: 'chosen secret: resembles-made' });
    }
    for (const secret of [
      'cisco',
      'K7QF9T2MX',
      'K7QF9T2MX3CCC',
      'correct horse battery',
      'hello.world',
      'a-b-c',
      'green-apple-777',
      'elephant-moon-7',
    ]) {
      t.equal(checkChosenSecret(secret), undefined, secret);
    }
    t.end();
  },
);

t.test(
  'whatever may be chosen parses back as chosen, for random texts over letters, dashes and spaces',
  (t) => {
    const random = seededRandom(t);
    const characters = [...'abcXYZ019-- .!éU'];
    let allowed = 0;
    for (let n = 0; n < 20_000; n++) {
      const length = 1 + random.integer(20);
      const secret = Array.from({ length }, () => characters[random.integer(characters.length)]).join('');
      if (checkChosenSecret(secret) !== undefined) continue;
      allowed++;
      const parsed = parsePassword(printChosen(NAMEPLATE, secret));
      if (parsed.kind !== 'chosen' || parsed.secret !== secret) t.fail(JSON.stringify(secret));
    }
    t.ok(allowed > 5_000, `${allowed} allowed`);
    t.end();
  },
);

t.test('the bits of a chosen secret are those of its kinds of characters, an upper bound', (t) => {
  const most: [secret: string, count: number][] = [
    ['abcd', 26 ** 4],
    ['1234', 10 ** 4],
    ['ab12', 36 ** 4],
    ['aB1!', 95 ** 4],
    ['café', (26 + 432) ** 4],
    ['Каша', 448 ** 4],
    ['密码密码', 154_998 ** 4],
  ];
  for (const [secret, count] of most)
    t.ok(Math.abs(2 ** chosenSecretBits(secret) / count - 1) < 1e-9, secret);
  t.match(parsePassword(`${NAMEPLATE}-abcd`), { kind: 'chosen', bits: chosenSecretBits('abcd') });
  t.end();
});

t.test('the odds of a chosen secret are stated below 50 bits, and never as better than they can be', (t) => {
  t.match(
    guessOdds(chosenSecretBits('abcd')),
    'one guess each time it is dialled: there are at most 456,976 secrets',
  );
  t.match(guessOdds(chosenSecretBits('1234')), 'at most 10,000 secrets');
  t.match(
    guessOdds(chosenSecretBits('abcdefgh')),
    'at most 210,000,000,000 secrets',
    '26^8 is 208,827,064,576',
  );
  t.equal(guessOdds(50), undefined);
  t.type(guessOdds(49.9), 'string');
  t.match(BARE_ODDS, /anybody who can dial the relay can try it, and three wrong tries, .* burn it\.$/);
  t.end();
});

t.test('the PRS of a made secret is its symbols, and nothing else passes for one', (t) => {
  t.same(Buffer.from(prsOfMade('K7QF9T2MX3')).toString('ascii'), 'K7QF9T2MX3');
  for (const secret of ['K7QF9-T2MX3', 'k7qf9t2mx3', 'K7QF9T2MX', 'K7QF9T2MXU', '']) {
    t.throws(() => prsOfMade(secret), RangeError);
  }
  t.end();
});

t.test('a chosen secret is stretched by scrypt under a salt of its nameplate', async (t) => {
  const { salt, keyBytes, options } = stretchParameters(NAMEPLATE);
  t.equal(Buffer.from(salt).toString(), 'secure-telnet/1AB3D9Z');
  t.equal(keyBytes, 32);
  t.same(options, { N: 16_384, r: 8, p: 1 });
  t.same(chosenSecretBytes('e\u0301té'), Buffer.from('été', 'utf8'));
  t.equal(Buffer.from(stretchParameters(BARE_NAMEPLATE).salt).toString(), 'secure-telnet/1');
  const stretch = promisify<Uint8Array, Uint8Array, number, typeof options, Buffer>(scrypt);
  // Computed once with the Python standard library: hashlib.scrypt(b'cisco', salt=b'secure-telnet/1AB3D9Z', ...).
  t.equal(
    (await stretch(chosenSecretBytes('cisco'), salt, keyBytes, options)).toString('hex'),
    'ee073e2105ca79622ef62c281610d91fd8533439a6414b165feb6be6e10db205',
  );
});

t.test(
  'an engineer password is two groups of five and is typed back in any case, with or without dash',
  (t) => {
    const random = seededRandom(t);
    for (let n = 0; n < 200; n++) {
      const printed = makeEngineerPassword(random.bytes);
      t.match(printed, /^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$/);
      for (const typed of [
        printed,
        printed.toLowerCase(),
        printed.replace('-', ''),
        ` ${printed.replace('-', ' ')} `,
      ]) {
        t.equal(foldEngineerPassword(typed), printed);
      }
    }
    t.equal(foldEngineerPassword('oooOO-iIlL1'), '00000-11111');
    for (const typed of ['', 'K7QF9', 'K7QF9-T2MX', 'K7QF9-T2MX3C', 'K7QF9-T2MXU']) {
      t.equal(foldEngineerPassword(typed), undefined);
    }
    t.end();
  },
);

function madeOf(nameplate: string, secret: string): MadePassword {
  const printed = `${nameplate}-${secret.slice(0, 5)}-${secret.slice(5)}-${checkCharacter(nameplate + secret)}`;
  return { printed, nameplate, secret };
}

function parsedOf({ nameplate, secret }: MadePassword): ParsedPassword {
  return { kind: 'made', nameplate, secret, bits: 50 };
}

/** In ASCII: TAP does not survive a line separator in a name. */
function inAscii(text: string): string {
  return text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`);
}

function isSame(parsed: ParsedPassword, made: MadePassword): boolean {
  return parsed.kind === 'made' && parsed.nameplate === made.nameplate && parsed.secret === made.secret;
}

/** Every deletion of one character, and every insertion and substitution of one of printable ASCII. */
function* singleEdits(printed: string): Generator<string> {
  for (let i = 0; i <= printed.length; i++) {
    if (i < printed.length) yield printed.slice(0, i) + printed.slice(i + 1);
    for (const character of PRINTABLE_ASCII) {
      yield printed.slice(0, i) + character + printed.slice(i);
      if (i < printed.length) yield printed.slice(0, i) + character + printed.slice(i + 1);
    }
  }
}

function* symbolSubstitutions(printed: string): Generator<string> {
  for (let i = 0; i < printed.length; i++) {
    if (printed[i] === '-') continue;
    for (const symbol of SYMBOLS) {
      if (symbol !== printed[i]) yield printed.slice(0, i) + symbol + printed.slice(i + 1);
    }
  }
}

function* symbolExchanges(printed: string): Generator<string> {
  const characters = [...printed];
  for (let i = 0; i < characters.length; i++) {
    for (let j = i + 1; j < characters.length; j++) {
      const [a, b] = [characters[i], characters[j]];
      if (a === '-' || b === '-' || a === b) continue;
      yield characters.with(i, b).with(j, a).join('');
    }
  }
}
