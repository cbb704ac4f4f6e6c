import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { writeWhole } from '../../src/relay/whole-file.ts';
import { runOnFullDisk } from '../helpers/full-disk.ts';
import { temporaryFolder } from '../helpers/rig.ts';

t.test('a file is made private, then replaced whole, and nothing else is left', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'things.json');
  for (const text of ['["a longer text"]\n', '[]\n', '']) {
    writeWhole(file, text, 'things file');
    t.equal(readFileSync(file, 'utf8'), text);
    t.equal(statSync(file).mode & 0o777, 0o600);
  }
  t.same(readdirSync(folder), ['things.json']);
});

t.test("what a crash left of an earlier write is in nobody's way", async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'things.json');
  writeFileSync(`${file}.new`, 'half of something much lon');
  writeWhole(file, 'new\n', 'things file');
  t.equal(readFileSync(file, 'utf8'), 'new\n');
  t.same(readdirSync(folder), ['things.json']);
});

t.test('a file that cannot be written is one line with its name, and the old text stays', async (t) => {
  const folder = temporaryFolder(t);
  const missing = join(folder, 'no-such-folder', 'things.json');
  t.throws(() => writeWhole(missing, 'new\n', 'things file'), {
    name: 'OperatorError',
    message: `things file ${missing} cannot be written (ENOENT), nothing is changed; make room on its disk, or mend the owner or mode of its directory`,
  });
  const inTheWay = join(folder, 'things.json');
  mkdirSync(inTheWay);
  t.throws(() => writeWhole(inTheWay, 'new\n', 'things file'), / cannot be written \(EISDIR\)/);
  t.same(readdirSync(folder), ['things.json']);
});

const WRITE_TOO_MUCH = `
  const [, module, file] = process.argv;
  const { writeWhole } = await import(module);
  writeWhole(file, 'old', 'things file');
  let failure = null;
  try {
    writeWhole(file, 'x'.repeat(2_000), 'things file');
  } catch ({ name, message }) {
    failure = { name, message };
  }
  console.log(JSON.stringify(failure));
`;

t.test('a disk that is full leaves the old text and no part of the new one', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'things.json');
  const module = new URL('../../src/relay/whole-file.js', import.meta.url).href;
  t.match(runOnFullDisk(WRITE_TOO_MUCH, module, file), {
    name: 'OperatorError',
    message: /^things file .* cannot be written \(EFBIG\)/,
  });
  t.equal(readFileSync(file, 'utf8'), 'old');
  t.same(readdirSync(folder), ['things.json']);
});
