/**
 * Invitations: a session and two passwords, or nothing.
 */
import t from 'tap';
import { startRig } from '../helpers/rig.ts';

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
