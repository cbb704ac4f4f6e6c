/**
 * kill -9 of the relay, and of a standing connector, at every step of the way back: behind every TLS record of it, from
 * the accepted TCP connection to the first ping. And of the relay while it writes a connector down.
 *
 * The relay is a process of its own in each case. Where the relay is killed the connector runs here, with the shortest
 * waits; where the connector is killed it is a process.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { until } from '../helpers/processes.ts';
import { startRelay, type Relay } from '../helpers/programs.ts';
import { RecordProxy } from '../helpers/record-proxy.ts';
import { connectTo, type RunningConnector } from '../helpers/rig.ts';
import {
  addAdministrator,
  ask,
  descriptorsOf,
  exchange,
  invite,
  isListed,
  logInAs,
  openVisit,
  stand,
  visitAs,
} from '../helpers/standing.ts';
import { startSite, type Site } from '../helpers/tunnel.ts';
import { seededRandom } from '../wire/seeded.ts';

const NOTICED_MS = 5_000;
const BACK_MS = 30_000;
const AT_ONCE = 9;
/** Records with a ping that are looked at; the first comes after 15 s. */
const PINGS = 1;
const PERSIST = ['-persist', '-consent', 'auto'];
const ENROLMENTS = 8;
/** An enrolment takes this long, and some more. */
const ENROLMENT_MS = 120;

t.setTimeout(110_000);

interface Member {
  readonly id: string;
  readonly customer: RunningConnector;
  readonly proxy: RecordProxy;
  readonly site: Site;
}

t.test('the relay is killed at every step of the way back', async (t) => {
  const records = await recordsOfReturn(t);
  t.jobs = AT_ONCE;
  for (const passed of steps(records)) {
    void t.test(`behind record ${passed}`, { buffered: true }, async (t) => {
      const relay = await startRelay();
      t.teardown(() => relay.stop());
      const alice = await addAdministrator(relay, 'alice');
      const { id, customer, proxy, site } = await standHere(t, relay);
      const held = proxy.allow(passed);
      proxy.reset();
      await held;
      t.equal(proxy.passed, passed, 'so many have passed');
      proxy.allowAll();
      await relay.end('SIGKILL');
      await relay.startAgain();
      await isListed(relay, id, 'here', BACK_MS);
      const engineer = await logInAs(t, relay, alice);
      await openVisit(engineer, id);
      await exchange(engineer, await site.nextVisit(), 'after the kill');
      t.match(customer.screen(), /Back at relay/, 'the connector says so');
    });
  }
});

t.test('a connector is killed at every step of the way back, and leaves nothing', async (t) => {
  const records = await recordsOfReturn(t);
  const relay = await startRelay();
  t.teardown(() => relay.stop());
  const alice = await addAdministrator(relay, 'alice');
  const isQuiet = await settledDescriptors(relay);
  const ids: string[] = [];
  t.jobs = AT_ONCE;
  const cases = steps(records).map((passed) =>
    t.test(`behind record ${passed}`, { buffered: true }, async (t) => {
      const proxy = await RecordProxy.start(t, relay);
      const { id, connector } = await stand(t, relay, { dials: proxy.address });
      ids.push(id);
      const held = proxy.allow(passed);
      proxy.reset();
      await held;
      t.equal(proxy.passed, passed, 'so many have passed');
      connector.signalGroup('SIGKILL');
      await connector.ended;
      await isListed(relay, id, 'away', NOTICED_MS);
      t.equal(proxy.dials, 2, 'on the first dial after the loss');
    }),
  );
  await Promise.all(cases);
  const sessions = await ask(relay, 'sessions', {});
  t.same(new Set(sessions.map(({ state }) => state)), new Set(['awaitingReturn']), 'invitations wait');
  t.same(sessions.map(({ session }) => session).toSorted(), ids.toSorted(), 'and nothing else is left');
  await isQuiet('connections of killed connectors');

  const second = await stand(t, relay);
  const { engineer, daemon } = await visitAs(t, relay, alice, second);
  await exchange(engineer, daemon, 'the second connector');
  await relay.end('SIGKILL');
  await relay.startAgain();
  const listed = await ask(relay, 'connector-list', {});
  t.same(
    listed.map(({ connector }) => connector).toSorted(),
    [...ids, second.id].toSorted(),
    'a restarted relay knows all of them',
  );
  await isListed(relay, second.id, 'here', BACK_MS);
});

t.test('the relay is killed while it writes a connector down: what was promised is kept', async (t) => {
  const random = seededRandom(t);
  const relay = await startRelay();
  t.teardown(() => relay.stop());
  const promised: string[] = [];
  for (let round = 1; round <= ENROLMENTS; round += 1) {
    const { session, customerPassword } = await invite(relay);
    const before = enrolledIn(relay);
    const { address } = await startSite(t);
    const customer = connectTo(t, relay, customerPassword, address, { args: PERSIST, random: () => 0 });
    await delay(random.integer(ENROLMENT_MS));
    await relay.end('SIGKILL');
    const after = enrolledIn(relay);
    const isWritten = after.includes(session);
    t.same(after, isWritten ? [...before, session] : before, 'the old file or the new one');
    await relay.startAgain();
    await settledEntry(customer);
    const isPromised = customer.screen().includes('it comes back by itself');
    t.ok(isWritten || !isPromised, `round ${round}: written ${isWritten}, promised ${isPromised}`);
    if (isPromised) promised.push(session);
  }
  t.comment(`${promised.length} of ${ENROLMENTS} were let in before the kill`);
  for (const id of promised) await isListed(relay, id, 'here', BACK_MS);
});

/** How many records a way back takes, up to the one with `resumed`; the next is the first ping. */
async function recordsOfReturn(t: Test): Promise<number> {
  const relay = await startRelay();
  t.teardown(() => relay.stop());
  const { customer, proxy } = await standHere(t, relay);
  proxy.reset();
  await customer.shows('Back at relay');
  t.comment(`a way back takes ${proxy.passed} records`);
  return proxy.passed;
}

/** How many records may have passed; the longest case first. */
function steps(records: number): readonly number[] {
  return Array.from({ length: records + PINGS + 1 }, (_, passed) => passed).toReversed();
}

/** A standing connector in this process, behind a proxy. */
async function standHere(t: Test, relay: Relay): Promise<Member> {
  const proxy = await RecordProxy.start(t, relay);
  const site = await startSite(t);
  const { session, customerPassword } = await invite(relay);
  const options = { args: PERSIST, random: () => 0 };
  const customer = connectTo(t, proxy.address, customerPassword, site.address, options);
  await customer.shows('waiting for engineers');
  return { id: session, customer, proxy, site };
}

/** Notes the descriptors of the relay; the function that it returns resolves once there are no more again. */
async function settledDescriptors(relay: Relay): Promise<(what: string) => Promise<void>> {
  const { pid } = relay.process;
  const before = descriptorsOf(pid);
  return (what) =>
    until(
      () => descriptorsOf(pid) <= before,
      NOTICED_MS,
      () => `${what}: ${descriptorsOf(pid)} descriptors instead of ${before}`,
    );
}

/** Once the connector waits, or has ended because it was not let in. */
function settledEntry(customer: RunningConnector): Promise<unknown> {
  return Promise.race([customer.shows('waiting for engineers'), customer.done]);
}

function enrolledIn(relay: Relay): readonly string[] {
  try {
    const list = JSON.parse(readFileSync(join(relay.state, 'connectors.json'), 'utf8')) as { id: string }[];
    return list.map(({ id }) => id);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
