/**
 * Somebody between a real connector and a real relay: with a key of their own, with the relay's very key, on every
 * connection or on the data connection alone, and relays that only pretend.
 *
 * Each test counts what the attacker got: connections, password messages, and what came through them. One guess a
 * password message is all there is to get, and the connector never sends a second message.
 */
import { connect, createServer } from 'node:net';
import t, { type Test } from 'tap';
import { loadIdentity } from '../../src/relay/identity.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import { locateState } from '../../src/relay/state-directory.ts';
import { CPACE_CI, startCpace, tagsEqual, type CpaceKeys } from '../../src/wire/cpace.ts';
import { encodeRelayCard, REFUSED, type FrameFields } from '../../src/wire/frames.ts';
import { FrameDecoder } from '../../src/wire/frame-decoder.ts';
import { secretOf, serveFrames, type FramePeer, type KeyPair } from '../helpers/frame-peer.ts';
import { audited, bringTogether, outcomesOf } from '../helpers/people.ts';
import {
  startDaemon,
  startRig,
  temporaryFolder,
  until,
  type Rig,
  type RunningConnector,
} from '../helpers/rig.ts';
import { startTlsProxy } from '../helpers/tls-proxy.ts';

const PASSWORD_REFUSED = 24;
const FAILURE = 6;
const NOT_A_RELAY = 23;
const RELAY_LOST = 26;
const RELAY_CARD = encodeRelayCard({ version: 1, relayId: '00'.repeat(16), software: 'fake' });

for (const whose of ['a certificate of their own', "the relay's own key and certificate"] as const) {
  t.test(`between connector and relay with ${whose}: never in, nothing learnt, one message`, async (t) => {
    const rig = await startRig(t);
    const daemon = await startDaemon(t);
    const invited = await rig.invite();
    const identity = whose.startsWith('a ') ? await otherIdentity(t) : rig.identity;
    const proxy = await startTlsProxy(t, { relay: rig.address, identity, handling: () => 'intercept' });
    const customer = rig.connect(invited.customerPassword, daemon.address, { relay: proxy.address });

    t.equal(await customer.done, PASSWORD_REFUSED);
    t.match(customer.screen(), /somebody is between you and the relay/);
    t.equal(proxy.dials, 1, 'it dialled once');
    const [attack] = proxy.connections;
    t.same(framesOf(attack.fromClient), ['hello', 'confirm'], 'one password message');
    t.same(framesOf(attack.fromServer), ['challenge', 'refused'], 'no proof of the relay in return');
    const { prs } = secretOf(invited.customerPassword);
    for (const secret of [Buffer.from(prs), Buffer.from(invited.customerPassword.slice(7))]) {
      t.notOk(Buffer.concat(attack.fromClient).includes(secret), 'the secret is in no message');
    }
    t.match(audited(rig, 'confirmation-wrong'), [{ session: invited.session.id, tries: 1 }]);
    t.equal(rig.relay.sessions.stateOf(invited.session), 'awaitingCustomer');

    const honest = rig.connect(invited.customerPassword, daemon.address);
    await honest.shows('waiting for the engineer');
  });
}

t.test(
  "on the data connection alone, with the relay's key: the visit fails before a byte of it",
  async (t) => {
    const rig = await startRig(t);
    const daemon = await startDaemon(t, 'secret banner\r\n');
    const proxy = await startTlsProxy(t, {
      relay: rig.address,
      identity: rig.identity,
      handling: (number) => (number === 0 ? 'pass' : 'intercept'),
    });
    const { customer, engineer, invited } = await bringTogether(rig, daemon, 'session', {
      relay: proxy.address,
    });
    t.equal(await customer.done, FAILURE);
    await engineer.has('(failure)');
    t.equal(proxy.dials, 2, 'one data connection was tried');
    t.same(framesOf(proxy.connections[1].fromClient), ['dataHello']);
    t.same(framesOf(proxy.connections[1].fromServer), ['dataRefused']);
    const site = await daemon.accepted();
    t.equal(site.bytes.length, 0, 'nothing reached the daemon');
    t.notMatch(engineer.text, /secret banner/);
    t.same(outcomesOf(rig, invited), ['failure']);
  },
);

t.test('on the data connection, the connector takes nobody for the relay', async (t) => {
  const answers: Readonly<Record<string, (hello: FrameFields<'dataHello'>) => Uint8Array>> = {
    "the connector's own tag": ({ tag }) => tag,
    'a guessed tag': () => new Uint8Array(32),
  };
  for (const [what, answer] of Object.entries(answers)) {
    await t.test(`answered with ${what}`, async (t) => {
      const rig = await startRig(t);
      const daemon = await startDaemon(t);
      const taken: Buffer[] = [];
      const proxy = await startTlsProxy(t, {
        relay: rig.address,
        identity: rig.identity,
        handling: (number) => (number === 0 ? 'pass' : 'serve'),
        serve: async (peer) => {
          const tag = answer(await peer.expect('dataHello'));
          peer.raw((chunk) => taken.push(chunk));
          peer.send('dataAccepted', { tag });
          peer.write(Buffer.from('rm -rf /\r\n'));
        },
      });
      const { customer } = await bringTogether(rig, daemon, 'session', { relay: proxy.address });
      const site = await daemon.accepted();
      t.equal(await customer.done, FAILURE);
      t.equal(site.bytes.length, 0, 'nothing reached the daemon');
      t.equal(Buffer.concat(taken).length, 0, 'nothing of the daemon came out');
    });
  }
});

/** How a fake relay may go on once it has seen that its guess was wrong. */
const AFTER_A_WRONG_GUESS: Readonly<
  Record<string, (peer: FramePeer, keys: CpaceKeys, tag: Uint8Array) => void>
> = {
  'it claims to accept': (peer, keys) => accept(peer, keys.ownTag),
  "it returns the connector's own tag": (peer, _keys, tag) => accept(peer, tag),
  'it refuses': (peer) => peer.send('refused', { reason: REFUSED.password }),
  'it claims to be busy': (peer) => peer.send('refused', { reason: REFUSED.busy }),
  'it claims to speak another version': (peer) => peer.send('refused', { reason: REFUSED.version }),
  'it hangs up': (peer) => peer.socket.destroy(),
  'it ends in good order': (peer) => peer.socket.end(),
  'it resets the connection': (peer) => peer.reset(),
  'it sends garbage': (peer) => peer.write(Buffer.from([0, 1, 99])),
  'it asks for a visit': (peer) => peer.send('ping', { token: 1 }),
};

for (const [what, goOn] of Object.entries(AFTER_A_WRONG_GUESS)) {
  t.test(`a relay that guesses the password gets one guess: ${what}`, async (t) => {
    const { customer, dials, guesses } = await attack(t, 'BBBBBB-BBBBB-BBBBB', goOn);
    t.equal(await customer.done, PASSWORD_REFUSED);
    t.match(customer.screen(), /Ask the engineer for a new one/);
    t.notMatch(customer.screen(), /again/i, 'it does not ask the customer for another guess');
    t.equal(dials(), 1);
    t.same(guesses, [false]);
  });
}

t.test('a relay that knows the password is accepted, so the tests above mean something', async (t) => {
  const { customer, guesses } = await attack(t, null, (peer, keys) => accept(peer, keys.ownTag));
  await customer.shows('both sides have proved the password');
  t.same(guesses, [true]);
});

/** Shares of a relay that knows no password. */
const BAD_SHARES: Readonly<Record<string, (share: Uint8Array) => Uint8Array>> = {
  "the connector's own share": (share) => share,
  'the identity': () => new Uint8Array(32),
  'no point at all': () => new Uint8Array(32).fill(0xff),
};

for (const [what, shareOf] of Object.entries(BAD_SHARES)) {
  t.test(`a relay that answers with ${what} gets no confirmation`, async (t) => {
    const rig = await startRig(t);
    const daemon = await startDaemon(t);
    let after: unknown = 'none';
    const fake = await serveFrames(t, rig.identity, async (peer) => {
      const { share, card } = await peer.expect('hello');
      peer.send('challenge', { share: shareOf(share), card: what.includes('own') ? card : RELAY_CARD });
      after = await peer.next();
    });
    const { customerPassword } = await rig.invite();
    const customer = rig.connect(customerPassword, daemon.address, { relay: fake.address });
    t.equal(await customer.done, PASSWORD_REFUSED);
    t.equal(fake.dials(), 1);
    await until(() => after === null);
  });
}

t.test('a handshake that is spoilt at its very end ends the connector, with its reason', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  // Behind the relay's last handshake message, in one segment: a fatal alert that nobody signed.
  const alert = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28]);
  let dials = 0;
  const spoiler = createServer((client) => {
    dials += 1;
    const server = connect(rig.address);
    for (const socket of [client, server]) socket.on('error', () => {});
    client.pipe(server);
    server.once('data', (chunk) => client.write(Buffer.concat([chunk, alert])));
    server.on('close', () => client.destroy());
    client.on('close', () => server.destroy());
  });
  await new Promise<void>((resolve) => spoiler.listen(0, '127.0.0.1', resolve));
  t.teardown(() => spoiler.close());
  const { customerPassword, session } = await rig.invite();
  const customer = rig.connect(customerPassword, daemon.address, { relay: addressOf(spoiler) });
  t.ok([NOT_A_RELAY, RELAY_LOST].includes(await customer.done), 'with or after the handshake');
  t.equal(dials, 1);
  t.equal(rig.relay.sessions.stateOf(session), 'awaitingCustomer');
});

/** A fake relay whose guess is a printed password without its check character, or the right one. */
async function attack(
  t: Test,
  guess: string | null,
  goOn: (peer: FramePeer, keys: CpaceKeys, tag: Uint8Array) => void,
): Promise<{ customer: RunningConnector; dials: () => number; guesses: boolean[] }> {
  const rig: Rig = await startRig(t);
  const daemon = await startDaemon(t);
  const { customerPassword } = await rig.invite();
  const right = secretOf(customerPassword).prs;
  const guesses: boolean[] = [];
  const fake = await serveFrames(t, rig.identity, async (peer) => {
    const { share, card } = await peer.expect('hello');
    const exchange = startCpace({
      role: 'responder',
      prs: guess === null ? right : Buffer.from(guess),
      ci: CPACE_CI,
      sid: peer.exporter,
      ad: RELAY_CARD,
    });
    const keys = exchange.finish(share, card);
    peer.send('challenge', { share: exchange.share, card: RELAY_CARD });
    const { tag } = await peer.expect('confirm');
    guesses.push(tagsEqual(tag, keys.peerTag));
    goOn(peer, keys, tag);
  });
  const customer = rig.connect(customerPassword, daemon.address, { relay: fake.address });
  return { customer, dials: fake.dials, guesses };
}

function accept(peer: FramePeer, tag: Uint8Array): void {
  peer.send('accepted', { tag: Uint8Array.from(tag), session: '0000-0000', idleMs: 1, lifetimeMs: 1 });
}

function framesOf(chunks: readonly Buffer[]): readonly string[] {
  const decoder = new FrameDecoder();
  decoder.push(Buffer.concat(chunks));
  const names: string[] = [];
  for (let frame = decoder.next(); frame; frame = decoder.next()) names.push(frame.name);
  if (decoder.takeRest().length > 0) names.push('and raw bytes');
  return names;
}

async function otherIdentity(t: Test): Promise<KeyPair> {
  const state = locateState(temporaryFolder(t), { env: {}, homeDirectory: '/', isRoot: false });
  return loadIdentity(state, Date.now());
}
