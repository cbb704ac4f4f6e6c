/**
 * Who gets in at `relay login:`, and what they may do there.
 */
import t from 'tap';
import { FakeClock } from '../helpers/fake-clock.ts';
import {
  account,
  dialEngineer,
  inviteFor,
  logInAccount,
  showsTimes,
  waitForCustomer,
} from '../helpers/people.ts';
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

for (const [what, password, answer] of [
  ['wrong', 'wrong password', 'Login incorrect'],
  ['right', account.password, `Welcome, ${account.name}. Type help for the commands.`],
] as const) {
  t.test(`a ${what} password is answered by a relay that stops, and nothing more is asked`, async (t) => {
    const rig = await startRig(t);
    await inviteFor(rig, 'account');
    const engineer = await rig.dial();
    const checking = new Promise<void>((resolve) => {
      const { accounts } = rig.relay;
      const check = accounts.check.bind(accounts);
      accounts.check = (...asked) => (resolve(), check(...asked));
    });
    await engineer.logIn(account.name, password);
    await checking;
    const stopped = rig.relay.stop();
    await engineer.ended;
    engineer.socket.end();
    await stopped;
    t.ok(engineer.text.endsWith(`${answer}\r\n[relay: the relay is shutting down]\r\n`), engineer.text);
  });
}

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
  const { invited, engineer } = await waitForCustomer(rig);
  rig.relay.accounts.disable(account.name);
  const customer = rig.connect(invited.customerPassword, daemon.address);
  await customer.shows('waiting for the engineer');
  await engineer.has('This account was disabled.');
  t.equal(rig.relay.sessions.stateOf(invited.session), 'awaitingEngineer');
  t.notMatch(customer.screen(), /Visit asked for/);
});

t.test('what an account may do is what it may do now, not at its login', async (t) => {
  const rig = await startRig(t);
  const { accounts } = rig.relay;
  await accounts.add('root', 'admin', 'correct horse');
  const { session } = await rig.invite({ owner: 'alice' });
  const engineer = await rig.dial();
  await engineer.logIn('root', 'correct horse');
  await engineer.has('relay> ');
  engineer.write('list\r\n');
  await engineer.has(session.id);
  accounts.remove('root');
  await accounts.add('root', 'observer', 'battery staple');
  engineer.write('list\r\n');
  await engineer.has('No sessions.');
  engineer.write('new\r\n');
  await engineer.has('An observer cannot make or open sessions.');
});

t.test('a session is opened with or without the dash of its id', async (t) => {
  const rig = await startRig(t);
  const { session } = await inviteFor(rig, 'account');
  const engineer = await dialEngineer(rig);
  await logInAccount(engineer);
  engineer.write(`open ${session.id.replace('-', '')}\r\n`);
  await engineer.has('Waiting for the customer');
});

t.test('whoever stops waiting is forgotten', async (t) => {
  const rig = await startRig(t);
  const { session } = await inviteFor(rig, 'account');
  const engineer = await dialEngineer(rig);
  await logInAccount(engineer);
  for (let round = 1; round <= 5; round += 1) {
    await showsTimes(engineer, 'relay> ', round);
    engineer.write(`open ${session.id}\r\n`);
    await showsTimes(engineer, 'Waiting for the customer', round);
    t.equal(session.watchers.size, 1);
    engineer.write('\x03');
  }
  await showsTimes(engineer, 'relay> ', 6);
  t.equal(session.watchers.size, 0);
});

t.test('a prompt that nobody uses says so and hangs up', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  await inviteFor(rig, 'account');
  const engineer = await dialEngineer(rig);
  await logInAccount(engineer);
  clock.advance(30 * 60_000 + 200);
  await engineer.has('Nothing was typed in time. Goodbye.');
  await engineer.ended;
});

t.test('an order that lacks its id, or has too long a label, says so and does nothing', async (t) => {
  const rig = await startRig(t);
  await inviteFor(rig, 'account');
  const engineer = await dialEngineer(rig);
  await logInAccount(engineer);
  engineer.write('open\r\n');
  await engineer.has('usage: open ID; ');
  engineer.write(`new ${'x'.repeat(61)}\r\n`);
  await engineer.has('a label has at most 60 characters\r\n');
  t.equal(rig.relay.sessions.size, 1);
});
