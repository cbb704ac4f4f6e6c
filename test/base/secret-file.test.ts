import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readSecretFile } from '../../src/base/secret-file.ts';
import { temporaryFolder } from '../helpers/rig.ts';

const us = process.geteuid!();

function fileOf(t: Test, content: string | Uint8Array, mode = 0o600): string {
  const file = join(temporaryFolder(t), 'password');
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

t.test('the first line counts, however it ends and whatever follows', async (t) => {
  for (const content of ['secret', 'secret\n', 'secret\r\nmore\n', 'secret\rmore', '  secret \nmore'])
    t.equal(readSecretFile(fileOf(t, content), us), 'secret', JSON.stringify(content));
  t.equal(readSecretFile(fileOf(t, 'two words\n'), us), 'two words');
});

t.test("what Windows' editors and shells make of it is read, too", async (t) => {
  t.equal(readSecretFile(fileOf(t, '\ufeffs\u00e9cret\r\n')), 's\u00e9cret');
  t.equal(readSecretFile(fileOf(t, Buffer.from('\ufeffs\u00e9cret\r\n', 'utf16le'))), 's\u00e9cret');
});

t.test('a file of ours that others may use is refused, with its mode and the fix', async (t) => {
  for (const mode of [0o644, 0o640, 0o604, 0o620, 0o601]) {
    const file = fileOf(t, 'secret\n', mode);
    const shown = mode.toString(8).padStart(4, '0');
    t.throws(() => readSecretFile(file, us), {
      message: `password file ${file} may be read by others (mode ${shown}); make it yours alone: chmod 600`,
      status: 2,
    });
    t.equal(readSecretFile(file, us + 1), 'secret', 'as a credential of systemd, which is not ours');
    t.equal(readSecretFile(file), 'secret', 'where files have no owner');
  }
  for (const mode of [0o600, 0o400, 0o700]) t.equal(readSecretFile(fileOf(t, 's', mode), us), 's');
});

t.test('a file that is not there, or no file, is told in one line', async (t) => {
  const folder = temporaryFolder(t);
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', ['-m', '600', pipe]);
  mkdirSync(join(folder, 'folder'), { mode: 0o700 });
  const cases: Record<string, RegExp> = {
    nowhere: /nowhere cannot be read \(ENOENT\); name another, or mend its permissions$/,
    pipe: /pipe is no ordinary file; name one$/,
    folder: /folder is no ordinary file; name one$/,
  };
  for (const [name, message] of Object.entries(cases))
    t.throws(() => readSecretFile(join(folder, name), us), { message, status: 2 });
});

t.test('an empty first line, and more than a password, are refused', async (t) => {
  for (const content of ['', '\n', ' \nsecret\n'])
    t.throws(
      () => readSecretFile(fileOf(t, content), us),
      /has no password in its first line; put it there$/,
    );
  t.throws(() => readSecretFile(fileOf(t, 'x'.repeat(4_097)), us), /is longer than 4096 bytes/);
  t.equal(readSecretFile(fileOf(t, 'x'.repeat(4_096)), us).length, 4_096);
});
