import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { locateState, prepareState } from '../../src/relay/state-directory.ts';
import { temporaryFolder } from '../helpers/rig.ts';

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

t.test(
  'handed to the user the relay will be, with what is in it',
  { skip: process.getuid?.() !== 0 },
  async (t) => {
    const path = join(temporaryFolder(t), 'state');
    mkdirSync(path);
    writeFileSync(join(path, 'audit.jsonl'), '');
    prepareState(locateState(path, USER), { name: 'nobody', uid: 65_534, gid: 65_534 });
    t.equal(statSync(path).uid, 65_534);
    t.equal(statSync(join(path, 'audit.jsonl')).uid, 65_534);
  },
);
