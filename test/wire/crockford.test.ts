/** Crockford symbols: folding, random symbols, and the exhaustive proof of what the check character catches. */
import t from 'tap';
import { checkCharacter, foldSymbols, randomSymbols, SYMBOLS } from '../../src/wire/crockford.ts';
import { seededRandom } from './seeded.ts';
import type { SeededRandom } from './seeded.ts';

const DATA_SYMBOLS = 16;

t.test('folding raises case and reads O as 0, I and L as 1', (t) => {
  t.equal(foldSymbols(SYMBOLS), SYMBOLS);
  t.equal(foldSymbols(SYMBOLS.toLowerCase()), SYMBOLS);
  t.equal(foldSymbols('OoIiLl'), '001111');
  t.equal(foldSymbols(''), '');
  t.end();
});

t.test('folding refuses U, signs, spaces and letters of other scripts that only look alike', (t) => {
  for (const text of ['U', 'u', '-', ' ', 'A!', '\u0410', '\u212a', '\u0131', '\u017f', '\uff21']) {
    t.equal(foldSymbols(text), undefined, JSON.stringify(text));
  }
  t.end();
});

t.test('random symbols take five bits each, the high bits first, and wipe the bytes they came from', (t) => {
  const bytes = Uint8Array.from([0b00000_000, 0b01_00010_0, 0b0011_0010, 0b0_00101_11]);
  t.equal(
    randomSymbols((length) => (t.equal(length, 4), bytes), 6),
    '012345',
  );
  t.same([...bytes], [0, 0, 0, 0]);
  t.equal(
    randomSymbols((length) => (t.equal(length, 7), new Uint8Array(7).fill(255)), 10),
    'ZZZZZZZZZZ',
  );
  t.end();
});

t.test('each symbol of the alphabet comes up about equally often', (t) => {
  const counts = new Map<string, number>();
  const symbols = randomSymbols(seededRandom(t).bytes, 64_000);
  for (const symbol of symbols) counts.set(symbol, (counts.get(symbol) ?? 0) + 1);
  t.equal(counts.size, 32);
  // 2,000 expected each, standard deviation 44: seven of them are never seen by chance.
  for (const count of counts.values()) t.ok(Math.abs(count - 2_000) < 310);
  t.end();
});

t.test('the check character refuses what it cannot cover', (t) => {
  t.throws(() => checkCharacter(''), RangeError);
  t.throws(() => checkCharacter('0'.repeat(31)), RangeError);
  t.throws(() => checkCharacter('O'), RangeError, 'unfolded');
  t.end();
});

t.test('proof, step 1: the sum is linear, for every pair of positions and every pair of values', (t) => {
  let broken = 0;
  for (let i = 0; i < DATA_SYMBOLS; i++) {
    for (let a = 0; a < 32; a++) {
      for (let b = 0; b < 32; b++) {
        if (checkOf([i, a ^ b]) !== (checkOf([i, a]) ^ checkOf([i, b]))) broken++;
        for (let j = i + 1; j < DATA_SYMBOLS; j++) {
          if (checkOf([i, a], [j, b]) !== (checkOf([i, a]) ^ checkOf([j, b]))) broken++;
        }
      }
    }
  }
  t.equal(broken, 0);
  t.end();
});

t.test(
  'proof, step 2: no difference at one position sums to zero, so every single wrong symbol shows',
  (t) => {
    let missed = 0;
    for (let i = 0; i < DATA_SYMBOLS; i++) {
      for (let difference = 1; difference < 32; difference++) if (checkOf([i, difference]) === 0) missed++;
    }
    t.equal(missed, 0);
    t.end();
  },
);

t.test('proof, step 3: equal differences at two positions never cancel, so every exchange shows', (t) => {
  let missed = 0;
  for (let difference = 1; difference < 32; difference++) {
    for (let i = 0; i < DATA_SYMBOLS; i++) {
      for (let j = i + 1; j < DATA_SYMBOLS; j++) {
        if (checkOf([i, difference], [j, difference]) === 0) missed++;
      }
      // Exchanged with the check character, whose own weight is 1.
      if (checkOf([i, difference]) === difference) missed++;
    }
  }
  t.equal(missed, 0);
  t.end();
});

t.test(
  'in random words every substitution and every exchange is caught, the check character included',
  (t) => {
    const random = seededRandom(t);
    const words = 200;
    let missed = 0;
    for (let n = 0; n < words; n++) {
      const symbols = randomSymbols(random.bytes, DATA_SYMBOLS);
      const word = symbols + checkCharacter(symbols);
      for (const wrong of [...substitutions(word), ...exchanges(word)]) if (fits(wrong)) missed++;
    }
    t.equal(missed, 0);
    t.end();
  },
);

t.test('in random words several errors at once are missed about once in 32', (t) => {
  const random = seededRandom(t);
  const trials = 20_000;
  let missed = 0;
  for (let n = 0; n < trials; n++) {
    const symbols = randomSymbols(random.bytes, DATA_SYMBOLS);
    const other = randomSymbols(random.bytes, DATA_SYMBOLS);
    if (checkCharacter(symbols) === checkCharacter(other)) missed++;
  }
  t.ok(missed > trials / 64 && missed < trials / 20, `${missed} of ${trials}`);
  t.end();
});

t.test('sums of random words add up as their symbols do', (t) => {
  const random = seededRandom(t);
  for (let n = 0; n < 500; n++) {
    const a = randomValues(random);
    const b = randomValues(random);
    const sum = a.map((value, i) => value ^ b[i]);
    t.equal(checkOf(...sum.entries()), checkOf(...a.entries()) ^ checkOf(...b.entries()));
  }
  t.end();
});

/** The check value of a word that is zero except at the given positions. */
function checkOf(...symbols: [position: number, value: number][]): number {
  const values = new Array<number>(DATA_SYMBOLS).fill(0);
  for (const [position, value] of symbols) values[position] = value;
  return SYMBOLS.indexOf(checkCharacter(values.map((value) => SYMBOLS[value]).join('')));
}

function randomValues(random: SeededRandom): number[] {
  return Array.from({ length: DATA_SYMBOLS }, () => random.integer(32));
}

function fits(word: string): boolean {
  return checkCharacter(word.slice(0, DATA_SYMBOLS)) === word[DATA_SYMBOLS];
}

function* substitutions(word: string): Generator<string> {
  for (let i = 0; i < word.length; i++) {
    for (const symbol of SYMBOLS) if (symbol !== word[i]) yield word.slice(0, i) + symbol + word.slice(i + 1);
  }
}

function* exchanges(word: string): Generator<string> {
  for (let i = 0; i < word.length; i++) {
    for (let j = i + 1; j < word.length; j++) {
      if (word[i] === word[j]) continue;
      yield word.slice(0, i) + word[j] + word.slice(i + 1, j) + word[i] + word.slice(j + 1);
    }
  }
}
