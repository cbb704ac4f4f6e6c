/**
 * Standing connectors at the relay, frame by frame: admitted, visited, lost, back by their key; and everybody who has
 * another key, no key, or somebody else's.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import {
  encodeConnectorCard,
  FEATURE,
  REFUSED,
  type ConnectorCard,
  type Frame,
  type FrameFields,
} from '../../src/wire/frames.ts';
import { isSignedByRelay, signAsConnector } from '../../src/wire/key-auth.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { cardOf, dialFrames, proveWith, secretOf, type FramePeer } from '../helpers/frame-peer.ts';
import { delivered } from '../helpers/loop.ts';
import {
  account,
  audited,
  CountingClock,
  dialEngineer,
  inviteFor,
  logInAccount,
  outcomesOf,
  watchLeaks,
  type Invited,
} from '../helpers/people.ts';
import { startRig, until, type Rig, type TestSocket } from '../helpers/rig.ts';

interface Keys {
  readonly privateKey: KeyObject;
  readonly card: ConnectorCard;
}

interface Standing extends Keys {
  readonly control: FramePeer;
  readonly enrolled: FrameFields<'enrolled'>;
}

function makeKeys(): Keys {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
  return { privateKey, card: { ...cardOf(''), publicKey: raw, features: FEATURE.standing } };
}

/** A standing connector that was let in by its password. */
async function stand(t: Test, rig: Rig, { customerPassword }: Invited): Promise<Standing> {
  const keys = makeKeys();
  const control = await dialFrames(t, rig.address);
  await proveWith(control, secretOf(customerPassword), {
    publicKey: keys.card.publicKey,
    features: keys.card.features,
  });
  const enrolled = await control.expect('enrolled');
  return { ...keys, control, enrolled };
}

/** The way back up to the relay's answer. */
async function comeBack(
  t: Test,
  rig: Rig,
  { privateKey, card }: Keys,
  relayKey?: Uint8Array,
): Promise<FramePeer> {
  const control = await dialFrames(t, rig.address);
  control.send('resume', { version: 1 });
  const proof = await control.expect('relayProof');
  if (relayKey) t.ok(isSignedByRelay(proof.signature, relayKey, control.exporter, proof.card));
  const bytes = encodeConnectorCard(card);
  const signature = signAsConnector(privateKey, control.exporter, bytes, proof.card);
  control.send('connectorProof', { card: bytes, signature });
  return control;
}

/** An engineer with an account, at the prompt, who opens `id`. */
async function openBy(rig: Rig, id: string): Promise<TestSocket> {
  const engineer = await dialEngineer(rig);
  await logInAccount(engineer);
  engineer.write(`open ${id}\r\n`);
  return engineer;
}

/** Time passes and pings are answered, up to the first other frame. */
async function untilFrame(clock: FakeClock, control: FramePeer): Promise<Frame | null> {
  for (;;) {
    clock.advance(15_000);
    const frame = await control.next();
    if (frame?.name !== 'ping') return frame;
    control.send('pong', { token: frame.token });
    await delivered();
  }
}

const ID = /^\d{4}-\d{4}$/;

t.test('it is enrolled by its password, and serves visit after visit, several at once', async (t) => {
  const clock = new CountingClock(systemClock);
  const rig = await startRig(t, { clock });
  const noLeaks = watchLeaks(t, rig, clock);
  const invited = await inviteFor(rig, 'account');
  const { control, enrolled } = await stand(t, rig, invited);
  t.match(enrolled, { connector: invited.session.id, goodForS: 3_600 });
  t.match(enrolled.connector, ID);
  const engineers = [];
  const visits = [];
  for (let n = 0; n < 3; n += 1) {
    engineers.push(await openBy(rig, enrolled.connector));
    const request = await control.expect('visitRequest');
    t.equal(request.who, account.name);
    visits.push(request.visit);
  }
  t.equal(rig.relay.sessions.size, 3, 'the session of the invitation, and one for each further visit');
  control.send('consent', { visit: visits[1], granted: 0 });
  t.match(await control.expect('visitOver'), { visit: visits[1], outcome: 7 });
  await engineers[1].has('(refused)');
  control.send('visitEnd', { visit: visits[0] });
  t.match(await control.expect('visitOver'), { visit: visits[0], outcome: 4 });
  await engineers[0].has('(customer)');
  t.same(outcomesOf(rig, invited), ['customer']);
  engineers[2].socket.destroy();
  t.match(await control.expect('visitOver'), { visit: visits[2], outcome: 1 }, 'an engineer who hangs up');
  await until(() => rig.relay.sessions.size === 0);
  engineers[1].write(`list\r\n`);
  await engineers[1].has(`${enrolled.connector}  here`);
  control.send('bye', { outcome: 4 });
  await control.expect('bye');
  for (const { socket } of [control, ...engineers]) socket.destroy();
  t.notOk(rig.relay.connectors.has(enrolled.connector), 'nobody has its key any more');
  await noLeaks();
});

t.test(
  'only its account and administrators open it; engineer passwords open the first visit only',
  async (t) => {
    const rig = await startRig(t);
    const invited = await inviteFor(rig, 'account');
    await rig.relay.accounts.add('mallory', 'engineer', 'another password');
    const { control, enrolled } = await stand(t, rig, invited);
    const first = await dialEngineer(rig);
    await first.logIn(invited.session.id, invited.engineerPassword);
    const { visit } = await control.expect('visitRequest');
    control.send('consent', { visit, granted: 0 });
    await control.expect('visitOver');
    const second = await dialEngineer(rig);
    await second.logIn(invited.session.id, invited.engineerPassword);
    await second.has('Login incorrect');
    const stranger = await dialEngineer(rig);
    await stranger.logIn('mallory', 'another password');
    await stranger.has('relay> ');
    stranger.write(`open ${enrolled.connector}\r\nlist\r\n`);
    await stranger.has(`There is no session ${enrolled.connector}`);
    await stranger.has('No sessions.');
    t.notMatch(stranger.text, 'CONNECTOR');
  },
);

t.test('it comes back by its key, also to a relay that was started anew', async (t) => {
  const rig = await startRig(t);
  const invited = await inviteFor(rig, 'account');
  const site = await stand(t, rig, invited);
  site.control.socket.destroy();
  await until(() => audited(rig, 'connector-away').length === 1);
  const back = await comeBack(t, rig, site, site.enrolled.relayKey);
  t.match(await back.expect('resumed'), { connector: site.enrolled.connector, goodForS: 3_600 });
  const stopped = rig.relay.stop();
  t.match(await back.expect('bye'), { outcome: 5 });
  back.socket.destroy();
  await stopped;
  const later = await startRig(t, { state: rig.state });
  const again = await comeBack(t, later, site, site.enrolled.relayKey);
  await again.expect('resumed');
  const engineer = await openBy(later, site.enrolled.connector);
  const { visit } = await again.expect('visitRequest');
  again.send('consent', { visit, granted: 1 });
  await again.expect('openData');
  await engineer.has('The customer agreed');
  t.match(readFileSync(rig.state.connectorsFile, 'utf8'), site.enrolled.connector);
});

t.test('an invitation that nobody has used yet waits for its return', async (t) => {
  const rig = await startRig(t);
  const invited = await rig.invite();
  const site = await stand(t, rig, invited);
  site.control.socket.destroy();
  await until(() => rig.relay.sessions.stateOf(invited.session) === 'awaitingReturn');
  const engineer = await dialEngineer(rig);
  await engineer.logIn(invited.session.id, invited.engineerPassword);
  await engineer.has("The customer's connection is interrupted; waiting for it");
  const back = await comeBack(t, rig, site);
  await back.expect('resumed');
  t.match(await back.expect('visitRequest'), { who: 'the holder of the engineer password' });
});

t.test('while it is away, whoever opens it is told', async (t) => {
  const rig = await startRig(t);
  const invited = await inviteFor(rig, 'account');
  const site = await stand(t, rig, invited);
  rig.relay.sessions.close(invited.session);
  site.control.socket.destroy();
  await until(() => audited(rig, 'connector-away').length === 1);
  const engineer = await openBy(rig, site.enrolled.connector);
  await engineer.has(
    `The customer of ${site.enrolled.connector} is not connected; it dials in again by itself.`,
  );
  engineer.write('list\r\n');
  await engineer.has(`${site.enrolled.connector}  away`);
});

t.test('visits end with their connection, by the word for it', async (t) => {
  const rig = await startRig(t);
  const invited = await inviteFor(rig, 'account');
  const { control, enrolled } = await stand(t, rig, invited);
  const engineers = [await openBy(rig, enrolled.connector), await openBy(rig, enrolled.connector)];
  await control.expect('visitRequest');
  await control.expect('visitRequest');
  control.reset();
  for (const engineer of engineers) await engineer.has('(failure)');
  t.same(
    audited(rig, 'session-end').map(({ outcome, connector }) => [outcome, connector]),
    [
      ['failure', enrolled.connector],
      ['failure', enrolled.connector],
    ],
  );
});

t.test(
  'keys that do not let in: unknown, revoked, out of time; each is told why, and it is in the audit file',
  async (t) => {
    const clock = new FakeClock();
    const rig = await startRig(t, { clock });
    const refusal = async (keys: Keys) => (await comeBack(t, rig, keys)).expect('refused');
    t.equal((await refusal(makeKeys())).reason, REFUSED.keyUnknown);

    const revoked = await stand(t, rig, await rig.invite());
    rig.relay.desk.revoke(rig.relay.connectors.byId(revoked.enrolled.connector)!);
    t.match(await revoked.control.next(), { name: 'bye', outcome: 14 });
    t.equal((await refusal(revoked)).reason, REFUSED.keyRevoked);
    await rig.relay.accounts.add('root', 'admin', account.password);
    const engineer = await dialEngineer(rig);
    await engineer.logIn('root', account.password);
    await engineer.has('relay> ');
    engineer.write(`open ${revoked.enrolled.connector}\r\n`);
    await engineer.has(`Connector ${revoked.enrolled.connector} was revoked: make a new password`);

    const late = await stand(t, rig, await rig.invite());
    late.control.socket.destroy();
    await until(() => audited(rig, 'connector-away').length === 1);
    clock.jumpWall(3_600_000);
    t.equal((await refusal(late)).reason, REFUSED.keyExpired);
    t.same(
      audited(rig, 'connector-key-refused').map(({ why }) => why),
      ['keyRevoked', 'keyExpired'],
      'strangers are in the log only',
    );
  },
);

t.test('a time that is over lets a visit end, and then the connector go', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock, limits: { consentMs: 600_000 } });
  const invited = await inviteFor(rig, 'account');
  const { control, enrolled } = await stand(t, rig, invited);
  await openBy(rig, enrolled.connector);
  const { visit } = await control.expect('visitRequest');
  clock.jumpWall(3_600_000);
  const late = await openBy(rig, enrolled.connector);
  await late.has(`The time of connector ${enrolled.connector} is over`);
  control.send('visitEnd', { visit });
  t.match(await control.expect('visitOver'), { outcome: 4 });
  t.match(await untilFrame(clock, control), { name: 'bye', outcome: 10 });
});

t.test('proofs that are wrong let nobody in, and tell nothing', async (t) => {
  const rig = await startRig(t);
  const site = await stand(t, rig, await rig.invite());
  const stranger = makeKeys();
  const attempts: Readonly<Record<string, Keys>> = {
    'the card of another with a key of its own': { privateKey: stranger.privateKey, card: site.card },
    'a connector that does not stand': { ...site, card: { ...site.card, features: 0 } },
  };
  for (const [what, keys] of Object.entries(attempts)) {
    const peer = await comeBack(t, rig, keys);
    t.match(await peer.next(), { name: 'refused', reason: REFUSED.protocol }, what);
    t.equal(await peer.next(), null, what);
  }
  const replayed = await dialFrames(t, rig.address);
  const other = await dialFrames(t, rig.address);
  replayed.send('resume', { version: 1 });
  const { card } = await replayed.expect('relayProof');
  const bytes = encodeConnectorCard(site.card);
  // What a middleman would pass on: a proof that was made for another connection.
  const signature = signAsConnector(site.privateKey, other.exporter, bytes, card);
  replayed.send('connectorProof', { card: bytes, signature });
  t.match(await replayed.next(), { name: 'refused', reason: REFUSED.protocol });
  const old = await dialFrames(t, rig.address);
  old.send('resume', { version: 2 });
  t.match(await old.next(), { name: 'refused', reason: REFUSED.version });
  t.equal(rig.relay.connectors.stateOf(rig.relay.connectors.byId(site.enrolled.connector)!), 'here');
});

t.test('of two with one key the first stays, when it answers', async (t) => {
  const rig = await startRig(t);
  const site = await stand(t, rig, await rig.invite());
  const copy = await comeBack(t, rig, site);
  t.match(await site.control.next(), { name: 'ping', token: 1 });
  site.control.send('pong', { token: 1 });
  t.match(await copy.next(), { name: 'refused', reason: REFUSED.keyInUse });
  t.equal(site.control.socket.destroyed, false);
  t.match(audited(rig, 'connector-key-refused'), [{ why: 'keyInUse' }]);
});

t.test('and is replaced when it does not: its address has changed', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  const invited = await rig.invite();
  const site = await stand(t, rig, invited);
  const back = await comeBack(t, rig, site);
  const second = await comeBack(t, rig, site);
  await until(() => rig.relay.connections === 3);
  await delivered();
  clock.advance(5_100);
  t.match(await back.expect('resumed'), { connector: invited.session.id });
  t.match(await back.next(), { name: 'ping' });
  back.send('pong', { token: 1 });
  t.match(await second.next(), { name: 'refused', reason: REFUSED.keyInUse }, 'one of two newcomers');
  t.equal(rig.relay.sessions.stateOf(invited.session), 'awaitingEngineer', 'the invitation is there again');
});

t.test('a newcomer that leaves before it is judged leaves nothing behind', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  const site = await stand(t, rig, await rig.invite());
  const gone = await comeBack(t, rig, site);
  await until(() => rig.relay.connections === 2);
  await delivered();
  gone.socket.destroy();
  await until(() => rig.relay.connections === 1);
  clock.advance(5_100);
  await until(() => rig.relay.connections === 0);
  t.equal(audited(rig, 'connector-resumed').length, 0);
  await (await comeBack(t, rig, site)).expect('resumed');
});

t.test('a relay that stops lets its connectors go, to come back', async (t) => {
  const rig = await startRig(t);
  const { control } = await stand(t, rig, await rig.invite());
  void rig.relay.stop();
  t.match(await control.next(), { name: 'bye', outcome: 5 });
});

t.test('a newcomer whose time runs out while the first one is asked locks nobody out', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  const site = await stand(t, rig, await rig.invite());
  const late = await dialFrames(t, rig.address);
  late.send('resume', { version: 1 });
  const proof = await late.expect('relayProof');
  // The newcomer's 20 s from accept, and the 5 s of the first one's ping, end in the same moment.
  clock.advance(14_000);
  await delivered();
  clock.advance(950);
  const bytes = encodeConnectorCard(site.card);
  const signature = signAsConnector(site.privateKey, late.exporter, bytes, proof.card);
  late.send('connectorProof', { card: bytes, signature });
  await delivered();
  clock.advance(5_300);
  await until(() => rig.relay.connections === 0);
  await delivered();
  const connector = rig.relay.connectors.byId(site.enrolled.connector)!;
  t.equal(rig.relay.connectors.stateOf(connector), 'away');
  await (await comeBack(t, rig, site)).expect('resumed');
  t.notMatch(rig.log(), /"level":"error"/);
});

t.test('newcomers that come one after the other do not keep a dead one alive', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  const site = await stand(t, rig, await rig.invite());
  const first = await comeBack(t, rig, site);
  await until(() => rig.relay.connections === 2);
  await delivered();
  clock.advance(3_000);
  await comeBack(t, rig, site);
  await until(() => rig.relay.connections === 3);
  await delivered();
  clock.advance(2_100);
  await first.expect('resumed');
});

t.test('who finds the first visit taken while both waited has one of their own', async (t) => {
  const rig = await startRig(t);
  const invited = await inviteFor(rig, 'account');
  const site = await stand(t, rig, invited);
  site.control.socket.destroy();
  await until(() => rig.relay.sessions.stateOf(invited.session) === 'awaitingReturn');
  const engineers = [await openBy(rig, site.enrolled.connector), await openBy(rig, site.enrolled.connector)];
  for (const engineer of engineers) await engineer.has('connection is interrupted; waiting for it');
  const back = await comeBack(t, rig, site);
  await back.expect('resumed');
  const visits = [(await back.expect('visitRequest')).visit, (await back.expect('visitRequest')).visit];
  t.equal(new Set(visits).size, 2);
  for (const engineer of engineers) await engineer.has('Asking the customer');
  t.same(
    audited(rig, 'consent-asked').map(({ connector }) => connector),
    [site.enrolled.connector, site.enrolled.connector],
    'the audit file says which customer',
  );
});
