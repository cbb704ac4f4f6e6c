/**
 * Customers who leave, at every stage from the first dial to the last byte, and what may and may not open a visit:
 * no key but one that answers the question, no order of a relay, no daemon that is gone.
 */
import { createServer } from 'node:net';
import { addressOf } from '../../src/relay/listeners.ts';
import { CPACE_CI, startCpace } from '../../src/wire/cpace.ts';
import { encodeRelayCard } from '../../src/wire/frames.ts';
import type { Outcome } from '../../src/wire/outcomes.ts';
import { secretOf, type FramePeer } from '../helpers/frame-peer.ts';
import { audited, bringTogether, comeIn, dialEngineer, outcomesOf, type People } from '../helpers/people.ts';
import { collectSites, endWithPeer, hangUp, QUESTION, race, STAGES, type Scene } from '../helpers/race.ts';
import { until, type RunningConnector } from '../helpers/rig.ts';

const CUSTOMER_LEFT = 4;
const REFUSED = 7;
const UNREACHABLE = 9;
const AT_ONCE_MS = 2_000;
const RELAY_CARD = encodeRelayCard({ version: 1, relayId: '00'.repeat(16), software: 'fake' });

/** Ctrl+C at the customer's keyboard. */
async function interrupt({ t }: Scene, customer: RunningConnector): Promise<void> {
  const startMs = performance.now();
  customer.press('\x03');
  t.equal(await customer.done, CUSTOMER_LEFT);
  t.ok(performance.now() - startMs < AT_ONCE_MS, 'at once');
  t.match(customer.screen(), 'You ended the session. (customer)');
}

/** The same, and what the engineer and the relay make of it. */
async function interruptVisit(scene: Scene, { customer, engineer, invited }: People): Promise<Outcome> {
  const { t, rig } = scene;
  await interrupt(scene, customer);
  await engineer.ended;
  await until(() => rig.relay.sessions.stateOf(invited.session) === 'ended');
  const [outcome, ...more] = outcomesOf(rig, invited);
  t.same(more, [], 'one outcome');
  return outcome;
}

for (const [when, stage] of Object.entries(STAGES)) {
  const { marks = true, reach } = stage;
  race(`the customer leaves ${when}`, stage, async (scene) => {
    const { t, rig, daemon, proxy, release } = scene;
    const sites = collectSites(daemon);
    const options = { keyboard: true, relay: proxy.address, marks };
    const people = await bringTogether(rig, daemon, 'session', options);
    await reach(people, scene);
    t.equal(await interruptVisit(scene, people), 'customer');
    await people.engineer.has('The customer ended the session. (customer)');
    release();
    t.equal(audited(rig, 'visit-start').length, 0, 'the visit has not begun');
    t.ok(sites.every(({ text }) => text === ''));
    hangUp(people.engineer);
  });
}

race('the customer leaves while nobody is there', {}, async (scene) => {
  const { t, rig, daemon } = scene;
  const invited = await rig.invite();
  const customer = rig.connect(invited.customerPassword, daemon.address, { keyboard: true });
  await customer.shows('waiting for the engineer');
  await interrupt(scene, customer);
  await rig.settled();
  t.same(outcomesOf(rig, invited), ['customer']);
});

for (const who of ['daemon', 'engineer'] as const) {
  race(`the customer leaves a visit that the ${who} has ended`, {}, async (scene) => {
    const { t, rig, daemon } = scene;
    const people = await bringTogether(rig, daemon, 'session', { keyboard: true });
    await people.customer.shows(QUESTION);
    people.customer.press('y');
    const site = await daemon.accepted();
    await people.engineer.has('daemon ready');
    (who === 'daemon' ? site : people.engineer).socket.end();
    await until(() => rig.relay.sessions.stateOf(people.invited.session) !== 'spliced');
    // With an engineer who has left, the end of the data connection may overtake the word of the customer.
    const possible = who === 'engineer' ? ['customer', 'engineer'] : ['customer'];
    t.ok(possible.includes(await interruptVisit(scene, people)));
    await site.ended;
    hangUp(people.engineer, site);
  });
}

/** How far whoever sits in the relay's place goes. */
const NOT_LET_IN: Readonly<Record<string, (peer: FramePeer) => Promise<unknown>>> = {
  'nobody answers': (peer) => peer.expect('hello'),
  'the relay does not prove that it knows the password': (peer) => challenge(peer, new Uint8Array(32)),
};

for (const [why, answer] of Object.entries(NOT_LET_IN)) {
  race(`the customer leaves while ${why}`, { handling: ['serve'] }, async (scene) => {
    const { rig, daemon, proxy, served } = scene;
    const { customerPassword, session } = await rig.invite();
    const options = { keyboard: true, relay: proxy.address };
    const customer = rig.connect(customerPassword, daemon.address, options);
    const peer = await served;
    await answer(peer);
    void endWithPeer(peer);
    await interrupt(scene, customer);
    rig.relay.sessions.close(session);
  });
}

race('the customer leaves during the TLS handshake', { handling: ['hold'] }, async (scene) => {
  const { rig, daemon, proxy, release } = scene;
  const { customerPassword, session } = await rig.invite();
  const options = { keyboard: true, relay: proxy.address };
  const customer = rig.connect(customerPassword, daemon.address, options);
  await proxy.connection(0);
  await interrupt(scene, customer);
  release();
  rig.relay.sessions.close(session);
});

race('no key that was pressed before the question answers it', {}, async ({ t, rig, daemon }) => {
  const invited = await rig.invite();
  const customer = rig.connect(invited.customerPassword, daemon.address, { keyboard: true });
  await customer.shows('waiting for the engineer');
  customer.press('yyy');
  customer.press('y');
  pressWithTheRequest(customer, 'y');
  const engineer = await dialEngineer(rig);
  await comeIn(engineer, 'session', invited);
  await customer.shows(QUESTION);
  customer.press('n');
  await engineer.has('(refused)');
  t.equal(await customer.done, REFUSED);
  t.equal(audited(rig, 'consent-given').length, 0);
  hangUp(engineer);
});

/** Presses the key right before and right after the request arrives, in the same turn of the loop. */
function pressWithTheRequest({ connector, press }: RunningConnector, key: string): void {
  const requested = connector.visitRequested.bind(connector);
  connector.visitRequested = (request) => {
    press(key);
    requested(request);
    press(key);
  };
}

race('the daemon is gone when the visit comes', {}, async ({ t, rig }) => {
  const target = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  const invited = await rig.invite();
  const customer = rig.connect(invited.customerPassword, addressOf(target), { keyboard: true });
  await customer.shows('waiting for the engineer');
  target.close();
  const engineer = await dialEngineer(rig);
  await comeIn(engineer, 'session', invited);
  await customer.shows(QUESTION);
  customer.press('y');
  await engineer.has('(unreachable)');
  t.equal(await customer.done, UNREACHABLE);
  t.match(customer.screen(), 'The telnet daemon does not answer (ECONNREFUSED).');
  t.same(outcomesOf(rig, invited), ['unreachable']);
  hangUp(engineer);
});

race('no order of a relay opens a visit that was not allowed', { handling: ['serve'] }, async (scene) => {
  const { t, rig, daemon, proxy, served } = scene;
  const sites = collectSites(daemon);
  const { customerPassword, session } = await rig.invite();
  const options = { keyboard: true, relay: proxy.address };
  const customer = rig.connect(customerPassword, daemon.address, options);
  const peer = await served;
  const tag = await challenge(peer, secretOf(customerPassword).prs);
  peer.send('accepted', { tag, session: session.id, idleMs: 1, lifetimeMs: 1 });

  const [allowed, notAsked] = ['11'.repeat(16), '22'.repeat(16)];
  const order = (visit: string): void => peer.send('openData', { visit, host: '', port: 0 });
  order(allowed);
  const who = { who: 'mallory', from: 'x', over: 'y' };
  peer.send('visitRequest', { visit: allowed, ...who, answerMs: 60_000 });
  order(allowed);
  await customer.shows(QUESTION);
  order(allowed);
  peer.send('ping', { token: 1 });
  await peer.expect('pong');
  customer.press('y');
  t.same(await peer.expect('consent'), { name: 'consent', visit: allowed, granted: 1 });
  order(notAsked);
  t.equal(proxy.dials, 1, 'nothing was dialled so far');

  order(allowed);
  t.equal((await peer.expect('visitFailed')).visit, allowed, 'the real relay knows of no such visit');
  order(allowed);
  peer.send('ping', { token: 2 });
  await peer.expect('pong');
  t.equal(sites.length, 1, 'it is opened once');
  t.equal(proxy.dials, 2);
  void endWithPeer(peer);
  await interrupt(scene, customer);
  rig.relay.sessions.close(session);
});

/** A relay's part of the exchange; returns its tag, which is right if `prs` is. */
async function challenge(peer: FramePeer, prs: Uint8Array): Promise<Uint8Array> {
  const { share, card } = await peer.expect('hello');
  const exchange = startCpace({ role: 'responder', prs, ci: CPACE_CI, sid: peer.exporter, ad: RELAY_CARD });
  const { ownTag } = exchange.finish(share, card);
  peer.send('challenge', { share: exchange.share, card: RELAY_CARD });
  await peer.expect('confirm');
  return Uint8Array.from(ownTag);
}
