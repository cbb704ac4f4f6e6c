/**
 * People who leave at the worst moment: every stage of a visit, both of them, and both orders of what crosses.
 *
 * Until the splice a visit that fails for want of the engineer leaves the session as it was, and the next engineer gets
 * a visit of its own; nothing that was meant for one visit (a key, a consent, a data connection) counts for another.
 */
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import { CPACE_CI, startCpace } from '../../src/wire/cpace.ts';
import { dataTag } from '../../src/wire/data-auth.ts';
import { encodeRelayCard } from '../../src/wire/frames.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { dialFrames, enterByHand, secretOf, serveFrames, type FramePeer } from '../helpers/frame-peer.ts';
import {
  audited,
  bringTogether,
  comeIn,
  CountingClock,
  dialEngineer,
  inviteFor,
  outcomesOf,
  showsTimes,
  watchLeaks,
  type Invited,
  type People,
} from '../helpers/people.ts';
import {
  startDaemon,
  startRig,
  until,
  type Rig,
  type RigSettings,
  type RunningConnector,
  type TestDaemon,
  type TestSocket,
} from '../helpers/rig.ts';
import { startTlsProxy } from '../helpers/tls-proxy.ts';

const CUSTOMER_LEFT = 4;
const QUESTION = '(y/n';
const ROUNDS = 8;

/** A rig whose leaks are checked when `action` is done and every session is over. */
function race(
  name: string,
  action: (t: Test, rig: Rig, daemon: TestDaemon) => Promise<void>,
  settings: RigSettings = {},
): void {
  t.test(name, async (t) => {
    const clock = new CountingClock(systemClock);
    const rig = await startRig(t, { clock, ...settings });
    const daemon = await startDaemon(t);
    const assertNoLeaks = watchLeaks(t, rig, clock);
    await action(t, rig, daemon);
    await rig.settled();
    await assertNoLeaks();
  });
}

/** A customer played by hand who was let in, and an engineer who asked for the visit. */
interface ByHand {
  readonly invited: Invited;
  readonly control: FramePeer;
  readonly dataKey: Uint8Array;
  readonly engineer: TestSocket;
  readonly visit: string;
}

async function askByHand(t: Test, rig: Rig): Promise<ByHand> {
  const invited = await rig.invite();
  const { control, dataKey } = await enterByHand(t, rig.address, invited.customerPassword);
  const engineer = await dialEngineer(rig);
  await comeIn(engineer, 'session', invited);
  const { visit } = await control.expect('visitRequest');
  return { invited, control, dataKey, engineer, visit };
}

/** The same, up to the order to open a data connection. */
async function dialByHand(t: Test, rig: Rig): Promise<ByHand> {
  const byHand = await askByHand(t, rig);
  byHand.control.send('consent', { visit: byHand.visit, granted: 1 });
  await byHand.control.expect('openData');
  return byHand;
}

async function openByHand(t: Test, rig: Rig, { visit, dataKey }: ByHand): Promise<[FramePeer, () => void]> {
  const data = await dialFrames(t, rig.address);
  const tag = dataTag(dataKey, 'connector', Buffer.from(visit, 'hex'), data.exporter);
  return [data, () => data.send('dataHello', { visit, tag })];
}

/** Shows that the session is as good as new: another engineer is asked for, let in and connected. */
async function visitAgain(rig: Rig, daemon: TestDaemon, { invited, customer }: People): Promise<void> {
  const again = await dialEngineer(rig);
  await comeIn(again, 'session', invited);
  if (customer.screen().includes(QUESTION)) {
    await until(() => customer.screen().split(QUESTION).length === 3);
    customer.press('y');
  }
  await again.has('daemon ready');
  const site = await daemon.accepted();
  await leave(rig, again, site);
  await customer.done;
}

async function leave(rig: Rig, engineer: TestSocket, site: TestSocket): Promise<void> {
  engineer.socket.end();
  await site.ended;
  site.socket.end();
  await rig.settled();
}

const WAYS_TO_LEAVE: Readonly<Record<string, (engineer: TestSocket) => void>> = {
  'hangs up': ({ socket }) => socket.end(),
  'is gone': ({ socket }) => socket.destroy(),
  'is reset': ({ socket }) => socket.resetAndDestroy(),
  'presses ^C': (engineer) => engineer.write('\x03'),
};

for (const [how, leaves] of Object.entries(WAYS_TO_LEAVE)) {
  race(
    `the engineer ${how} while the customer is asked: a later y answers nothing`,
    async (t, rig, daemon) => {
      const people = await bringTogether(rig, daemon, 'session', { keyboard: true });
      const { customer, engineer, invited } = people;
      await customer.shows(QUESTION);
      leaves(engineer);
      await customer.shows('The engineer is gone again; waiting.');
      customer.press('y');
      t.equal(rig.relay.sessions.stateOf(invited.session), 'awaitingEngineer');
      await visitAgain(rig, daemon, people);
      t.equal(audited(rig, 'consent-given').length, 1, 'one question was answered');
      t.same(outcomesOf(rig, invited), ['engineer']);
      engineer.socket.destroy();
    },
  );

  race(`the engineer ${how} while the line is made ready`, async (t, rig, daemon) => {
    const people = await bringTogether(rig, daemon, 'session', { marks: false });
    await people.engineer.has('The customer agreed');
    leaves(people.engineer);
    await people.customer.shows('The engineer is gone again; waiting.');
    t.equal(rig.relay.sessions.stateOf(people.invited.session), 'awaitingEngineer');
    await visitAgain(rig, daemon, people);
    t.same(outcomesOf(rig, people.invited), ['engineer']);
    people.engineer.socket.destroy();
  });

  race(`the engineer ${how} while the connector dials`, async (t, rig, daemon) => {
    const proxy = await startTlsProxy(t, {
      relay: rig.address,
      handling: (number) => (number === 1 ? 'hold' : 'pass'),
    });
    const people = await bringTogether(rig, daemon, 'session', { relay: proxy.address });
    const held = await proxy.connection(1);
    const first = await daemon.accepted();
    leaves(people.engineer);
    await people.customer.shows('The engineer is gone again; waiting.');
    await first.ended;
    first.socket.end();
    held.release();
    t.equal(rig.relay.sessions.stateOf(people.invited.session), 'awaitingEngineer');
    await visitAgain(rig, daemon, people);
    t.equal(proxy.dials, 3);
    t.same(outcomesOf(rig, people.invited), ['engineer']);
    t.equal(first.bytes.length, 0, 'nothing reached the daemon of the first visit');
    people.engineer.socket.destroy();
    await until(() => proxy.connections.every(({ client, server }) => client.destroyed && server!.destroyed));
  });
}

race(
  'an account that presses ^C is back at its prompt, and may open the session again',
  async (t, rig, daemon) => {
    const { customer, engineer, invited } = await bringTogether(rig, daemon, 'account', { keyboard: true });
    await customer.shows(QUESTION);
    engineer.write('\x03');
    await showsTimes(engineer, 'relay> ', 2);
    await customer.shows('The engineer is gone again; waiting.');
    engineer.write(`open ${invited.session.id}\r\n`);
    await until(() => customer.screen().split(QUESTION).length === 3);
    customer.press('y');
    await engineer.has('daemon ready');
    await leave(rig, engineer, await daemon.accepted());
    t.equal(await customer.done, 0);
  },
);

race('a data connection for a visit that was withdrawn gets one refusing frame', async (t, rig) => {
  const byHand = await dialByHand(t, rig);
  const [data, hello] = await openByHand(t, rig, byHand);
  byHand.engineer.socket.destroy();
  t.equal((await byHand.control.expect('visitCancel')).visit, byHand.visit);
  hello();
  t.equal((await data.next())?.name, 'dataRefused');
  t.equal(await data.next(), null);
  t.equal(rig.relay.sessions.stateOf(byHand.invited.session), 'awaitingEngineer');

  const again = await dialEngineer(rig);
  await comeIn(again, 'session', byHand.invited);
  const { visit } = await byHand.control.expect('visitRequest');
  t.not(visit, byHand.visit, 'the next visit has an id of its own');
  byHand.control.send('consent', { visit, granted: 1 });
  await byHand.control.expect('openData');
  const [next, nextHello] = await openByHand(t, rig, { ...byHand, visit });
  nextHello();
  t.equal((await next.next())?.name, 'dataAccepted');
  for (const socket of [again.socket, byHand.control.socket, data.socket, next.socket]) socket.destroy();
  await rig.settled();
  t.equal(outcomesOf(rig, byHand.invited).length, 1);
});

for (const first of ['the data connection', 'the end of the engineer'] as const) {
  race(`${first} comes a moment before the other`, async (t, rig) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const byHand = await dialByHand(t, rig);
      const [data, hello] = await openByHand(t, rig, byHand);
      if (first === 'the data connection') hello();
      byHand.engineer.socket.destroy();
      if (first !== 'the data connection') hello();
      const answer = await data.next();
      if (answer?.name === 'dataAccepted') {
        t.equal(await data.next(), null, 'the visit began, and ended with its engineer');
        data.socket.end();
        t.match((await byHand.control.expect('bye')).outcome, Number);
        t.match(outcomesOf(rig, byHand.invited), [/^(engineer|failure)$/]);
      } else {
        t.equal(answer?.name, 'dataRefused', 'the visit never began');
        await byHand.control.expect('visitCancel');
        t.equal(rig.relay.sessions.stateOf(byHand.invited.session), 'awaitingEngineer');
        byHand.control.send('bye', { outcome: CUSTOMER_LEFT });
        await byHand.control.expect('bye');
        t.same(outcomesOf(rig, byHand.invited), ['customer']);
      }
      for (const { socket } of [data, byHand.control]) socket.destroy();
    }
  });
}

for (const first of ['the consent', 'the end of the engineer'] as const) {
  race(`${first} comes a moment before the other: it counts for no later visit`, async (t, rig) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { control, engineer, invited, visit } = await askByHand(t, rig);
      const granted = (): void => control.send('consent', { visit, granted: 1 });
      if (first === 'the consent') granted();
      engineer.socket.destroy();
      if (first !== 'the consent') granted();
      for (let frame = await control.next(); frame?.name !== 'visitCancel'; frame = await control.next()) {
        t.equal(frame?.name, 'openData');
      }
      t.equal(rig.relay.sessions.stateOf(invited.session), 'awaitingEngineer');

      const given = audited(rig, 'consent-given').length;
      const again = await dialEngineer(rig);
      await comeIn(again, 'session', invited);
      const next = await control.expect('visitRequest');
      granted();
      control.send('consent', { visit: next.visit, granted: 0 });
      await again.has('(refused)');
      t.same(outcomesOf(rig, invited), ['refused']);
      t.equal(audited(rig, 'consent-given').length, given, 'the old answer was none');
      for (const { socket } of [again, control]) socket.destroy();
    }
  });
}

t.test('a consent that comes with the end of its time is none', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  const { control, engineer, invited, visit } = await askByHand(t, rig);
  clock.advance(10_000);
  control.send('consent', { visit, granted: 1 });
  clock.advance(4_000);
  await until(() => rig.relay.sessions.stateOf(invited.session) === 'awaitingData');
  t.equal(audited(rig, 'consent-given').length, 1, 'in time');

  const late = await askByHand(t, rig);
  // Pongs are read between the steps: only the customer is slow.
  for (let step = 0; step < 5; step += 1) {
    clock.advance(12_000);
    if (step === 4) break;
    await Promise.race([late.control.expect('pong'), until(() => true)]);
  }
  late.control.send('consent', { visit: late.visit, granted: 1 });
  clock.advance(1_000);
  await late.engineer.has('(unanswered)');
  t.same(outcomesOf(rig, late.invited), ['unanswered']);
  engineer.socket.destroy();
});

t.test('a data connection that comes after its time is refused', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  const byHand = await dialByHand(t, rig);
  const [data, hello] = await openByHand(t, rig, byHand);
  clock.advance(10_200);
  await byHand.engineer.has('(unreachable)');
  hello();
  t.equal((await data.next())?.name, 'dataRefused');
  t.same(outcomesOf(rig, byHand.invited), ['unreachable']);
});

/** Ctrl+C at the customer's keyboard, and what the engineer hears of it. */
async function interruptAndCheck(
  t: Test,
  rig: Rig,
  { customer, engineer, invited }: People,
  hears = true,
): Promise<void> {
  const startMs = performance.now();
  customer.press('\x03');
  t.equal(await customer.done, CUSTOMER_LEFT);
  t.match(customer.screen(), 'You ended the session. (customer)');
  if (hears) await engineer.has('The customer ended the session. (customer)');
  await engineer.ended;
  engineer.socket.end();
  await rig.settled();
  t.ok(performance.now() - startMs < 2_000, 'at once');
  t.same(outcomesOf(rig, invited), ['customer']);
}

race('the customer leaves while nobody is there', async (t, rig, daemon) => {
  const invited = await rig.invite();
  const customer = rig.connect(invited.customerPassword, daemon.address, { keyboard: true });
  await customer.shows('waiting for the engineer');
  customer.press('\x03');
  t.equal(await customer.done, CUSTOMER_LEFT);
  await rig.settled();
  t.same(outcomesOf(rig, invited), ['customer']);
});

race('the customer leaves instead of answering', async (t, rig, daemon) => {
  const people = await bringTogether(rig, daemon, 'session', { keyboard: true });
  await people.customer.shows(QUESTION);
  await interruptAndCheck(t, rig, people);
});

race('the customer leaves while the line is made ready', async (t, rig, daemon) => {
  const people = await bringTogether(rig, daemon, 'session', { keyboard: true, marks: false });
  await people.customer.shows(QUESTION);
  people.customer.press('y');
  await people.engineer.has('The customer agreed');
  await interruptAndCheck(t, rig, people);
});

race('the customer leaves while the connector dials', async (t, rig, daemon) => {
  const proxy = await startTlsProxy(t, {
    relay: rig.address,
    handling: (number) => (number === 1 ? 'hold' : 'pass'),
  });
  const people = await bringTogether(rig, daemon, 'session', { keyboard: true, relay: proxy.address });
  await people.customer.shows(QUESTION);
  people.customer.press('y');
  const held = await proxy.connection(1);
  const site = await daemon.accepted();
  await interruptAndCheck(t, rig, people);
  await site.ended;
  site.socket.end();
  held.client.destroy();
});

for (const ended of ['nobody', 'the daemon', 'the engineer'] as const) {
  race(`the customer leaves a visit that ${ended} has ended`, async (t, rig, daemon) => {
    const people = await bringTogether(rig, daemon, 'session', { keyboard: true });
    await people.customer.shows(QUESTION);
    people.customer.press('y');
    const site = await daemon.accepted();
    await people.engineer.has('daemon ready');
    const state = rig.relay.sessions.stateOf.bind(rig.relay.sessions, people.invited.session);
    if (ended === 'the daemon') site.socket.end();
    if (ended === 'the engineer') people.engineer.socket.end();
    await until(() => ended === 'nobody' || state() !== 'spliced');
    await interruptAndCheck(t, rig, people, ended !== 'the daemon');
    site.socket.end();
  });
}

t.test('the customer leaves before there is a session', async (t) => {
  const stages: Readonly<Record<string, (t: Test, rig: Rig) => Promise<{ host: string; port: number }>>> = {
    'nobody answers the TLS hello': async (t) => {
      const server = createServer((socket) => socket.on('error', () => {}).resume());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      t.teardown(() => server.close());
      return addressOf(server);
    },
    'nobody answers the hello': async (t, rig) =>
      (await serveFrames(t, rig.identity, async () => {})).address,
    'nobody answers the confirmation': async (t, rig) => {
      const fake = await serveFrames(t, rig.identity, async (peer) => {
        await peer.expect('hello');
        const exchange = startCpace({
          role: 'responder',
          prs: new Uint8Array(32),
          ci: CPACE_CI,
          sid: peer.exporter,
          ad: RELAY_CARD,
        });
        peer.send('challenge', { share: exchange.share, card: RELAY_CARD });
      });
      return fake.address;
    },
  };
  for (const [what, start] of Object.entries(stages)) {
    await t.test(what, async (t) => {
      const rig = await startRig(t);
      const daemon = await startDaemon(t);
      const { customerPassword } = await rig.invite();
      const relay = await start(t, rig);
      const customer = rig.connect(customerPassword, daemon.address, {
        keyboard: true,
        relay,
        args: ['-verbose'],
      });
      await customer.shows('Dialling the relay');
      const startMs = performance.now();
      customer.press('\x03');
      t.equal(await customer.done, CUSTOMER_LEFT);
      t.ok(performance.now() - startMs < 2_000);
    });
  }
});

race('keys that were pressed before the question do not answer it', async (t, rig, daemon) => {
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
  t.equal(await customer.done, 7);
  t.equal(audited(rig, 'consent-given').length, 0);
  engineer.socket.destroy();
});

/** Presses a key right before and right after the request for a visit arrives, in the same turn of the loop. */
function pressWithTheRequest({ connector, press }: RunningConnector, key: string): void {
  const requested = connector.visitRequested.bind(connector);
  connector.visitRequested = (request) => {
    press(key);
    requested(request);
    press(key);
  };
}

t.test('a relay that orders a visit without an answer gets none', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const { customerPassword } = await rig.invite();
  const { prs } = secretOf(customerPassword);
  const visit = '11'.repeat(16);
  const fake = await serveFrames(t, rig.identity, async (peer) => {
    const { share, card } = await peer.expect('hello');
    const exchange = startCpace({ role: 'responder', prs, ci: CPACE_CI, sid: peer.exporter, ad: RELAY_CARD });
    const keys = exchange.finish(share, card);
    peer.send('challenge', { share: exchange.share, card: RELAY_CARD });
    await peer.expect('confirm');
    peer.send('accepted', { tag: Uint8Array.from(keys.ownTag), session: '0', idleMs: 1, lifetimeMs: 1 });
    const open = (): void => peer.send('openData', { visit, host: '', port: 0 });
    open();
    peer.send('visitRequest', { visit, who: 'mallory', from: 'x', over: 'y', answerMs: 60_000 });
    open();
    for (let token = 0; token < 3; token += 1) {
      peer.send('ping', { token });
      await peer.expect('pong');
    }
    pinged = true;
    t.equal((await peer.expect('consent')).granted, 1);
    open();
  });
  let pinged = false;
  let isDialled = false;
  const site = daemon.accepted().then(() => (isDialled = true));
  const customer = rig.connect(customerPassword, daemon.address, { keyboard: true, relay: fake.address });
  await customer.shows(QUESTION);
  await until(() => pinged);
  t.notOk(isDialled, 'the daemon was not dialled');
  customer.press('y');
  await site;
});

race('two engineers come at once: one is asked for, the other is told', async (t, rig, daemon) => {
  const invited = await inviteFor(rig, 'account');
  const customer = rig.connect(invited.customerPassword, daemon.address, { keyboard: true });
  await customer.shows('waiting for the engineer');
  const both = await Promise.all([dialEngineer(rig), dialEngineer(rig)]);
  await Promise.all([comeIn(both[0], 'session', invited), comeIn(both[1], 'account', invited)]);
  const said = /Asking the customer|Somebody else is working on this session/;
  await until(() => both.every(({ text }) => said.test(text)));
  t.equal(both.filter(({ text }) => text.includes('Asking the customer')).length, 1);
  await customer.shows(QUESTION);
  t.equal(customer.screen().split(QUESTION).length, 2, 'one question');
  customer.press('n');
  await customer.done;
  for (const { socket } of both) socket.destroy();
});

for (const first of ['the customer leaves', 'the engineer comes'] as const) {
  race(`${first} a moment before the other`, async (t, rig) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const invited = await rig.invite();
      const { control } = await enterByHand(t, rig.address, invited.customerPassword);
      const engineer = await dialEngineer(rig);
      await engineer.has('relay login: ');
      engineer.write(`${invited.session.id}\r\n`);
      await engineer.has('Password: ');
      const come = (): void => engineer.write(`${invited.engineerPassword}\r\n`);
      if (first === 'the engineer comes') come();
      control.send('bye', { outcome: CUSTOMER_LEFT });
      if (first !== 'the engineer comes') come();
      await until(() => /Login incorrect|\(customer\)/.test(engineer.text));
      t.same(outcomesOf(rig, invited), ['customer']);
      for (const { socket } of [engineer, control]) socket.destroy();
    }
  });
}

const RELAY_CARD = encodeRelayCard({ version: 1, relayId: '00'.repeat(16), software: 'fake' });
