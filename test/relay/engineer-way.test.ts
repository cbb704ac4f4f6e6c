/**
 * The way in without an account: by which names a session is known, and to whom it is closed after wrong tries.
 */
import t from 'tap';
import { FakeClock } from '../helpers/fake-clock.ts';
import { startDaemon, startRig } from '../helpers/rig.ts';

const HERE = '192.0.2.1';
const ELSEWHERE = '192.0.2.2';
const WRONG = 'AAAAA-AAAAA';

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
    const find = (name: string, password: string) => rig.relay.engineerWay.find(name, password, HERE)?.id;
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
  const find = (name: string, password: string) => rig.relay.engineerWay.find(name, password, HERE);
  t.equal(find('', engineerPassword), null);
  t.equal(find('0000-0000', engineerPassword), null);
  t.equal(find('site.test', engineerPassword), null, 'no customer yet, so no such name');
  t.equal(find(session.id, ''), null);
  t.equal(find(session.id, engineerPassword)?.id, session.id);
});

t.test('the third wrong try of a source closes the way to that source, for a minute', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  const { session, engineerPassword } = await rig.invite();
  const find = (from: string, password = engineerPassword) =>
    rig.relay.engineerWay.find(session.id, password, from);
  for (let tries = 1; tries <= 3; tries += 1) {
    t.equal(find(HERE, WRONG), null);
    t.equal(find(ELSEWHERE)?.id, session.id, 'others are let in');
  }
  t.equal(find(HERE), null, 'closed');
  clock.advance(59_999);
  t.equal(find(HERE), null, 'still closed, and trying does not prolong it');
  clock.advance(1);
  t.equal(find(HERE)?.id, session.id);
  t.match(rig.log(), /session-way-closed.*192\.0\.2\.1/);
  t.notMatch(rig.log(), /192\.0\.2\.2/);
});

t.test('a right password makes up for the wrong ones before it', async (t) => {
  const rig = await startRig(t);
  const { session, engineerPassword } = await rig.invite();
  for (let round = 0; round < 3; round += 1) {
    for (let tries = 0; tries < 2; tries += 1)
      t.equal(rig.relay.engineerWay.find(session.id, WRONG, HERE), null);
    t.equal(rig.relay.engineerWay.find(session.id, engineerPassword, HERE)?.id, session.id);
  }
});

t.test('a name that many bear closes nothing for those who know their password', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const other = await startDaemon(t);
  const [first, second] = [await rig.invite(), await rig.invite()];
  for (const [invited, { address }] of [
    [first, daemon],
    [second, other],
  ] as const) {
    await rig.connect(invited.customerPassword, address).shows('waiting for the engineer');
  }
  for (let tries = 0; tries < 3; tries += 1) rig.relay.engineerWay.find('site.test', WRONG, ELSEWHERE);
  for (const { session, engineerPassword } of [first, second]) {
    t.equal(rig.relay.engineerWay.find('site.test', engineerPassword, HERE)?.id, session.id);
    t.equal(rig.relay.engineerWay.find(session.id, engineerPassword, ELSEWHERE), null);
  }
});

t.test('tries from more sources than are kept do no harm', async (t) => {
  const rig = await startRig(t);
  const { session, engineerPassword } = await rig.invite();
  for (let source = 0; source < 3_000; source += 1)
    rig.relay.engineerWay.find(session.id, WRONG, `10.0.${source >> 8}.${source & 255}`);
  t.equal(rig.relay.engineerWay.find(session.id, engineerPassword, HERE)?.id, session.id);
});
