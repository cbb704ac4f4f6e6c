/**
 * Networks that fail without a word: a cable that is cut, an address that changes, a relay that vanishes. Both ends of a
 * standing connector notice in time, each with its reason, and it is back when it can be.
 *
 * Hosts are network namespaces, programs are processes. The cases run at the same time, since each of them waits for
 * silence to be noticed: that takes up to 45 s.
 */
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Network, skipWithoutNetwork, type NetworkHost } from '../helpers/network.ts';
import { until } from '../helpers/processes.ts';
import { startRelay, type Relay } from '../helpers/programs.ts';
import {
  addAdministrator,
  auditedAt,
  connectorView,
  exchange,
  isListed,
  stand,
  visitAs,
  withinTime,
  type Person,
  type Standing,
} from '../helpers/standing.ts';
import { openTunnel, readUntil } from '../helpers/tunnel.ts';

const NOTICED_MS = 45_000;
const CUT_MS = 60_000;
/** What is left of a wait of the back-off, and a dial. */
const BACK_MS = 45_000;
const RELAY_LOST = 26;
const SILENT = /The connection to the relay broke off \(it fell silent\)/;

interface World {
  readonly relay: Relay;
  readonly relayHost: NetworkHost;
  readonly site: NetworkHost;
  readonly desk: NetworkHost;
  readonly alice: Person;
}

t.setTimeout(140_000);
t.jobs = 5;

function networkTest(name: string, action: (t: Test, world: World) => Promise<void>): void {
  void t.test(name, { skip: skipWithoutNetwork(), buffered: true }, async (t) => {
    const network = new Network(t);
    const [relayHost, site, desk] = ['relay', 'site', 'desk'].map((host) => network.addHost(host));
    const relay = await startRelay({ at: relayHost });
    t.teardown(() => relay.stop());
    await action(t, { relay, relayHost, site, desk, alice: await addAdministrator(relay, 'alice') });
  });
}

networkTest('the cable of a waiting connector is cut and mended', async (t, world) => {
  const { relay, site } = world;
  const standing = await stand(t, relay, { at: site });
  const cutMs = performance.now();
  site.cut();
  await Promise.all([relayNotices(t, relay, standing), connectorNotices(t, standing)]);
  await delay(Math.max(0, CUT_MS - (performance.now() - cutMs)));
  site.restore();
  await isBack(t, relay, standing);
  await canBeVisited(t, world, standing);
});

networkTest('the address of a waiting connector changes', async (t, world) => {
  const { relay, site } = world;
  const standing = await stand(t, relay, { at: site });
  const before = (await connectorView(relay, standing.id))!.from;
  site.changeAddress();
  await Promise.all([relayNotices(t, relay, standing), connectorNotices(t, standing)]);
  await isBack(t, relay, standing);
  const after = (await connectorView(relay, standing.id))!.from;
  t.same([after, after === before], [site.address, false], 'from its new address');
  await canBeVisited(t, world, standing);
});

networkTest('the cable is cut in the middle of a visit', async (t, world) => {
  const { relay, site, desk, alice } = world;
  const standing = await stand(t, relay, { at: site });
  const { engineer, daemon } = await visitAs(t, relay, alice, standing, desk);
  await exchange(engineer, daemon, 'before the cut');
  const isOver = new Promise((resolve) => daemon.once('end', resolve).once('close', resolve));
  daemon.resume();
  site.cut();
  await Promise.all([
    noticed(t, 'the engineer', readUntil(engineer, '(failure)')),
    noticed(t, 'the daemon', isOver),
    connectorNotices(t, standing),
  ]);
  const ends = auditedAt(relay, 'session-end').map(({ who, outcome }) => ({ who, outcome }));
  t.same(ends, [{ who: 'alice', outcome: 'failure' }]);
  site.restore();
  await isBack(t, relay, standing);
  await canBeVisited(t, world, standing);
});

networkTest("the relay's host vanishes and is there again", async (t, world) => {
  const { relay, relayHost, site } = world;
  const standing = await stand(t, relay, { at: site });
  relayHost.cut();
  await Promise.all([relayNotices(t, relay, standing), connectorNotices(t, standing)]);
  relayHost.restore();
  await isBack(t, relay, standing);
  await canBeVisited(t, world, standing);
});

networkTest('the cable of a connector that does not stay is cut in a visit', async (t, world) => {
  const { relay, site, desk } = world;
  const { connector, engineer } = await openTunnel(t, { relay, siteAt: site, engineerAt: desk });
  site.cut();
  await Promise.all([
    noticed(t, 'the engineer', readUntil(engineer, '(failure)')),
    noticed(t, 'the connector', connector.ended),
  ]);
  t.equal((await connector.ended).code, RELAY_LOST);
  t.match(connector.stdout, SILENT);
  t.same(
    auditedAt(relay, 'session-end').map(({ outcome }) => outcome),
    ['failure'],
  );
});

function relayNotices(t: Test, relay: Relay, { id }: Standing): Promise<void> {
  return noticed(t, 'the relay', isListed(relay, id, 'away', NOTICED_MS));
}

function connectorNotices(t: Test, { connector }: Standing): Promise<void> {
  const says = until(
    () => SILENT.test(connector.stdout),
    NOTICED_MS,
    () => connector.describe('to say that the relay fell silent'),
  );
  return noticed(t, 'the connector', says);
}

async function noticed(t: Test, who: string, promise: Promise<unknown>): Promise<void> {
  const startMs = performance.now();
  await withinTime(promise, NOTICED_MS, () => `${who} has not noticed`);
  t.comment(`${who} noticed after ${Math.round((performance.now() - startMs) / 100) / 10} s`);
}

async function isBack(t: Test, relay: Relay, { id, connector }: Standing): Promise<void> {
  const startMs = performance.now();
  await isListed(relay, id, 'here', BACK_MS);
  t.comment(`back after ${Math.round((performance.now() - startMs) / 100) / 10} s`);
  await connector.output(/Back at relay/);
}

async function canBeVisited(t: Test, { relay, alice, desk }: World, standing: Standing): Promise<void> {
  const { engineer, daemon } = await visitAs(t, relay, alice, standing, desk);
  await exchange(engineer, daemon, 'a new visit');
  t.pass('a visit works');
}
