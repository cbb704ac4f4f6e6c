/**
 * One password, one connector, once: replay, races, reuse, burning, and what guessing tells.
 *
 * The other password, the engineer's, is guessed at a prompt: that never touches the customer's, and closes only its
 * own way in, for a while.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { addressOf } from '../../src/relay/listeners.ts';
import type { HostPort } from '../../src/base/address.ts';
import { dataTag } from '../../src/wire/data-auth.ts';
import { makePassword } from '../../src/wire/password.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import {
  dialFrames,
  enterByHand,
  proveWith,
  sayHello,
  secretOf,
  type Secret,
} from '../helpers/frame-peer.ts';
import {
  account,
  audited,
  dialEngineer,
  holdVisit,
  inviteFor,
  outcomesOf,
  showsTimes,
  waitForCustomer,
} from '../helpers/people.ts';
import { startDaemon, startRig, until, type Rig } from '../helpers/rig.ts';

const PASSWORD_REFUSED = 24;
const RACERS = 100;

t.test('a recorded exchange, sent again on another connection, is a wrong password', async (t) => {
  const rig = await startRig(t);
  const { customerPassword } = await rig.invite();
  const secret = secretOf(customerPassword);
  const first = await dialFrames(t, rig.address);
  t.equal((await proveWith(first, secret)).answer?.name, 'accepted');

  const again = await rig.invite();
  t.equal(await replay(t, rig, first.sent), 'refused', 'the password was used');
  // The worst case: the same nameplate and secret are live once more.
  const copy = { ...secret, prs: Uint8Array.from(secret.prs), session: again.session.id, wrongTries: 0 };
  rig.relay.sessions.invitations.add(copy);
  t.equal(await replay(t, rig, first.sent), 'refused', 'the proof was for another connection');
  t.match(audited(rig, 'confirmation-wrong'), [{ session: again.session.id, tries: 1 }]);
});

async function replay(t: Test, rig: Rig, [hello, confirm]: readonly Buffer[]): Promise<string | undefined> {
  const peer = await dialFrames(t, rig.address);
  peer.write(hello);
  await peer.expect('challenge');
  peer.write(confirm);
  const answer = await peer.next();
  return answer?.name;
}

t.test('the proof of one data connection opens no other', async (t) => {
  const rig = await startRig(t);
  const { customerPassword, session, engineerPassword } = await rig.invite();
  const { control, dataKey } = await enterByHand(t, rig.address, customerPassword);
  const engineer = await dialEngineer(rig);
  await engineer.logIn(session.id, engineerPassword);
  const { visit } = await control.expect('visitRequest');
  control.send('consent', { visit, granted: 1 });
  await control.expect('openData');

  const right = await dialFrames(t, rig.address);
  const tag = dataTag(dataKey, 'connector', Buffer.from(visit, 'hex'), right.exporter);
  const other = await dialFrames(t, rig.address);
  other.send('dataHello', { visit, tag });
  t.equal((await other.next())?.name, 'dataRefused');
  t.equal(await other.next(), null, 'one frame, then the end');
  right.send('dataHello', { visit, tag });
  t.equal((await right.next())?.name, 'dataAccepted', 'the visit still waited for the right one');
  const late = await dialFrames(t, rig.address);
  late.send('dataHello', {
    visit,
    tag: dataTag(dataKey, 'connector', Buffer.from(visit, 'hex'), late.exporter),
  });
  t.equal((await late.next())?.name, 'dataRefused', 'a visit has one data connection');
  t.equal(rig.relay.sessions.stateOf(session), 'spliced');
});

t.test(
  `${RACERS} connectors race with one password: one wins, the others hear what a wrong one hears`,
  async (t) => {
    const rig = await startRig(t);
    const target = await startListener(t);
    const invited = await rig.invite();
    const racers = Array.from({ length: RACERS }, () => rig.connect(invited.customerPassword, target));
    const lost = racers.map(({ done }) => done.then((status) => status));
    const won = racers.map((racer) => racer.shows('waiting for the engineer').then(() => racer));
    const winner = await Promise.race(won);
    const statuses = await Promise.all(lost.filter((_, index) => racers[index] !== winner));
    t.same(new Set(statuses), new Set([PASSWORD_REFUSED]));
    t.equal(statuses.length, RACERS - 1);
    t.equal(audited(rig, 'customer-connected').length, 1);
    t.equal(
      audited(rig, 'confirmation-wrong').length,
      0,
      'coming late with the right password is no wrong try',
    );
    t.match(rig.relay.sessions.list(), [{ session: invited.session.id, state: 'awaitingEngineer' }]);
  },
);

t.test('confirmations that arrive together: exactly one is accepted', async (t) => {
  const rig = await startRig(t);
  const { customerPassword } = await rig.invite();
  const secret = secretOf(customerPassword);
  const peers = await Promise.all(Array.from({ length: 30 }, () => dialFrames(t, rig.address)));
  const keys = await Promise.all(peers.map((peer) => sayHello(peer, secret)));
  peers.forEach((peer, index) => peer.send('confirm', { tag: Uint8Array.from(keys[index].ownTag) }));
  const answers = await Promise.all(peers.map((peer) => peer.next()));
  const names = answers.map((answer) => answer?.name);
  t.equal(names.filter((name) => name === 'accepted').length, 1);
  t.equal(names.filter((name) => name === 'refused').length, 29);
});

t.test('a password that served a visit serves no other', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const { invited, customer, engineer, site } = await holdVisit(rig, daemon, 'session');
  const during = rig.connect(invited.customerPassword, daemon.address);
  t.equal(await during.done, PASSWORD_REFUSED, 'not while it lasts');
  site.socket.end();
  await engineer.ended;
  engineer.socket.end();
  t.equal(await customer.done, 0);
  const after = rig.connect(invited.customerPassword, daemon.address);
  t.equal(await after.done, PASSWORD_REFUSED, 'not afterwards');
  t.same(outcomesOf(rig, invited), ['daemon']);
});

t.test('three wrong confirmations burn the password, and both people are told', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const { invited, engineer } = await waitForCustomer(rig);
  const wrong = withWrongSecret(secretOf(invited.customerPassword));
  for (const tries of [1, 2, 3]) {
    t.equal(await confirmWith(t, rig, wrong), 'refused');
    t.match(audited(rig, 'confirmation-wrong').at(-1), { session: invited.session.id, tries });
  }
  await engineer.has('The one-time password was withdrawn after too many wrong tries.');
  await engineer.has('relay> ');
  t.same(outcomesOf(rig, invited), ['burned']);
  t.equal(audited(rig, 'password-burned').length, 1);
  const customer = rig.connect(invited.customerPassword, daemon.address);
  t.equal(await customer.done, PASSWORD_REFUSED);
  t.match(customer.screen(), /it is wrong, expired or used/);
});

t.test('two wrong confirmations and any number of lost connections leave the password good', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const { customerPassword } = await rig.invite();
  const secret = secretOf(customerPassword);
  const wrong = withWrongSecret(secret);
  for (const tried of [secret, wrong, secret, wrong, secret]) {
    const lost = await dialFrames(t, rig.address);
    await sayHello(lost, tried);
    lost.reset();
  }
  t.equal(await confirmWith(t, rig, wrong), 'refused');
  t.equal(await confirmWith(t, rig, wrong), 'refused');
  for (let lost = 0; lost < 5; lost += 1) {
    const peer = await dialFrames(t, rig.address);
    await sayHello(peer, secret);
    peer.socket.destroy();
  }
  const customer = rig.connect(customerPassword, daemon.address);
  await customer.shows('waiting for the engineer');
});

t.test(
  'unknown, wrong, used, burned and expired passwords get the same frames of the same lengths',
  async (t) => {
    const rig = await startRig(t);
    const live = secretOf((await rig.invite()).customerPassword);
    const used = secretOf((await rig.invite()).customerPassword);
    t.equal((await proveWith(await dialFrames(t, rig.address), used)).answer?.name, 'accepted');
    const burned = secretOf((await rig.invite()).customerPassword);
    for (let tries = 0; tries < 3; tries += 1) await confirmWith(t, rig, withWrongSecret(burned));
    const expired = await rig.invite({ ttlMs: 1 });
    await until(() => rig.relay.sessions.stateOf(expired.session) === 'ended');

    const unknown = secretOf(makePassword(randomBytes).printed);
    const attempts: Readonly<Record<string, Secret>> = {
      unknown,
      wrong: withWrongSecret(live),
      used,
      burned,
      expired: secretOf(expired.customerPassword),
    };
    const traces = new Map<string, readonly unknown[]>();
    for (const [what, secret] of Object.entries(attempts)) {
      const peer = await dialFrames(t, rig.address);
      const keys = await sayHello(peer, secret);
      const challengeBytes = peer.receivedBytes;
      peer.send('confirm', { tag: Uint8Array.from(keys.ownTag) });
      const answer = await peer.next();
      t.equal(await peer.next(), null);
      traces.set(what, [challengeBytes, answer, peer.receivedBytes, peer.socket.bytesRead]);
    }
    for (const [what, trace] of traces) t.same(trace, traces.get('unknown'), what);
    t.match(traces.get('unknown'), [Number, { name: 'refused', reason: 1 }, Number, Number]);
  },
);

t.test("guesses at the engineer's prompt close that way in for a minute, and nothing else", async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  const daemon = await startDaemon(t);
  const invited = await inviteFor(rig, 'account');
  const { session, engineerPassword } = invited;

  const guesser = await dialEngineer(rig);
  for (let tries = 1; tries <= 3; tries += 1) {
    await showsTimes(guesser, 'relay login: ', tries);
    guesser.write(`${session.id}\r\nAAAAA-AAAAA\r\n`);
    await showsTimes(guesser, 'Login incorrect', tries);
  }
  await guesser.ended;
  t.equal(await tryAtPrompt(rig, session.id, engineerPassword), 'incorrect', 'closed, with the same answer');
  t.equal(await tryAtPrompt(rig, account.name, account.password), 'in', 'accounts get in');
  clock.advance(59_800);
  t.equal(await tryAtPrompt(rig, session.id, engineerPassword), 'incorrect', 'still closed');
  clock.advance(400);
  t.equal(await tryAtPrompt(rig, session.id, engineerPassword), 'in', 'open again after 60 s');
  t.equal(rig.relay.sessions.stateOf(session), 'awaitingCustomer');
  const customer = rig.connect(invited.customerPassword, daemon.address);
  await customer.shows('both sides have proved the password');
  t.equal(audited(rig, 'confirmation-wrong').length, 0);
});

/** One try on a line of its own. */
async function tryAtPrompt(rig: Rig, name: string, password: string): Promise<'in' | 'incorrect'> {
  const line = await dialEngineer(rig);
  await line.logIn(name, password);
  await until(() => /Login incorrect|Waiting for the customer|Welcome/.test(line.text));
  line.socket.destroy();
  return line.text.includes('Login incorrect') ? 'incorrect' : 'in';
}

async function confirmWith(t: Test, rig: Rig, secret: Secret): Promise<string | undefined> {
  const { answer } = await proveWith(await dialFrames(t, rig.address), secret);
  return answer?.name;
}

function withWrongSecret({ nameplate, prs }: Secret): Secret {
  return { nameplate, prs: prs.map((byte) => byte ^ 1) };
}

/** A target that lets any number of connectors see that it is there. */
async function startListener(t: Test): Promise<HostPort> {
  const server = createServer((socket) => socket.on('error', () => {}).destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return addressOf(server);
}
