/**
 * The customer's keys and what becomes of them, through connector, relay and both engineers: consent for each visit, one
 * of them ended, consent given ahead and taken back, all ended.
 */
import t from 'tap';
import { audited, dialEngineer, inviteFor, logInAccount } from '../helpers/people.ts';
import { startDaemon, startRig, until, type Rig, type TestSocket } from '../helpers/rig.ts';

/** An account's engineer who asks for a visit. */
async function openBy(rig: Rig, id: string): Promise<TestSocket> {
  const engineer = await dialEngineer(rig);
  await logInAccount(engineer);
  engineer.write(`open ${id}\r\n`);
  return engineer;
}

t.test('each visit has its question; Ctrl+D ends the shown one and no other; Ctrl+C all', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const invited = await inviteFor(rig, 'account');
  const customer = rig.connect(invited.customerPassword, daemon.address, {
    keyboard: true,
    args: ['-persist'],
  });
  await customer.shows('waiting for engineers');
  const first = await openBy(rig, invited.session.id);
  await customer.shows('Visit 1 (alice): Visit asked for by alice');
  await customer.shows('(y/n, 60 s)');
  customer.press('y');
  const firstSite = await daemon.accepted();
  await first.has('daemon ready');
  const second = await openBy(rig, invited.session.id);
  await until(() => customer.screen().split('Let alice work on').length === 3);
  await new Promise((resolve) => setImmediate(resolve));
  customer.press('y');
  const secondSite = await daemon.accepted();
  await second.has('daemon ready');
  const third = await openBy(rig, invited.session.id);
  await until(() => customer.screen().split('Let alice work on').length === 4);
  await new Promise((resolve) => setImmediate(resolve));
  customer.press('n');
  await third.has('The customer refused the visit. (refused)');

  customer.press('\t');
  await customer.shows('--- alice from 127.0.0.1');
  secondSite.write('only the second\r\n');
  await customer.shows('only the second');
  customer.press('\u0004');
  await second.has('(customer)');
  await customer.shows('Visit 2 (alice): You ended the visit.');
  first.write('still here');
  await firstSite.has('still here');

  customer.press('\u0003');
  await first.has('(customer)');
  t.equal(await customer.done, 4);
  t.same(
    audited(rig, 'session-end').map(({ outcome }) => outcome),
    ['refused', 'customer', 'customer'],
  );
  t.same(rig.relay.connectors.list(), [], 'the relay has forgotten it');
});

t.test('consent given ahead is there until a key takes it back', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const invited = await inviteFor(rig, 'account');
  const args = ['-persist', '-consent', 'auto', '-until', '2h'];
  const customer = rig.connect(invited.customerPassword, daemon.address, { keyboard: true, args });
  await customer.shows('w takes that back.');
  const first = await openBy(rig, invited.session.id);
  await first.has('daemon ready');
  await customer.shows('Consent was given ahead until');
  customer.press('w');
  await customer.shows('Consent given ahead is taken back: you are asked before each visit.');
  const second = await openBy(rig, invited.session.id);
  await customer.shows('(y/n, 60 s)');
  second.write('\u0003');
  await customer.shows('Visit 2 (alice): The engineer');
  t.notMatch(second.text, 'daemon ready');
  customer.press('\u0003');
  t.equal(await customer.done, 4);
});
