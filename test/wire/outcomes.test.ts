/** Outcome words: closed, unambiguous both ways, and exit statuses within the range that is theirs. */
import t from 'tap';
import {
  outcomeCode,
  outcomeOfCode,
  outcomeRow,
  OUTCOMES,
  type OutcomeRow,
} from '../../src/wire/outcomes.ts';

t.test('a word and its code name each other', async (t) => {
  for (const row of OUTCOMES) {
    t.equal(outcomeRow(row.word), row);
    t.equal(outcomeOfCode(outcomeCode(row.word)), row.word);
  }
});

t.test('codes are distinct, and fit the byte that carries them without using 0', async (t) => {
  t.equal(new Set(OUTCOMES.map((row) => row.code)).size, OUTCOMES.length);
  for (const { code } of OUTCOMES) t.ok(Number.isInteger(code) && code >= 1 && code <= 255);
});

t.test('a code that is not known has no outcome', async (t) => {
  for (const code of [0, OUTCOMES.length + 1, 255, -1, 1.5]) t.equal(outcomeOfCode(code), null);
});

t.test(
  'only the two orderly ends of a visit exit with 0; every other word has a status of its own',
  async (t) => {
    const rows: readonly OutcomeRow[] = OUTCOMES;
    const orderly = rows.filter((row) => row.exitStatus === 0).map((row) => row.word);
    t.same(orderly, ['engineer', 'daemon']);
    const others = rows.filter((row) => row.exitStatus !== 0).map((row) => row.exitStatus);
    t.equal(new Set(others).size, others.length);
    t.ok(
      others.every((status) => status >= 3 && status < 20),
      '1, 2 and 20.. are not outcomes',
    );
  },
);

t.test('both people get one sentence', async (t) => {
  for (const row of OUTCOMES) {
    t.match(row.forEngineer, /^[A-Z][^\r\n]*\.$/);
    t.match(row.forCustomer, /^[A-Z][^\r\n]*\.$/);
  }
});
