/**
 * What may be wrong when a standing connector comes back: another relay, a key that is good no more, relays that say
 * nothing, refusals from whoever sits between, a second connector with the same key, a clock, a full disk. It ends for
 * good only when the relay that it knows says so; everything else is one line and the next dial.
 */
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { REFUSED } from '../../src/wire/frames.ts';
import { makePassword } from '../../src/wire/password.ts';
import {
  dialFrames,
  enroll,
  proveAsRelay,
  resumedFrame,
  resumeWith,
  secretOf,
  serveFrames,
  standByHand,
  type FramePeer,
} from '../helpers/frame-peer.ts';
import { repositoryUrl } from '../helpers/peers.ts';
import { RunningProcess, until } from '../helpers/processes.ts';
import { startRelay, type Relay } from '../helpers/programs.ts';
import { RecordProxy } from '../helpers/record-proxy.ts';
import { connectTo, startRig, temporaryFolder, type RunningConnector } from '../helpers/rig.ts';
import {
  addAdministrator,
  ask,
  auditedAt,
  connectorView,
  exchange,
  invite,
  isListed,
  visitAs,
  withinTime,
} from '../helpers/standing.ts';
import { readUntil, startSite, type Site } from '../helpers/tunnel.ts';
import { startTlsProxy, type Handling } from '../helpers/tls-proxy.ts';

const LOG_FAILED = 27;
const KEY_REFUSED = 29;
const PERSIST = ['-persist', '-consent', 'auto'];
const BACK_MS = 20_000;
const LINGERING_MS = 1_000;
const SECOND_IN_MS = 10_000;
const CONNECTOR = fileURLToPath(new URL('build/src/connector/main.js', repositoryUrl));
/** In blocks of 512 bytes. */
const LOG_BLOCKS = 32;

t.setTimeout(100_000);
t.jobs = 4;

interface Member {
  readonly id: string;
  readonly customer: RunningConnector;
  readonly site: Site;
  readonly proxy: RecordProxy;
}

function parallel(name: string, action: (t: Test) => Promise<void>): void {
  void t.test(name, { buffered: true }, action);
}

parallel('a relay that was set up anew at the same address is not taken for the old one', async (t) => {
  const relay = await startedRelay(t);
  const { id, customer } = await standHere(t, relay);
  await relay.end('SIGKILL');
  renameSync(relay.state, `${relay.state}.old`);
  await relay.startAgain();
  const line = 'What answers is not the relay that this connector was admitted to';
  await until(
    () => linesWith(customer, line) >= 2,
    BACK_MS,
    () => customer.screen(),
  );
  t.match(customer.screen(), /If it was set up anew, ask the engineer for a new password/);
  t.notOk(auditedAt(relay, 'connector-key-refused').length, 'it told that relay nothing of itself');
  await relay.end('SIGKILL');
  rmSync(relay.state, { recursive: true });
  renameSync(`${relay.state}.old`, relay.state);
  await relay.startAgain();
  await isListed(relay, id, 'here', BACK_MS);
});

parallel('revoked while it is away: told on its next dial', async (t) => {
  const relay = await startedRelay(t);
  const { id, customer, proxy } = await standHere(t, relay);
  proxy.reset();
  await isListed(relay, id, 'away', BACK_MS);
  await ask(relay, 'connector-revoke', { connector: id });
  t.equal(await customer.done, KEY_REFUSED);
  t.match(customer.screen(), /The relay's operator has revoked this connector; ask the engineer for a new/);
  t.match(auditedAt(relay, 'connector-key-refused'), [{ connector: id, why: 'keyRevoked' }]);
});

parallel('revoked while it is connected: told at once, its visits are closed', async (t) => {
  const relay = await startedRelay(t);
  const alice = await addAdministrator(relay, 'alice');
  const member = await standHere(t, relay);
  const { engineer, daemon } = await visitAs(t, relay, alice, member);
  await exchange(engineer, daemon, 'before');
  await ask(relay, 'connector-revoke', { connector: member.id });
  await readUntil(engineer, '(closed)');
  await readUntil(engineer, 'relay> ');
  t.equal(await member.customer.done, KEY_REFUSED);
  const outcomes = auditedAt(relay, 'session-end').map(({ outcome }) => outcome);
  t.same(outcomes, ['closed']);
  t.equal((await connectorView(relay, member.id))?.state, 'revoked');
  t.same(await ask(relay, 'sessions', {}), []);
});

parallel('its time is over: told on its next dial', async (t) => {
  const relay = await startedRelay(t, ['--connector-expiry', '1s']);
  const { id, customer, proxy } = await standHere(t, relay);
  await delay(1_000);
  proxy.reset();
  t.equal(await customer.done, KEY_REFUSED);
  t.match(customer.screen(), /The time for which this connector was admitted is over; ask the engineer/);
  t.equal((await connectorView(relay, id))?.state, 'expired');
});

parallel('the relay has lost its file of connectors: told on its next dial', async (t) => {
  const relay = await startedRelay(t);
  const { customer } = await standHere(t, relay);
  await relay.end('SIGTERM');
  rmSync(join(relay.state, 'connectors.json'));
  await relay.startAgain();
  t.equal(await customer.done, KEY_REFUSED);
  t.match(customer.screen(), /The relay does not know this connector any more; ask the engineer/);
  t.match(relay.process.stderr, '"event":"connector-refused","from":"127.0.0.1","why":"keyUnknown"');
  t.same(auditedAt(relay, 'connector-key-refused'), [], 'nobody can fill the audit file');
});

parallel('what accepts and then says nothing is given up and dialled again', async (t) => {
  const rig = await startRig(t);
  const handling: readonly Handling[] = ['pass', 'hold', 'serve'];
  const proxy = await startTlsProxy(t, {
    relay: rig.address,
    identity: rig.identity,
    handling: (number) => handling[number] ?? 'pass',
    serve: () => new Promise(() => {}),
  });
  const site = await startSite(t);
  const { customerPassword } = await rig.invite();
  const customer = connectTo(t, proxy.address, customerPassword, site.address, {
    args: PERSIST,
    random: () => 0,
  });
  await customer.shows('waiting for engineers');
  (await proxy.connection(0)).reset('both');
  await customer.shows('is reached but is no relay (no answer in time)');
  await customer.shows('The relay accepts connections but does not answer');
  await customer.shows('Back at relay');
});

parallel(
  'whoever sits between and refuses, or proves another key, does not end it; the relay does',
  async (t) => {
    const { customer, dials } = await standAtHandPlayed(t, [
      ...[REFUSED.keyUnknown, REFUSED.keyRevoked, REFUSED.keyExpired, REFUSED.password, REFUSED.version].map(
        (reason) => async (peer: FramePeer) => {
          await peer.expect('resume');
          peer.send('refused', { reason });
        },
      ),
      async (peer) => {
        await peer.expect('resume');
        peer.send('relayProof', { card: randomBytes(40), signature: randomBytes(70) });
      },
      async (peer, key) => {
        await proveAsRelay(peer, key);
        peer.send('refused', { reason: REFUSED.keyInUse });
      },
      async (peer, key) => {
        await proveAsRelay(peer, key);
        peer.send('refused', { reason: 99 });
      },
      async (peer, key) => {
        await proveAsRelay(peer, key);
        peer.write(resumedFrame());
        peer.cut();
      },
      async (peer, key) => {
        await proveAsRelay(peer, key);
        peer.send('refused', { reason: REFUSED.keyUnknown });
      },
    ]);
    t.equal(await customer.done, KEY_REFUSED);
    t.equal(dials(), 11, 'each dial once');
    t.equal(linesWith(customer, 'What answers is not the relay'), 1);
    t.equal(linesWith(customer, 'Another tndconnect with the same key is connected'), 1);
    t.equal(linesWith(customer, 'does not let this connector back in now (reason 99)'), 1);
    t.equal(linesWith(customer, 'Back at relay'), 1);
    t.equal(linesWith(customer, 'The relay does not know this connector any more'), 1);
  },
);

parallel('of two connectors with one key the one that answers stays; a dead one makes room', async (t) => {
  const relay = await startedRelay(t);
  const { customerPassword } = await invite(relay);
  const { control: first, key } = await standByHand(t, relay, customerPassword);
  const answering = first.expect('visitRequest').catch(() => null);
  const second = await dialFrames(t, relay);
  t.match(await resumeWith(second, key), { name: 'refused', reason: REFUSED.keyInUse });
  t.equal((await connectorView(relay, key.connector))?.state, 'here');

  first.socket.pause();
  const third = await dialFrames(t, relay);
  const startMs = performance.now();
  const answer = await withinTime(resumeWith(third, key), SECOND_IN_MS, () => 'the dead one stays');
  t.match(answer, { name: 'resumed', connector: key.connector });
  t.comment(`the dead one was out after ${Math.round(performance.now() - startMs)} ms`);
  t.equal((await connectorView(relay, key.connector))?.state, 'here');
  t.equal(auditedAt(relay, 'connector-away').length, 1);
  first.socket.destroy();
  await answering;
  t.equal((await connectorView(relay, key.connector))?.state, 'here', 'its end is not that of the new one');
});

parallel('a newcomer that speaks out of turn while the first is asked takes no place', async (t) => {
  const relay = await startedRelay(t);
  const { customerPassword } = await invite(relay);
  const { control: first, key } = await standByHand(t, relay, customerPassword);
  first.socket.pause();
  const second = await dialFrames(t, relay);
  const answer = resumeWith(second, key);
  await until(
    () => second.sent.length === 2,
    BACK_MS,
    () => 'nothing is proved',
  );
  // Late enough that its side of the connection, which it does not end, outlasts the question to the first.
  await delay(LINGERING_MS);
  second.send('pong', { token: 1 });
  t.match(await answer, { name: 'refused', reason: REFUSED.protocol });
  await isListed(relay, key.connector, 'away', SECOND_IN_MS);
  const third = await dialFrames(t, relay);
  t.match(await resumeWith(third, key), { name: 'resumed', connector: key.connector });
});

parallel('a key that stands already comes in by no other password', async (t) => {
  const relay = await startedRelay(t);
  const keys = generateKeyPairSync('ed25519');
  const { control, key } = await standByHand(t, relay, (await invite(relay)).customerPassword, keys);
  const other = await invite(relay);
  await t.rejects(standByHand(t, relay, other.customerPassword, keys), /not accepted: refused/);
  t.equal(await connectorView(relay, other.session), undefined);
  control.socket.destroy();
  await isListed(relay, key.connector, 'away', BACK_MS);
  const back = await dialFrames(t, relay);
  t.match(await resumeWith(back, key), { name: 'resumed', connector: key.connector });
});

for (const [hours, words] of [
  [5, '300 min ahead of'],
  [-5, '300 min behind'],
] as const) {
  parallel(`a clock that is wrong is told, and nothing depends on it (${hours} h)`, async (t) => {
    const relay = await startedRelay(t);
    const alice = await addAdministrator(relay, 'alice');
    const clock = {
      now: () => systemClock.now(),
      wallNow: () => systemClock.wallNow() + hours * 3_600_000,
      after: systemClock.after.bind(systemClock),
      every: systemClock.every.bind(systemClock),
    };
    const member = await standHere(t, relay, { clock });
    t.equal(linesWith(member.customer, `This machine's clock is ${words} the relay's`), 1);
    member.proxy.reset();
    await member.customer.shows('Back at relay');
    const { engineer, daemon } = await visitAs(t, relay, alice, member);
    await exchange(engineer, daemon, 'whatever the time');
  });
}

parallel(
  'a log that is full in the middle of a visit ends a connector that stays, and the relay is told',
  async (t) => {
    const relay = await startedRelay(t);
    const alice = await addAdministrator(relay, 'alice');
    const site = await startSite(t);
    const { session: id, customerPassword } = await invite(relay);
    const options = [
      ...['-host', relay.host, '-port', String(relay.port), '-password', '-', '-noecho', ...PERSIST],
      ...['-target', `${site.address.host}:${site.address.port}`],
      ...['-file', join(temporaryFolder(t), 'tndconnect.log')],
    ];
    const limited = `ulimit -f ${LOG_BLOCKS} && exec "$0" "$@"`;
    const connector = new RunningProcess('sh', ['-c', limited, process.execPath, CONNECTOR, ...options], {
      input: `${customerPassword}\n`,
    });
    t.teardown(() => connector.stop(0));
    await connector.output(/waiting for engineers/);
    const standing = { id, site };
    const first = await visitAs(t, relay, alice, standing);
    const second = await visitAs(t, relay, alice, standing);
    await exchange(first.engineer, first.daemon, 'room is left');
    first.daemon.write(Buffer.alloc(LOG_BLOCKS * 512, 'more than fits\r\n'));
    t.equal((await connector.ended).code, LOG_FAILED);
    t.match(connector.stdout, /The log file cannot be written any more \(EFBIG\)/);
    for (const { engineer } of [first, second]) await readUntil(engineer, '(customer)');
    t.match(auditedAt(relay, 'connector-left'), [{ connector: id }]);
    t.equal(await connectorView(relay, id), undefined, 'the relay has forgotten its key');
  },
);

async function startedRelay(t: Test, args: readonly string[] = []): Promise<Relay> {
  const relay = await startRelay({ args });
  t.teardown(() => relay.stop());
  return relay;
}

/** A standing connector in this process with the shortest waits, behind a proxy that can cut it off. */
async function standHere(
  t: Test,
  relay: Relay,
  options: { clock?: typeof systemClock } = {},
): Promise<Member> {
  const proxy = await RecordProxy.start(t, relay);
  const site = await startSite(t);
  const { session, customerPassword } = await invite(relay);
  const how = { args: PERSIST, random: () => 0, ...options };
  const customer = connectTo(t, proxy.address, customerPassword, site.address, how);
  await customer.shows('waiting for engineers');
  return { id: session, customer, site, proxy };
}

/** A standing connector that was let in, and then meets `parts` of a relay, one for each dial. */
async function standAtHandPlayed(
  t: Test,
  parts: ReadonlyArray<(peer: FramePeer, key: KeyObject) => Promise<void>>,
): Promise<{ customer: RunningConnector; dials: () => number }> {
  const { identity } = await startRig(t);
  const password = makePassword(randomBytes).printed;
  const relay = await serveFrames(t, identity, async (peer) => {
    const dial = relay.dials();
    if (dial > 1) return parts[dial - 2](peer, identity.privateKey);
    await enroll(peer, secretOf(password), identity.privateKey);
    await customer.shows('waiting for engineers');
    peer.cut();
  });
  const site = await startSite(t);
  const customer = connectTo(t, relay.address, password, site.address, { args: PERSIST, random: () => 0 });
  return { customer, dials: relay.dials };
}

function linesWith({ screen }: RunningConnector, text: string): number {
  return screen().split(text).length - 1;
}
