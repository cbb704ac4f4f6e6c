/**
 * Invitations: a session and two passwords, or nothing.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { PASSWORD_TTL_MS } from '../../src/relay/limits.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { audited } from '../helpers/people.ts';
import { startRig, type Rig } from '../helpers/rig.ts';

t.test(
  'no password is made that the audit file does not know of; when it can be written again, it goes on',
  async (t) => {
    const rig = await startRig(t);
    const { audit, sessions } = rig.relay;
    const record = audit.record.bind(audit);
    audit.record = () => false;
    await t.rejects(rig.invite(), { name: 'OperatorError', message: /audit file cannot be written/ });
    await t.rejects(rig.invite(), { name: 'OperatorError' });
    t.equal(sessions.size, 0);
    audit.record = record;
    t.match(await rig.invite(), { customerPassword: String, engineerPassword: String });
    t.equal(sessions.size, 1);
  },
);

t.test('a label, a secret and the room there is are judged before anything is made', async (t) => {
  const rig = await startRig(t, { limits: { sessionsMax: 2 } });
  const { inviter, sessions } = rig.relay;
  await t.rejects(inviter.invite({ label: 'x'.repeat(61), owner: null }), /at most 60 characters/);
  await t.rejects(inviter.invite({ label: '', owner: null, secret: 'abc' }), /at least 4 characters/);
  t.equal(sessions.size, 0);
  await rig.invite();
  await rig.invite();
  await t.rejects(rig.invite(), /all 2 sessions are in use/);
});

const inviteBare = (rig: Rig, secret = 'cisco') => rig.invite({ secret, bare: true });

t.test(
  'a bare password is the secret, under the empty nameplate; the audit file knows that, not the secret',
  async (t) => {
    const rig = await startRig(t);
    const { customerPassword, session } = await inviteBare(rig);
    t.equal(customerPassword, 'cisco');
    t.match(rig.relay.sessions.invitations.find(''), { nameplate: '', session: session.id });
    await rig.invite({ secret: 'hunter2' });
    await rig.invite();
    t.match(audited(rig, 'password-made'), [
      { session: session.id, chosen: true, bare: true },
      { chosen: true, bare: false },
      { chosen: false, bare: false },
    ]);
    t.notMatch(readFileSync(rig.state.auditFile, 'latin1'), /cisco|hunter2/);
  },
);

t.test('a second bare password waits until the first is gone, however it went', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  const { desk, sessions } = rig.relay;
  const first = await inviteBare(rig);
  const refusal = `session ${first.session.id} has a bare password, and a relay can have one at a time: wait until it is used or over, or end it with: relayapp close ${first.session.id}`;
  await t.rejects(inviteBare(rig, 'hunter2'), { name: 'OperatorError', message: refusal });
  await rig.invite({ secret: 'hunter2' });
  t.equal(sessions.size, 2, 'the refused one left no session, and others are made');

  sessions.close(first.session);
  const closed = await inviteBare(rig);
  const { invitations } = sessions;
  t.ok(invitations.consume(invitations.find('')!));
  const used = await inviteBare(rig);
  t.equal(sessions.stateOf(closed.session), 'awaitingCustomer', 'a used one holds nothing up');
  for (let tries = 0; tries < 3; tries += 1) desk.confirmationWrong(invitations.find('')!, '192.0.2.1');
  t.equal(sessions.stateOf(used.session), 'ended', 'burned');
  const burned = await inviteBare(rig);
  clock.advance(PASSWORD_TTL_MS + 1_000);
  t.equal(sessions.stateOf(burned.session), 'ended', 'expired');
  t.equal((await inviteBare(rig)).customerPassword, 'cisco');
});

t.test('bare passwords that are made at the same moment: one', async (t) => {
  const rig = await startRig(t);
  const results = await Promise.allSettled(
    ['cisco', 'hunter2', 'geheim', 'cisco'].map((secret) => inviteBare(rig, secret)),
  );
  const made = results.filter((result) => result.status === 'fulfilled');
  t.equal(made.length, 1);
  t.equal(rig.relay.sessions.size, 1);
  t.equal(rig.relay.sessions.invitations.find('')?.session, made[0].value.session.id);
  for (const result of results) {
    if (result.status === 'rejected') t.match(result.reason, { message: /has a bare password/ });
  }
  t.equal(audited(rig, 'password-made').length, 1);
});

t.test('what is no bare password is refused before it is stretched', async (t) => {
  const rig = await startRig(t);
  await t.rejects(inviteBare(rig, 'abc'), /at least 4 characters/);
  await t.rejects(
    inviteBare(rig, 'abcdef-word'),
    /it begins with six characters and a dash.* leave out --bare/,
  );
  t.equal(rig.relay.sessions.size, 0);
});
