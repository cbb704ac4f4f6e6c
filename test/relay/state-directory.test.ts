import { chmodSync, chownSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { locateState, prepareState } from '../../src/relay/state-directory.ts';
import { temporaryFolder } from '../helpers/rig.ts';

const NEEDS_ROOT = { skip: process.getuid?.() !== 0 && 'needs root' };
const NOBODY = { name: 'nobody', uid: 65_534, gid: 65_534 };
const USER = { env: {}, homeDirectory: '/home/op', isRoot: false };

t.test('by option, by XDG, by home, by being root', async (t) => {
  t.equal(locateState('/srv/relay', USER).path, '/srv/relay');
  t.equal(locateState(null, { ...USER, env: { XDG_STATE_HOME: '/xdg' } }).path, '/xdg/secure-telnet');
  t.equal(
    locateState(null, { ...USER, env: { XDG_STATE_HOME: '' } }).path,
    '/home/op/.local/state/secure-telnet',
  );
  t.equal(locateState(null, { ...USER, isRoot: true }).path, '/var/lib/secure-telnet');
  t.equal(locateState('/srv/relay', USER).controlSocket, '/srv/relay/control.sock');
});

t.test('a path too long for a Unix socket is refused before anything is made', async (t) => {
  t.throws(() => locateState(`/${'x'.repeat(120)}`, USER), /choose a shorter --state/);
});

t.test('made private, and made private again', async (t) => {
  const state = locateState(join(temporaryFolder(t), 'a', 'b'), USER);
  prepareState(state, null);
  t.equal(statSync(state.path).mode & 0o777, 0o700);
  chmodSync(state.path, 0o755);
  prepareState(state, null);
  t.equal(statSync(state.path).mode & 0o777, 0o700);
});

t.test('what cannot be a directory is named with the fix', async (t) => {
  const file = join(temporaryFolder(t), 'file');
  writeFileSync(file, '');
  t.throws(
    () => prepareState(locateState(file, USER), null),
    /state directory .*file cannot be used \(EEXIST\).*--state/,
  );
  t.throws(() => prepareState(locateState(join(file, 'below'), USER), null), /ENOTDIR/);
});

t.test('a folder of something else is left as it is', async (t) => {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'thesis.tex'), '');
  for (const runAs of [null, NOBODY]) {
    t.throws(() => prepareState(locateState(folder, USER), runAs), {
      name: 'OperatorError',
      message: /^state directory .* is not empty and no relay's; name a new one with --state DIR$/,
    });
  }
  t.match(statSync(folder), { mode: 0o40755, uid: process.getuid?.() });
});

t.test('a file system of its own is as good as empty', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'lost+found'));
  t.doesNotThrow(() => prepareState(locateState(folder, USER), null));
});

t.test('handed to the user the relay will be, with what is ours in it', NEEDS_ROOT, async (t) => {
  const path = join(temporaryFolder(t), 'state');
  mkdirSync(path);
  const [audit, link, other, target] = ['audit.jsonl', 'accounts.json', 'notes', 'target'].map((name) =>
    join(path, name),
  );
  for (const file of [audit, other, target]) writeFileSync(file, '');
  symlinkSync(target, link);
  prepareState(locateState(path, USER), NOBODY);
  const owners = [path, audit, link, other, target].map((file) => lstatSync(file).uid);
  t.same(owners, [NOBODY.uid, NOBODY.uid, NOBODY.uid, 0, 0]);
  t.doesNotThrow(() => prepareState(locateState(path, USER), NOBODY), 'the next start');
});

t.test('made by root, it is within reach of the user the relay will be', NEEDS_ROOT, async (t) => {
  const above = join(temporaryFolder(t), 'above');
  prepareState(locateState(join(above, 'state'), USER), NOBODY);
  t.equal(statSync(above).mode & 0o5, 0o5);
  t.match(statSync(join(above, 'state')), { mode: 0o40700, uid: NOBODY.uid });
});

t.test("root takes neither another user's directory nor one behind a link", NEEDS_ROOT, async (t) => {
  const folder = temporaryFolder(t);
  const [path, link] = [join(folder, 'state'), join(folder, 'link')];
  mkdirSync(path, 0o755);
  symlinkSync(path, link);
  t.throws(() => prepareState(locateState(link, USER), NOBODY), /link is a symbolic link; name its target/);
  t.equal(statSync(path).uid, 0);
  chownSync(path, 1_234, 1_234);
  t.throws(
    () => prepareState(locateState(path, USER), NOBODY),
    /state directory .* belongs to neither root nor nobody; give another with --state/,
  );
  t.match(statSync(path), { mode: 0o40755, uid: 1_234 });
});
