/**
 * What callers speak and how long they may take: the deadlines from accept to authenticated against a clock moved by
 * hand, with bytes that keep coming and must not move them, and what every kind of caller is answered.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { ALPN, encodeConnectorCard, encodeFrame } from '../../src/wire/frames.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { cardOf, dialFrames, sayHello, secretOf } from '../helpers/frame-peer.ts';
import { delivered } from '../helpers/loop.ts';
import {
  account,
  audited,
  CountingClock,
  dialEngineer,
  logInAccount,
  showsTimes,
  watchLeaks,
} from '../helpers/people.ts';
import { startDaemon, startRig, TestSocket, until, type Rig, type RigSettings } from '../helpers/rig.ts';
import { makeClientHello } from '../helpers/tls-hello.ts';

const STEP_MS = 1_000;
const TICK_MS = 100;
const IAC_NOP = Buffer.from([0xff, 0xf1]);
/** None of the machine's own. */
const NOWHERE = ['203.0.113.0/24'];
const HELLO_FRAME = encodeFrame('hello', {
  share: new Uint8Array(32).fill(1),
  card: encodeConnectorCard(cardOf('AAAAAA')),
});

/** Brings a connection to where it tarries; what it returns sends the next byte of one that goes on sending. */
type Caller = (t: Test, rig: Rig) => Promise<(step: number) => void>;

const silent = (): void => {};

async function isSilent(_t: Test, rig: Rig): Promise<() => void> {
  await rig.dial();
  return silent;
}

function trickles(bytes: Promise<Buffer>): Caller {
  return async (_t, rig) => {
    const hello = await bytes;
    const line = await rig.dial();
    return (step) => line.write(hello.subarray(step, step + 1));
  };
}

/** Somebody who has typed `typed`, was shown `prompt` so many times, and goes on with a key at a time. */
function types(typed: string, prompt: string, times: number, key: string | Buffer): Caller {
  return async (_t, rig) => {
    const line = await dialEngineer(rig);
    line.write(typed);
    await showsTimes(line, prompt, times);
    return () => line.write(key);
  };
}

async function typesOverTls(t: Test, rig: Rig): Promise<() => void> {
  const line = await dialTls(t, rig);
  line.write(IAC_NOP);
  await line.has('relay login: ');
  return () => line.write('a');
}

async function sendsHalfHello(t: Test, rig: Rig): Promise<(step: number) => void> {
  const peer = await dialFrames(t, rig.address);
  return (step) => peer.write(HELLO_FRAME.subarray(step, step + 1));
}

async function neverConfirms(t: Test, rig: Rig): Promise<(step: number) => void> {
  const { customerPassword } = await rig.invite();
  const peer = await dialFrames(t, rig.address);
  const { ownTag } = await sayHello(peer, secretOf(customerPassword));
  const confirm = encodeFrame('confirm', { tag: Uint8Array.from(ownTag) });
  return (step) => peer.write(confirm.subarray(step, step + 1));
}

const DEADLINES: readonly [who: string, deadlineMs: number, caller: Caller, settings?: RigSettings][] = [
  ['silence that is greeted', 60_000, isSilent],
  ['a name, typed slowly', 60_000, types('', 'relay login: ', 1, 'a')],
  ['a password, typed slowly', 60_000, types('alice\r\n', 'Password: ', 1, 'a')],
  ['empty lines', 60_000, types('', 'relay login: ', 1, '\r\n')],
  ['a line that only keeps itself alive', 60_000, types('', 'relay login: ', 1, IAC_NOP)],
  ['a third try after two wrong ones', 60_000, types('a\r\nb\r\na\r\nb\r\n', 'incorrect', 2, 'a')],
  ['a name typed over TLS', 60_000, typesOverTls],
  ['a TLS hello in pieces', 20_000, trickles(makeClientHello()), { greetAfterMs: 90_000 }],
  ['TLS without a frame', 20_000, async (t, rig) => (await dialFrames(t, rig.address), silent)],
  ['a first frame in pieces', 20_000, sendsHalfHello],
  ['a confirmation in pieces', 20_000, neverConfirms],
  ['silence where nobody is greeted', 10_000, isSilent, { telnetFrom: NOWHERE }],
  [
    'half a method where nobody is greeted',
    10_000,
    trickles(Promise.resolve(Buffer.from('OPTIONS'))),
    { telnetFrom: NOWHERE },
  ],
];

for (const [what, deadlineMs, caller, settings] of DEADLINES) {
  t.test(`${what}: cut off ${deadlineMs / 1_000} s after accept, whatever comes`, async (t) => {
    const clock = new FakeClock();
    const rig = await startRig(t, { clock, ...settings });
    const sendNext = await caller(t, rig);
    await until(() => rig.relay.connections === 1);
    for (let step = 0; (step + 1) * STEP_MS < deadlineMs; step += 1) {
      sendNext(step);
      await delivered();
      clock.advance(STEP_MS);
    }
    clock.advance(STEP_MS - TICK_MS);
    await delivered();
    t.equal(rig.relay.connections, 1, 'still there right before');
    clock.advance(2 * TICK_MS);
    await until(() => rig.relay.connections === 0);
    t.notMatch(rig.log(), /"level":"error"/);
  });
}

type Tarrying = readonly [who: string, caller: Caller, settings?: RigSettings | undefined];

const STRANGERS: readonly Tarrying[] = [
  [
    'half a method where everybody is greeted',
    trickles(Promise.resolve(Buffer.from('GET '))),
    { greetAfterMs: 90_000 },
  ],
  ...DEADLINES.filter(([, deadlineMs, caller]) => deadlineMs < 60_000 || caller === isSilent).map(
    ([who, , caller, settings]): Tarrying => [who, caller, settings],
  ),
];

for (const [who, caller, settings] of STRANGERS) {
  t.test(`a relay that stops does not wait for a stranger: ${who}`, async (t) => {
    // Of a clock that stands still, no deadline comes.
    const rig = await startRig(t, { clock: new FakeClock(), ...settings });
    const sendNext = await caller(t, rig);
    for (const step of [0, 1, 2]) sendNext(step);
    await until(() => rig.relay.connections === 1);
    await delivered();
    await rig.relay.stop();
    await until(() => rig.relay.connections === 0);
    t.notMatch(rig.log(), /"level":"error"/);
  });
}

t.test('the time that TLS takes counts', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock, greetAfterMs: 60_000 });
  const line = await rig.dial();
  await until(() => rig.relay.connections === 1);
  clock.advance(15_000);
  const secured = connectTls({ socket: line.socket, ALPNProtocols: [ALPN], rejectUnauthorized: false });
  secured.on('error', () => {});
  await once(secured, 'secureConnect');
  await delivered();
  clock.advance(4_900);
  t.equal(rig.relay.connections, 1);
  clock.advance(2 * TICK_MS);
  await until(() => rig.relay.connections === 0);
});

t.test('once logged in, a person has a deadline of their own', async (t) => {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  await rig.relay.accounts.add(account.name, 'engineer', account.password);
  const line = await dialEngineer(rig);
  await logInAccount(line);
  clock.advance(10 * 60_000);
  await delivered();
  line.write('help\r\n');
  await line.has('Commands:');
});

t.test('TLS or HTTP after the greeting is hung up on, and no try is counted', async (t) => {
  for (const late of [await makeClientHello(), Buffer.from('GET / HTTP/1.1\r\nHost: relay.test\r\n\r\n')]) {
    const rig = await startRig(t);
    const line = await rig.dial();
    await line.has('relay login: ');
    const before = line.bytes.length;
    line.write(late);
    await line.ended;
    t.equal(line.bytes.length, before, 'without a word');
    t.same(audited(rig, 'engineer-login-wrong'), []);
    line.socket.end();
    await rig.settled();
  }
});

t.test('HTTP is refused in its own words, however it is cut', async (t) => {
  const rig = await startRig(t, { greetAfterMs: 60_000 });
  const request = 'OPTIONS * HTTP/1.1\r\nHost: relay.test\r\n\r\n';
  for (let cut = 0; cut <= 9; cut += 1) {
    const line = await rig.dial();
    line.write(request.slice(0, cut));
    await delivered();
    line.write(request.slice(cut));
    await line.ended;
    t.match(line.text, /^HTTP\/1\.1 501 Not Implemented\r\n[^]*This port serves telnet/);
    line.socket.end();
  }
  await rig.settled();
});

t.test('plain telnet from elsewhere is refused, telnet over TLS is not', async (t) => {
  const rig = await startRig(t, { telnetFrom: NOWHERE });
  const line = await rig.dial();
  line.write(IAC_NOP);
  await line.has('Plain telnet is not taken from your address. Use telnet over TLS.\r\n');
  await line.ended;
  line.socket.end();
  const secured = await dialTls(t, rig);
  await secured.has('relay login: ');
});

t.test('a whole visit with telnet over TLS, and the customer is told over what', async (t) => {
  const rig = await startRig(t, { telnetFrom: NOWHERE });
  const daemon = await startDaemon(t);
  const invited = await rig.invite();
  const customer = rig.connect(invited.customerPassword, daemon.address, { keyboard: true });
  await customer.shows('waiting for the engineer');
  const line = await dialTls(t, rig);
  await line.logIn(invited.session.id, invited.engineerPassword);
  await customer.shows('(y/n');
  t.match(customer.screen(), 'over telnet over TLS');
  customer.press('y');
  const site = await daemon.accepted();
  await line.has('daemon ready');
  line.write('ls\r\n');
  await site.has('ls\r\n');
  site.write('file\r\n');
  await line.has('file\r\n');
  site.socket.end();
  await line.ended;
  line.socket.end();
  t.equal(await customer.done, 0);
});

t.test('an unknown ALPN name is refused by an alert', async (t) => {
  const rig = await startRig(t);
  await t.rejects(dialTls(t, rig, { ALPNProtocols: ['h2'] }), {
    code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  });
  await rig.settled();
});

t.test('a connector with TLS 1.2 is closed, a person with it is served', async (t) => {
  const rig = await startRig(t);
  const connector = dialTls(t, rig, { ALPNProtocols: [ALPN], maxVersion: 'TLSv1.2' });
  // Whether the client hears of the end of its handshake before the close is up to the network.
  await connector.then(
    (line) => line.ended,
    () => {},
  );
  await rig.settled();
  const line = await dialTls(t, rig, { maxVersion: 'TLSv1.2' });
  await line.has('relay login: ');
});

t.test('TLS inside TLS is closed', async (t) => {
  const rig = await startRig(t);
  const line = await dialTls(t, rig);
  line.write(await makeClientHello());
  await line.ended;
  line.socket.end();
  await rig.settled();
});

const WAYS_TO_LEAVE: Readonly<Record<string, (socket: Socket) => void>> = {
  ends: (socket) => void socket.end(),
  'is reset': (socket) => void socket.resetAndDestroy(),
};

for (const [how, leave] of Object.entries(WAYS_TO_LEAVE)) {
  t.test(`a caller that ${how} in the middle of the handshake is noticed at once`, async (t) => {
    const clock = new CountingClock(systemClock);
    const rig = await startRig(t, { clock, greetAfterMs: 60_000 });
    const noLeaks = watchLeaks(t, rig, clock);
    const hello = await makeClientHello();
    for (const length of [1, 2, 5, 6, 100, hello.length - 1, hello.length]) {
      const line = await rig.dial();
      line.write(hello.subarray(0, length));
      if (length === hello.length) await once(line.socket, 'data');
      else await delivered();
      leave(line.socket);
      await rig.settled();
      line.socket.destroy();
    }
    await noLeaks();
  });
}

/** A TLS client that is no connector. Rejects when the handshake fails. */
function dialTls(t: Test, rig: Rig, options: ConnectionOptions = {}): Promise<TestSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ ...rig.address, rejectUnauthorized: false, ...options });
    const line = new TestSocket(t, socket);
    socket.once('error', reject);
    socket.once('secureConnect', () => resolve(line));
  });
}
