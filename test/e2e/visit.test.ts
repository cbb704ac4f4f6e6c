/**
 * A whole visit in one process, by both ways in, with what each of the three people sees.
 */
import t from 'tap';
import { startDaemon, startRig } from '../helpers/rig.ts';

t.test('the original way: session id and engineer password lead straight to the daemon', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const { session, customerPassword, engineerPassword } = await rig.invite();
  const customer = rig.connect(customerPassword, daemon.address);
  await customer.shows('waiting for the engineer');
  const engineer = await rig.dial();
  await engineer.logIn(session.id, engineerPassword);
  const site = await daemon.accepted();
  await engineer.has('daemon ready');
  engineer.write('hello\r\n');
  await site.has('hello\r\n');
  site.write('world\r\n');
  await engineer.has('world');
  await customer.shows('world');
  site.socket.end();
  await engineer.has("The customer's telnet daemon ended the visit.");
  await engineer.ended;
  engineer.socket.end();
  t.equal(await customer.done, 0);
  await rig.settled();
});

t.test('an account: new, visit, back at the prompt', async (t) => {
  const rig = await startRig(t);
  await rig.relay.accounts.add('alice', 'engineer', 'correct horse');
  const daemon = await startDaemon(t);
  const engineer = await rig.dial();
  await engineer.logIn('alice', 'correct horse');
  await engineer.has('relay> ');
  engineer.write('new printer trouble\r\n');
  await engineer.has('Waiting for the customer');
  const password = /[0-9A-Z]{6}-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]/.exec(engineer.text)![0];
  const customer = rig.connect(password, daemon.address);
  const site = await daemon.accepted();
  await engineer.has('daemon ready');
  site.socket.end();
  await engineer.has('ended the visit. (daemon)');
  t.equal(await customer.done, 0);
  engineer.write('list\r\n');
  await engineer.has('No sessions.');
  engineer.write('quit\r\n');
  await engineer.ended;
  engineer.socket.end();
  await rig.settled();
});

t.test('the customer says no', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const { session, customerPassword, engineerPassword } = await rig.invite();
  const customer = rig.connect(customerPassword, daemon.address, { keyboard: true });
  await customer.shows('waiting for the engineer');
  const engineer = await rig.dial();
  await engineer.logIn(session.id, engineerPassword);
  await customer.shows('(y/n');
  customer.press('n');
  await engineer.has('(refused)');
  t.equal(await customer.done, 7);
  engineer.socket.end();
  await rig.settled();
});
