/**
 * Who gets in at `relay login:`, and what they may do there.
 */
import t from 'tap';
import { account, comeIn, dialEngineer, inviteFor } from '../helpers/people.ts';
import { startDaemon, startRig } from '../helpers/rig.ts';

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

t.test('an account that is disabled while it waits for a customer gets no visit', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const invited = await inviteFor(rig, 'account');
  const engineer = await dialEngineer(rig);
  await comeIn(engineer, 'account', invited);
  await engineer.has('Waiting for the customer');
  rig.relay.accounts.disable(account.name);
  const customer = rig.connect(invited.customerPassword, daemon.address);
  await customer.shows('waiting for the engineer');
  await engineer.has('This account was disabled.');
  t.equal(rig.relay.sessions.stateOf(invited.session), 'awaitingEngineer');
  t.notMatch(customer.screen(), /Visit asked for/);
});
