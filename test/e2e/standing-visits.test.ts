/**
 * Several visits at once on one standing connector, each by another account and to a daemon connection of its own: no
 * byte of one is ever in another, and the end of one is the end of no other.
 */
import type { Socket } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { Received, sendRandom } from '../helpers/bulk.ts';
import { startRelay } from '../helpers/programs.ts';
import { until } from '../helpers/processes.ts';
import {
  addAdministrator,
  auditedAt,
  exchange,
  invite,
  isListed,
  stand,
  startStanding,
  visitAs,
} from '../helpers/standing.ts';
import { RecordProxy } from '../helpers/record-proxy.ts';
import { logIn, readUntil, startSite, temporaryFolder } from '../helpers/tunnel.ts';
import { fork, seededRandom, type SeededRandom } from '../wire/seeded.ts';

const BULK_BYTES = 3 * 1_048_576;
const NOTICED_MS = 5_000;
const NAMES = ['alice', 'bob', 'carol'] as const;

t.setTimeout(100_000);

t.test(
  'three visits at once: each has its own bytes, its own end, its own lines in audit and log',
  async (t) => {
    const random = seededRandom(t);
    const relay = await startRelay();
    t.teardown(() => relay.stop());
    const standing = await stand(t, relay);
    const visits = [];
    for (const name of NAMES)
      visits.push(await visitAs(t, relay, await addAdministrator(relay, name), standing));
    const [first, second, third] = visits;

    const results = await Promise.all(
      visits.flatMap(({ engineer, daemon }) => [
        through(engineer, daemon, fork(random)),
        through(daemon, engineer, fork(random)),
      ]),
    );
    for (const { sent, received } of results) t.equal(received, sent, 'what went in came out');
    t.equal(new Set(results.map(({ sent }) => sent)).size, 6, 'and it was different in each');
    for (const [index, { engineer, daemon }] of visits.entries())
      await exchange(engineer, daemon, `word of ${NAMES[index]}`);

    second.engineer.destroy();
    await ended(second.daemon);
    second.daemon.end();
    await exchange(first.engineer, first.daemon, 'still here');
    await exchange(third.engineer, third.daemon, 'here as well');
    first.daemon.end();
    await readUntil(first.engineer, '(daemon)');
    await readUntil(first.engineer, 'relay> ');
    await exchange(third.engineer, third.daemon, 'the last one');
    third.engineer.end();
    await ended(third.daemon);
    third.daemon.end();

    await until(
      () => auditedAt(relay, 'session-end').length === 3,
      5_000,
      () => JSON.stringify(auditedAt(relay, 'session-end')),
    );
    const ends = auditedAt(relay, 'session-end').map(({ who, outcome, connector }) => ({
      who,
      outcome,
      connector,
    }));
    t.same(ends, [
      { who: 'bob', outcome: 'engineer', connector: standing.id },
      { who: 'alice', outcome: 'daemon', connector: standing.id },
      { who: 'carol', outcome: 'engineer', connector: standing.id },
    ]);
    const lines = standing.log().split('\n');
    for (const [index, name] of NAMES.entries()) {
      const said = lines.filter((line) => line.includes(`word of ${name}!`));
      t.equal(said.length, 1, `the log has once what ${name} was shown`);
      t.match(said[0], `  shown ${index + 1}  `, 'with the number of that visit');
      t.match(standing.log(), `Visit ${index + 1} (${name}): Visit asked for by ${name}`);
    }
    t.notOk(standing.connector.isOver, 'the connector stays');
  },
);

t.test('an engineer who comes while the connector is away is let in when it is back', async (t) => {
  const relay = await startRelay();
  t.teardown(() => relay.stop());
  const proxy = await RecordProxy.start(t, relay);
  const site = await startSite(t);
  const { session, customerPassword, engineerPassword } = await invite(relay);
  const logFile = join(temporaryFolder(t), 'tndconnect.log');
  const connector = startStanding(t, proxy.address, customerPassword, { site, logFile });
  await connector.output(/waiting for engineers/);
  proxy.reset();
  await isListed(relay, session, 'away', NOTICED_MS);
  const engineer = await logIn(t, relay, session, engineerPassword);
  const daemon = await site.nextVisit();
  await exchange(engineer, daemon, 'after a wait');
  t.match(connector.stdout, /Back at relay .*\nVisit 1 .* asked for by the holder of the engineer password/);
});

async function through(from: Socket, to: Socket, random: SeededRandom) {
  const received = new Received(to);
  const { bytes, sha256 } = await sendRandom(from, random, BULK_BYTES);
  await received.reaches(bytes);
  to.removeAllListeners('data').pause();
  return { sent: sha256, received: received.sha256() };
}

/** Resolves when the peer of this socket has ended or is gone. */
function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('end', resolve).once('close', () => resolve());
    socket.resume();
  });
}
