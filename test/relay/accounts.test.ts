import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { Accounts } from '../../src/relay/accounts.ts';
import { Stretcher } from '../../src/relay/stretching.ts';
import { runOnFullDisk } from '../helpers/full-disk.ts';
import { temporaryFolder } from '../helpers/rig.ts';

const FROM = '192.0.2.1';
const open = (file: string) => new Accounts(file, new Stretcher());

t.test('an account can log in with its password and nothing else, also after a restart', async (t) => {
  const file = join(temporaryFolder(t), 'accounts.json');
  await open(file).add('alice', 'admin', 'correct horse');
  const accounts = open(file);
  t.match(await accounts.check('alice', 'correct horse', FROM), { name: 'alice', role: 'admin' });
  for (const [name, password] of [
    ['alice', 'correct hors'],
    ['alice', ''],
    ['bob', 'correct horse'],
    ['__proto__', 'correct horse'],
  ] as const) {
    t.equal(await accounts.check(name, password, FROM), null, `${name} ${password}`);
  }
});

t.test('the file is private and holds no password', async (t) => {
  const file = join(temporaryFolder(t), 'accounts.json');
  await open(file).add('alice', 'engineer', 'correct horse');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.notMatch(readFileSync(file, 'utf8'), /correct/);
});

t.test('passwd, disable and remove', async (t) => {
  const accounts = open(join(temporaryFolder(t), 'accounts.json'));
  await accounts.add('alice', 'engineer', 'correct horse');
  await accounts.setPassword('alice', 'battery staple');
  t.equal(await accounts.check('alice', 'correct horse', FROM), null);
  t.ok(await accounts.check('alice', 'battery staple', FROM));
  t.ok(accounts.enabled('alice'));
  accounts.disable('alice');
  t.equal(accounts.enabled('alice'), null);
  t.equal(await accounts.check('alice', 'battery staple', FROM), null);
  t.same(accounts.list(), [{ name: 'alice', role: 'engineer', disabled: true }]);
  accounts.remove('alice');
  t.same(accounts.list(), []);
  t.equal(accounts.has('alice'), false);
});

t.test('the same password in either Unicode form', async (t) => {
  const accounts = open(join(temporaryFolder(t), 'accounts.json'));
  await accounts.add('alice', 'engineer', 'caf\u00e9 caf\u00e9');
  t.ok(await accounts.check('alice', 'cafe\u0301 cafe\u0301', FROM));
});

t.test('names that look like a session id or an address are refused', async (t) => {
  const accounts = open(join(temporaryFolder(t), 'accounts.json'));
  for (const name of [
    '4821-9375',
    '48219375',
    '10.0.0.1',
    '::1',
    'host.example',
    '',
    'a b',
    '-x',
    'x'.repeat(33),
    'r\u00e9',
  ]) {
    await t.rejects(
      accounts.add(name, 'engineer', 'correct horse'),
      /account names begin with a letter/,
      name,
    );
  }
});

t.test('what cannot be done says what to do', async (t) => {
  const accounts = open(join(temporaryFolder(t), 'accounts.json'));
  await accounts.add('alice', 'engineer', 'correct horse');
  await t.rejects(accounts.add('alice', 'engineer', 'correct horse'), /relayapp user passwd alice/);
  await t.rejects(accounts.add('bob', 'engineer', 'short'), /8 characters or more/);
  await t.rejects(accounts.add('bob', 'engineer', 'control\u0001characters'), /no control characters/);
  await t.rejects(accounts.setPassword('bob', 'correct horse'), /there is no account "bob"/);
  t.throws(() => accounts.disable('bob'), /relayapp user list/);
  t.throws(() => accounts.remove('bob'), /relayapp user list/);
});

t.test('two additions of one name at once: one wins', async (t) => {
  const accounts = open(join(temporaryFolder(t), 'accounts.json'));
  const results = await Promise.allSettled([
    accounts.add('alice', 'engineer', 'correct horse'),
    accounts.add('alice', 'admin', 'battery staple'),
  ]);
  t.same(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  t.equal(accounts.list().length, 1);
});

t.test('a file that holds no accounts stops the start instead of being replaced', async (t) => {
  const file = join(temporaryFolder(t), 'accounts.json');
  for (const text of ['', '{}', '[1]', '[{"name":"a"}]', 'null']) {
    writeFileSync(file, text);
    t.throws(() => open(file), /cannot be read .* restore it/, text);
    t.equal(readFileSync(file, 'utf8'), text);
  }
});

/** Adds accounts until that fails; prints how many there are, and the failure. */
const ADD_MANY = `
  const [, accountsModule, stretchingModule, file] = process.argv;
  const { Accounts } = await import(accountsModule);
  const { Stretcher } = await import(stretchingModule);
  const accounts = new Accounts(file, new Stretcher());
  const add = () => accounts.add('name' + accounts.list().length, 'engineer', 'correct horse').then(add);
  const { name, message } = await add().catch((error) => error);
  console.log(JSON.stringify({ name, message, count: accounts.list().length }));
`;

t.test('a disk that is full: one line, the old file stays, nothing else is left', async (t) => {
  const file = join(temporaryFolder(t), 'accounts.json');
  const modules = ['accounts', 'stretching'].map(
    (name) => new URL(`../../src/relay/${name}.js`, import.meta.url).href,
  );
  const { count, ...failure } = runOnFullDisk(ADD_MANY, ...modules, file) as { count: number };
  t.match(failure, {
    name: 'OperatorError',
    message: /^accounts file .* cannot be written \(EFBIG\), nothing is changed; make room .*$/,
  });
  t.ok(count > 1);
  t.equal(open(file).list().length, count);
  t.same(readdirSync(dirname(file)), ['accounts.json']);
});
