import t from 'tap';
import { checkBytes, checkInteger, invariant } from '../../src/base/check.ts';

t.test('a value within its bounds is returned', async (t) => {
  t.equal(checkInteger('n', 3, 0, 3), 3);
  const bytes = new Uint8Array(2);
  t.equal(checkBytes('b', bytes, 2), bytes);
  t.doesNotThrow(() => invariant(true, 'x'));
});

t.test('a wrong one throws with the label of the caller', async (t) => {
  t.throws(() => checkInteger('sessionsMax', 1.5, 0, 9), {
    name: 'RangeError',
    message: /sessionsMax .* 0 to 9, got 1.5/,
  });
  t.throws(() => checkInteger('n', 10, 0, 9), RangeError);
  t.throws(() => checkBytes('share', new Uint8Array(3), 2), /share must be 2 bytes, got 3/);
  t.throws(() => checkBytes('share', 'ab' as unknown as Uint8Array, 2), TypeError);
  t.throws(() => invariant(false, 'rows agree'), /invariant broken: rows agree/);
});
