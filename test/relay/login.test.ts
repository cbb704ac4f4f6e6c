/**
 * Who gets in at `relay login:`, and by which names a session is known there.
 */
import t from 'tap';
import { startDaemon, startRig } from '../helpers/rig.ts';

t.test(
  'a session is named by its id, the target, its address, and the connector itself; the password decides',
  async (t) => {
    const rig = await startRig(t);
    const daemon = await startDaemon(t);
    const other = await startDaemon(t);
    const [first, second] = [await rig.invite(), await rig.invite()];
    const customers = [
      rig.connect(first.customerPassword, { host: 'localhost', port: daemon.address.port }),
      rig.connect(second.customerPassword, other.address),
    ];
    for (const customer of customers) await customer.shows('waiting for the engineer');
    const find = (name: string, password: string) => rig.relay.sessions.findByPassword(name, password)?.id;
    const ids = [first.session.id, first.session.id.replace('-', ''), ` ${first.session.id} `];
    const targets = ['localhost', `localhost:${daemon.address.port}`, 'LocalHost', '127.0.0.1', '::1'];
    for (const name of [...ids, 'site.test', 'SITE.TEST'])
      t.equal(find(name, first.engineerPassword), first.session.id, name);
    t.ok(targets.some((name) => find(name, first.engineerPassword) === first.session.id));
    t.equal(find('localhost', first.engineerPassword), first.session.id);
    t.equal(find('127.0.0.1', second.engineerPassword), second.session.id);
    t.equal(find('site.test', second.engineerPassword), second.session.id, 'both bear this name');
  },
);

t.test('other names, other passwords and empty ones find nothing', async (t) => {
  const rig = await startRig(t);
  const { session, engineerPassword } = await rig.invite();
  const find = (name: string, password: string) => rig.relay.sessions.findByPassword(name, password);
  t.equal(find('', engineerPassword), null);
  t.equal(find('0000-0000', engineerPassword), null);
  t.equal(find('site.test', engineerPassword), null, 'no customer yet, so no such name');
  t.equal(find(session.id, ''), null);
  t.equal(find(session.id, engineerPassword)?.id, session.id);
});

t.test('the engineer password is taken in any case, with or without its dash', async (t) => {
  const rig = await startRig(t);
  const { session, engineerPassword } = await rig.invite();
  for (const typed of [engineerPassword, engineerPassword.toLowerCase(), engineerPassword.replace('-', '')]) {
    const engineer = await rig.dial();
    await engineer.logIn(session.id, typed);
    await engineer.has('Waiting for the customer');
    engineer.socket.destroy();
  }
});

t.test('whatever is wrong, the answer is the same; the third drops the line', async (t) => {
  const rig = await startRig(t);
  await rig.relay.accounts.add('alice', 'engineer', 'correct horse');
  const { session } = await rig.invite();
  const engineer = await rig.dial();
  const tries = [
    ['alice', 'wrong'],
    ['nobody', 'correct horse'],
    [session.id, 'AAAAA-AAAAA'],
  ] as const;
  for (const [name, password] of tries) engineer.write(`${name}\r\n${password}\r\n`);
  await engineer.ended;
  t.equal(engineer.text.split('Login incorrect\r\n').length - 1, 3);
  t.notMatch(rig.log(), /AAAAA-AAAAA|correct horse/);
});

t.test('a disabled account is out, also in the middle of a dialogue', async (t) => {
  const rig = await startRig(t);
  await rig.relay.accounts.add('alice', 'engineer', 'correct horse');
  const engineer = await rig.dial();
  await engineer.logIn('alice', 'correct horse');
  await engineer.has('relay> ');
  rig.relay.accounts.disable('alice');
  engineer.write('new\r\n');
  await engineer.has('This account was disabled.');
  await engineer.ended;
});

t.test('sessions of others are not listed and not opened, but by an admin', async (t) => {
  const rig = await startRig(t);
  for (const [name, role] of [
    ['alice', 'engineer'],
    ['bob', 'engineer'],
    ['root', 'admin'],
    ['eve', 'observer'],
  ] as const) {
    await rig.relay.accounts.add(name, role, 'correct horse');
  }
  const { session } = await rig.invite({ owner: 'alice', label: 'hers' });
  const says = async (name: string, command: string, text: string): Promise<void> => {
    const engineer = await rig.dial();
    await engineer.logIn(name, 'correct horse');
    await engineer.has('relay> ');
    engineer.write(`${command}\r\n`);
    await engineer.has(text);
    engineer.socket.destroy();
  };
  await says('alice', 'list', session.id);
  await says('root', 'list', session.id);
  await says('bob', 'list', 'No sessions.');
  await says('eve', 'list', 'No sessions.');
  await says('bob', `open ${session.id}`, `There is no session ${session.id}`);
  await says('eve', `open ${session.id}`, 'An observer cannot make or open sessions.');
  await says('eve', 'new', 'An observer cannot make or open sessions.');
  await says('root', `open ${session.id}`, 'Waiting for the customer');
  await says('alice', `open ${session.id}`, 'Waiting for the customer');
  t.pass('all as it should be');
});
