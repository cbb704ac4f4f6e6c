/**
 * tndconnect that stays, against relays that are played by hand: when it comes back, to whom it says what, and what ends
 * it. Nothing ends it before the relay has proved itself, and nothing makes it dial sooner than the back-off allows.
 */
import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import { LEAST_DELAY_MS } from '../../src/connector/backoff.ts';
import { decodeConnectorCard, encodeRelayCard, REFUSED } from '../../src/wire/frames.ts';
import { isSignedByConnector, signAsRelay } from '../../src/wire/key-auth.ts';
import { makePassword, parsePassword } from '../../src/wire/password.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { admit, secretOf, serveFrames, type FramePeer } from '../helpers/frame-peer.ts';
import { delivered } from '../helpers/loop.ts';
import { startDaemon, startRig, until, type Rig, type RunningConnector } from '../helpers/rig.ts';
import { encodeExample, EXAMPLES, MALFORMED } from '../wire/frame-examples.ts';

const KEY_REFUSED = 29;
const CARD = encodeRelayCard({ version: 1, relayId: '00'.repeat(16), software: 'test' });
const ROOM_MS = 5;

interface Stage {
  readonly rig: Rig;
  readonly clock: FakeClock;
  readonly customer: RunningConnector;
  readonly password: string;
  /** Connections that came. */
  readonly dials: () => number;
  /** The control connection that was let in by the password. */
  readonly first: FramePeer;
  /** What the relay does with the connections from now on. */
  serve(act: (peer: FramePeer) => Promise<void> | void): void;
  /** Lets time pass until there is one connection more. */
  redialled(): Promise<void>;
}

/** A connector that was let in and enrolled. */
async function letIn(
  t: Test,
  {
    goodForS = 3_600,
    clockS,
    keyboard = false,
    more = [],
  }: { goodForS?: number; clockS?: number; keyboard?: boolean; more?: readonly string[] } = {},
): Promise<Stage> {
  const clock = new FakeClock();
  const rig = await startRig(t, { clock });
  const daemon = await startDaemon(t);
  const password = makePassword(randomBytes).printed;
  let act: (peer: FramePeer) => Promise<void> | void = () => {};
  let first: FramePeer | null = null;
  const relay = await serveFrames(t, rig.identity, async (peer) => {
    if (first !== null) return act(peer);
    await admit(peer, secretOf(password));
    const now = Math.floor(clock.wallNow() / 1_000);
    peer.send('enrolled', {
      ...{
        connector: '4821-9375',
        relayKey: rig.identity.publicKey,
        goodForS,
        spreadS: 10,
        clockS: clockS ?? now,
      },
    });
    first = peer;
  });
  const args = [...(keyboard ? ['-persist'] : ['-persist', '-consent', 'auto']), ...more];
  const customer = rig.connect(password, daemon.address, { relay: relay.address, args, keyboard });
  await customer.shows('waiting for engineers');
  await until(() => first !== null);
  return {
    ...{ rig, clock, customer, password, dials: relay.dials, first: first! },
    serve: (next) => (act = next),
    redialled: async () => {
      const before = relay.dials();
      while (relay.dials() === before) {
        clock.advance(1_000);
        await delivered();
      }
    },
  };
}

/** The relay's part of the way back, up to the connector's proof, which is verified. */
async function prove(t: Test, rig: Rig, peer: FramePeer): Promise<void> {
  t.match(await peer.expect('resume'), { version: 1 });
  peer.send('relayProof', {
    ...{ card: CARD, signature: signAsRelay(rig.identity.privateKey, peer.exporter, CARD) },
  });
  const { card, signature } = await peer.expect('connectorProof');
  const { publicKey, nameplate } = decodeConnectorCard(card);
  t.equal(nameplate, '');
  t.ok(isSignedByConnector(signature, publicKey, peer.exporter, card, CARD));
}

function resume(peer: FramePeer, clock: FakeClock): void {
  const clockS = Math.floor(clock.wallNow() / 1_000);
  peer.send('resumed', {
    ...{
      connector: '4821-9375',
      idleMs: 1_800_000,
      lifetimeMs: 28_800_000,
      goodForS: 3_600,
      spreadS: 10,
      clockS,
    },
  });
}

t.test('it comes back by its key when the connection is lost, and says so', async (t) => {
  const { rig, clock, customer, dials, first, serve, redialled } = await letIn(t);
  let back = 0;
  serve(async (peer) => {
    await prove(t, rig, peer);
    resume(peer, clock);
    back += 1;
    if (back === 1) peer.cut();
  });
  first.reset();
  await customer.shows('The connection to the relay broke off');
  await redialled();
  await customer.shows('Back at relay');
  await redialled();
  await until(() => back === 2);
  t.equal(dials(), 3);
  t.match(customer.screen(), /Dialling the relay again in \d+ s\./);
  customer.connector.interrupt();
  t.equal(await customer.done, 4);
});

t.test('no dial is sooner than the least delay, nor later than its window', async (t) => {
  const { clock, customer, dials, first, serve } = await letIn(t);
  serve((peer) => peer.reset());
  first.reset();
  await customer.shows('Dialling the relay again');
  for (const windowMs of [10_000, 20_000, 40_000, 60_000, 60_000]) {
    const before = dials();
    clock.advance(LEAST_DELAY_MS - ROOM_MS);
    await delivered();
    t.equal(dials(), before, 'not yet');
    const said = customer.screen().split('Dialling the relay again').length;
    clock.advance(windowMs - LEAST_DELAY_MS + ROOM_MS);
    await until(() => customer.screen().split('Dialling the relay again').length > said);
    t.equal(dials(), before + 1, `one dial in ${windowMs} ms`);
  }
});

t.test('whatever a relay says that has not proved itself, it is a failed dial and no more', async (t) => {
  const { rig, clock, customer, serve, first, redialled } = await letIn(t);
  const wrongKey = (await startRig(t)).identity.privateKey;
  const forged: readonly ((peer: FramePeer) => void)[] = [
    ...Object.values(REFUSED).map((reason) => (peer: FramePeer) => peer.send('refused', { reason })),
    (peer) => peer.send('bye', { outcome: 14 }),
    (peer) => peer.send('relayProof', { card: CARD, signature: signAsRelay(wrongKey, peer.exporter, CARD) }),
    (peer) => peer.send('relayProof', { card: CARD, signature: new Uint8Array(0) }),
    (peer) => {
      const signature = signAsRelay(rig.identity.privateKey, randomBytes(32), CARD);
      peer.send('relayProof', { card: CARD, signature });
    },
    (peer) => resume(peer, clock),
    (peer) => peer.reset(),
    ...Object.values(MALFORMED).map((bytes) => (peer: FramePeer) => peer.write(bytes)),
    ...EXAMPLES.map((frame) => (peer: FramePeer) => peer.write(encodeExample(frame))),
  ];
  const said: number[] = [];
  let next = 0;
  serve(async (peer) => {
    await peer.expect('resume');
    forged[next](peer);
    t.equal(await peer.next(), null, `${next}: nothing more is told`);
    // All that ever came is `resume`, and what TLS is closed with.
    said.push(peer.receivedBytes);
    next += 1;
  });
  first.reset();
  await customer.shows('Dialling the relay again');
  while (next < forged.length) await redialled();
  t.same([...new Set(said)], [4], 'this machine told them nothing of itself');
  t.match(customer.screen(), /What answers is not the relay that this connector was admitted to/);
  serve(async (peer) => {
    await prove(t, rig, peer);
    resume(peer, clock);
  });
  await redialled();
  await customer.shows('Back at relay');
});

for (const [reason, line] of [
  ['keyUnknown', 'does not know this connector any more'],
  ['keyRevoked', 'has revoked this connector'],
  ['keyExpired', 'was admitted is over'],
] as const) {
  t.test(`a relay that has proved itself ends it: ${reason}`, async (t) => {
    const { rig, customer, serve, first, redialled } = await letIn(t);
    serve(async (peer) => {
      await prove(t, rig, peer);
      peer.send('refused', { reason: REFUSED[reason] });
    });
    first.reset();
    await customer.shows('Dialling the relay again');
    await redialled();
    t.equal(await customer.done, KEY_REFUSED);
    t.match(customer.screen(), line);
    t.match(customer.screen(), /ask the engineer for a new password/);
  });
}

t.test('another connector with its key does not end it: it tries again', async (t) => {
  const { rig, customer, serve, first, redialled } = await letIn(t);
  serve(async (peer) => {
    await prove(t, rig, peer);
    peer.send('refused', { reason: REFUSED.keyInUse });
  });
  first.reset();
  await customer.shows('Dialling the relay again');
  await redialled();
  await customer.shows('Another tndconnect with the same key is connected');
  await redialled();
});

for (const [outcome, status] of [
  [14, KEY_REFUSED],
  [10, KEY_REFUSED],
] as const) {
  t.test(`a relay that says goodbye with ${outcome} ends it`, async (t) => {
    const { customer, first } = await letIn(t);
    first.send('bye', { outcome });
    t.equal(await customer.done, status);
    t.match(customer.screen(), /ask the engineer for a new password/);
  });
}

t.test('a relay that shuts down is dialled again', async (t) => {
  const { customer, first, redialled } = await letIn(t);
  first.send('bye', { outcome: 5 });
  await customer.shows('The relay is shutting down.');
  await redialled();
});

t.test('where it may not come back, a lost connection ends it', async (t) => {
  const { customer, first } = await letIn(t, { goodForS: 0 });
  t.match(customer.screen(), /This relay keeps no connectors/);
  first.reset();
  t.equal(await customer.done, 26);
});

t.test('a clock that is far off is told, in one line, and changes nothing', async (t) => {
  for (const [hours, words] of [
    [5, /clock is 300 min behind the relay's/],
    [-5, /clock is 300 min ahead of the relay's/],
  ] as const) {
    const { customer } = await letIn(t, { clockS: 1_700_000_000 + hours * 3_600 });
    t.match(customer.screen(), words);
  }
  const { customer } = await letIn(t, { clockS: 1_700_000_000 + 60 });
  t.notMatch(customer.screen(), /clock is/);
});

t.test('Ctrl+C while it is away ends it at once, and says what the relay does not know', async (t) => {
  const { clock, customer, first } = await letIn(t);
  first.reset();
  await customer.shows('Dialling the relay again');
  customer.connector.interrupt();
  t.equal(await customer.done, 4);
  t.match(customer.screen(), /The relay cannot be told now; its operator may revoke connector 4821-9375/);
  clock.advance(120_000);
});

t.test('visits that a relay orders twice, or too many of, are not let in', async (t) => {
  const { customer, first } = await letIn(t);
  const request = { who: 'alice', from: '192.0.2.1', over: 'telnet', answerMs: 60_000 };
  const visits = Array.from({ length: 17 }, () => randomBytes(16).toString('hex'));
  for (const visit of visits) first.send('visitRequest', { visit, ...request });
  const answers = new Map<string, number>();
  for (const _visit of visits) {
    const { visit, granted } = await first.expect('consent');
    answers.set(visit, granted);
  }
  for (const visit of visits) t.equal(answers.get(visit), visit === visits.at(-1) ? 0 : 1);
  t.match(customer.screen(), /16 visits are under way, which is the most/);
  first.send('visitRequest', { visit: visits[0], ...request });
  await customer.shows('it sent what this version does not understand');
});

t.test('-verbose tells address, certificate, stage and time of each step, and no secret', async (t) => {
  const { rig, clock, customer, password, first, serve, redialled } = await letIn(t, { more: ['-verbose'] });
  serve(async (peer) => {
    await prove(t, rig, peer);
    resume(peer, clock);
  });
  first.reset();
  await customer.shows('Dialling the relay again');
  await redialled();
  await customer.shows('Back at relay');
  const log = customer.log();
  for (const step of [
    /Dialling the relay 127\.0\.0\.1:\d+\./,
    /TCP connection from 127\.0\.0\.1:\d+ to 127\.0\.0\.1:\d+ stands \(\d+ ms\)\./,
    new RegExp(
      `TLS stands: TLSv1\\.3, \\w+, certificate .* of key ${rig.identity.relayId}, valid until .*ms\\)`,
    ),
    /Sent hello: the password exchange begins.* \(\d+ ms\)\./,
    /Received accepted: the relay's proof.* \(\d+ ms\)\./,
    /Sent resume: .*\n[^]*Received relayProof: [^]*Sent connectorProof: [^]*Received resumed: /,
  ]) {
    t.match(log, step);
    t.match(customer.screen(), step, 'also on the console');
  }
  const { secret } = secretOfMade(password);
  for (const text of [log, customer.screen()]) {
    for (const part of [secret, secret.slice(0, 5), secret.slice(5)]) t.notOk(text.includes(part));
    // A key, a tag or a signature would be a long run of digits or of base64; the relay's number is the longest there is.
    const runs = text.match(/[A-Za-z0-9+/=]{33,}/g) ?? [];
    t.same(runs, []);
  }
});

function secretOfMade(password: string): { secret: string } {
  const typed = parsePassword(password);
  if (typed.kind !== 'made') throw new Error('not a made password');
  return typed;
}
