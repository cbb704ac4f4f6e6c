/**
 * The connector's end of relays that speak wrongly, fall silent or do not listen: it ends with its reason, or goes on,
 * and does nothing that its customer did not allow.
 */
import { randomBytes, type KeyObject } from 'node:crypto';
import type { Writable } from 'node:stream';
import t, { type Test } from 'tap';
import { encodeFrame, type FrameName } from '../../src/wire/frames.ts';
import { outcomeCode } from '../../src/wire/outcomes.ts';
import { makePassword } from '../../src/wire/password.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import {
  admit,
  enroll,
  proveAsRelay,
  resumedFrame,
  secretOf,
  serveFrames,
  type FramePeer,
} from '../helpers/frame-peer.ts';
import { startDaemon, startRig, until, type RigSettings, type RunningConnector } from '../helpers/rig.ts';
import { encodeExample, EXAMPLES, MALFORMED, VISIT } from '../wire/frame-examples.ts';

const MIB = 1_048_576;
const RELAY_LOST = 26;
const EXPECTED: readonly FrameName[] = [
  ...(['ping', 'visitRequest', 'visitCancel', 'openData', 'warning', 'visitOver', 'bye'] as const),
];

/** A connector that was let in by a relay which `act` plays from there. */
async function letIn(
  t: Test,
  act: (peer: FramePeer) => void,
  settings: RigSettings & { keyboard?: boolean } = {},
): Promise<{ customer: RunningConnector; daemonDials: () => number }> {
  const rig = await startRig(t, settings);
  const daemon = await startDaemon(t);
  let dials = 0;
  void daemon.accepted().then(() => (dials += 1));
  const password = makePassword(randomBytes).printed;
  const relay = await serveFrames(t, rig.identity, async (peer) => {
    await admit(peer, secretOf(password));
    act(peer);
  });
  const { keyboard = false } = settings;
  const customer = rig.connect(password, daemon.address, { relay: relay.address, keyboard });
  return { customer, daemonDials: () => dials };
}

t.test('what is no frame, or not its turn, ends the connector with its reason', async (t) => {
  const outOfTurn = EXAMPLES.filter(({ name }) => !EXPECTED.includes(name));
  const wrong = {
    ...MALFORMED,
    ...Object.fromEntries(outOfTurn.map((frame) => [frame.name, encodeExample(frame)])),
  };
  for (const [what, bytes] of Object.entries(wrong)) {
    const { customer, daemonDials } = await letIn(t, (peer) => peer.write(bytes));
    t.equal(await customer.done, RELAY_LOST, what);
    t.match(customer.screen(), /it sent what this version does not understand/);
    t.equal(daemonDials(), 0);
  }
});

t.test('a relay that names a host to be looked up is left', async (t) => {
  const { customer, daemonDials } = await letIn(t, (peer) =>
    peer.send('openData', { visit: VISIT, host: 'internal.customer.test', port: 23 }),
  );
  t.equal(await customer.done, RELAY_LOST);
  t.match(customer.screen(), /openData names no address/);
  t.equal(daemonDials(), 0);
});

t.test('a relay that asks for a second visit at once is left, and nobody is let in', async (t) => {
  const request = { who: 'alice', from: '192.0.2.1', over: 'telnet', answerMs: 60_000 };
  const { customer, daemonDials } = await letIn(
    t,
    (peer) => {
      peer.send('visitRequest', { visit: VISIT, ...request });
      peer.send('visitRequest', { visit: '11'.repeat(16), ...request, who: 'mallory' });
    },
    { keyboard: true },
  );
  t.equal(await customer.done, RELAY_LOST);
  t.notMatch(customer.screen(), /mallory/);
  t.equal(daemonDials(), 0);
});

t.test('orders for visits that nobody asked for change nothing', async (t) => {
  const { customer, daemonDials } = await letIn(t, (peer) => {
    peer.send('visitCancel', { visit: VISIT });
    peer.send('openData', { visit: VISIT, host: '', port: 0 });
    peer.send('openData', { visit: VISIT, host: '127.0.0.1', port: 1 });
    peer.send('warning', { visit: VISIT, kind: 9, remainingMs: 1_000 });
    peer.send('bye', { outcome: 13 });
  });
  t.equal(await customer.done, 13);
  t.equal(daemonDials(), 0);
});

t.test('a relay that falls silent is left after 40 s, one that pings is not', async (t) => {
  const clock = new FakeClock();
  let relay: FramePeer | null = null;
  const { customer } = await letIn(t, (peer) => (relay = peer), { clock });
  await customer.shows('waiting for the engineer');
  for (let token = 1; token <= 4; token += 1) {
    clock.advance(39_000);
    relay!.send('ping', { token });
    t.match(await relay!.next(), { name: 'pong', token });
  }
  clock.advance(40_000);
  t.equal(await customer.done, RELAY_LOST);
  t.match(customer.screen(), /it fell silent/);
});

t.test('a relay that asks and does not listen is not read for ever', async (t) => {
  let relay: FramePeer | null = null;
  const { customer } = await letIn(t, (peer) => (relay = peer));
  await customer.shows('waiting for the engineer');
  const { socket } = relay!;
  socket.pause();
  const pings = Buffer.concat(Array.from({ length: 8_192 }, () => encodeExample({ name: 'ping', token: 1 })));
  let sent = 0;
  // Far more than the kernel holds on the way.
  while (sent < 64 * MIB && !(await isStuck(socket))) {
    socket.write(pings);
    sent += pings.length;
  }
  t.ok(sent < 64 * MIB, `the connector stopped reading after ${sent} bytes`);
  customer.connector.interrupt();
});

/** Whether what was written stays where it is. */
async function isStuck(socket: Writable): Promise<boolean> {
  for (let turn = 0; turn < 200; turn += 1) {
    if (socket.writableLength === 0) return false;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return true;
}

const REQUEST = encodeFrame('visitRequest', {
  ...{ visit: VISIT, who: 'alice', from: '127.0.0.1', over: 'telnet', answerMs: 60_000 },
});
const SHUTDOWN = encodeFrame('bye', { outcome: outcomeCode('shutdown') });

/** A standing connector at a relay that plays `parts`, one for each connection. */
async function letStand(
  t: Test,
  parts: ReadonlyArray<(peer: FramePeer, password: string, key: KeyObject) => Promise<void>>,
): Promise<RunningConnector> {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const password = makePassword(randomBytes).printed;
  const relay = await serveFrames(t, rig.identity, (peer) => {
    const part = parts[relay.dials() - 1];
    return part ? part(peer, password, rig.identity.privateKey) : Promise.resolve();
  });
  const args = ['-persist', '-consent', 'auto'];
  return rig.connect(password, daemon.address, { relay: relay.address, args, random: () => 0 });
}

t.test('an order in the same piece as the admission is obeyed', async (t) => {
  let answers = 0;
  const customer = await letStand(t, [
    async (peer, password, key) => {
      await enroll(peer, secretOf(password), key, REQUEST);
      t.match(await peer.expect('consent'), { visit: VISIT, granted: 1 });
      answers += 1;
      peer.cut();
    },
    async (peer, _password, key) => {
      await proveAsRelay(peer, key);
      peer.write(Buffer.concat([resumedFrame(), REQUEST]));
      t.match(await peer.expect('consent'), { visit: VISIT, granted: 1 });
      answers += 1;
      peer.cut();
    },
  ]);
  await until(() => answers === 2);
  await customer.shows('Back at relay');
});

t.test('a relay that stops right behind the admission is dialled again', async (t) => {
  const customer = await letStand(t, [
    (peer, password, key) => enroll(peer, secretOf(password), key, SHUTDOWN),
    async (peer, _password, key) => {
      await proveAsRelay(peer, key);
      peer.write(Buffer.concat([resumedFrame(), SHUTDOWN]));
    },
    async (peer, _password, key) => {
      await proveAsRelay(peer, key);
      peer.write(resumedFrame());
    },
  ]);
  await until(() => customer.screen().split('Back at relay').length === 3);
  t.equal(
    customer.screen().split('The relay is shutting down.').length,
    3,
    'and said why it did, both times',
  );
});
