/**
 * People who vanish in the middle of a visit (a cut cable, another address) are missed within three quarters of a
 * minute, whatever was on its way to them; who is there and merely does not read is not. With real processes, in a
 * network of namespaces; the cases run at the same time, because each is mostly waiting.
 */
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { release } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { loadSocketCalls } from '../../src/stream/socket-calls.ts';
import { outcomeRow } from '../../src/wire/outcomes.ts';
import { Received, sendRandom } from '../helpers/bulk.ts';
import { Network, skipWithoutNetwork, type NetworkHost } from '../helpers/network.ts';
import { until } from '../helpers/processes.ts';
import { startRelay, type Relay } from '../helpers/programs.ts';
import { openTunnel, readUntil, type Dialler, type Tunnel } from '../helpers/tunnel.ts';
import { seededRandom } from '../wire/seeded.ts';

const MISSED_MS_MAX = 45_000;
const MIB = 1_048_576;
/** More than the kernels on the way take, about 30 MB. */
const FLOOD_BYTES = 48 * MIB;
const NOT_READING_MS = 60_000;
/** Long enough for probes of a closed window to become rare where nothing bounds that. */
const LOOKING_AWAY_MS = 20_000;
/** Just before keep-alive would begin, which then rests. */
const QUIET_MS = 27_000;
const TYPING_MS = 250;

const { silence } = await loadSocketCalls(process.platform);
const skip = silence.available ? skipWithoutNetwork() : 'missing: koffi, or this is not Linux';

t.setTimeout(180_000);

/** Where a case happens: the relay and the customer's site that all share, and hosts of its own. */
interface Place {
  readonly relay: Relay;
  readonly network: Network;
  readonly office: NetworkHost;
}

interface Visit extends Tunnel {
  readonly engineerHost: NetworkHost;
  readonly siteHost: NetworkHost;
}

interface Case {
  readonly name: string;
  readonly skip?: string | false;
  run(t: Test, place: Place): Promise<void>;
}

const CASES: readonly Case[] = [
  {
    name: 'an engineer is cut off while output flows',
    async run(t, place) {
      const visit = await flowing(t, await open(t, place));
      await missedByCustomer(t, visit, () => visit.engineerHost.cut());
      t.match(whyClosed(visit), /does not answer/);
    },
  },
  {
    name: 'an engineer over TLS is cut off while output flows',
    async run(t, place) {
      const visit = await flowing(t, await open(t, place, { wrap: secured }));
      await missedByCustomer(t, visit, () => visit.engineerHost.cut());
      t.match(whyClosed(visit), /does not answer/);
    },
  },
  {
    name: 'an engineer gets another address while output flows',
    async run(t, place) {
      const visit = await flowing(t, await open(t, place));
      await missedByCustomer(t, visit, () => visit.engineerHost.changeAddress());
    },
  },
  {
    name: 'an engineer is cut off while nothing flows',
    async run(t, place) {
      const visit = await settled(await open(t, place));
      await missedByCustomer(t, visit, () => visit.engineerHost.cut());
      t.match(whyClosed(visit), /ETIMEDOUT|does not answer/, 'by keep-alive, or just before it');
    },
  },
  {
    name: 'an engineer is cut off while nothing flows, and then something does',
    async run(t, place) {
      const visit = await settled(await open(t, place));
      await missedByCustomer(t, visit, async () => {
        visit.engineerHost.cut();
        await delay(QUIET_MS);
        visit.daemon.write('one line');
      });
      t.match(whyClosed(visit), /does not answer/);
    },
  },
  {
    name: 'an engineer who has not been reading for a while is cut off',
    skip: asksOften() ? false : 'before Linux 6.15 it takes minutes',
    async run(t, place) {
      const visit = await open(t, place);
      flood(t, visit);
      await stalled(visit);
      await delay(LOOKING_AWAY_MS);
      await missedByCustomer(t, visit, () => visit.engineerHost.cut());
      t.match(whyClosed(visit), /does not answer/);
    },
  },
  {
    name: 'a site is cut off while the engineer types',
    async run(t, place) {
      const visit = await open(t, place, { siteHost: place.network.addHost('site') });
      const typing = setInterval(() => visit.engineer.write('x'), TYPING_MS);
      t.teardown(() => clearInterval(typing));
      const shown = new Received(visit.engineer, { keep: true });
      const startMs = performance.now();
      visit.siteHost.cut();
      await once(visit.engineer, 'end');
      expectSoon(t, startMs);
      t.match(shown.kept().toString(), /\(failure\)/);
      t.equal(outcomeOf(visit), 'failure');
    },
  },
  {
    name: 'an engineer who does not read for a minute is not missed, and gets everything',
    async run(t, place) {
      const visit = await open(t, place);
      const sent = flood(t, visit);
      await stalled(visit);
      await delay(NOT_READING_MS);
      t.ok((await visit.view()).queuedToEngineer > 0, 'bytes were queued all the time');
      const received = new Received(visit.engineer);
      const { bytes, sha256 } = await sent;
      await received.reaches(bytes);
      t.equal(received.sha256(), sha256);
      visit.daemon.resume().once('end', () => visit.daemon.end());
      visit.engineer.removeAllListeners('data').resume().end();
      const { code } = await visit.connector.ended;
      t.equal(code, outcomeRow('engineer').exitStatus);
    },
  },
];

t.test('of visits of which somebody vanishes nothing is left', { skip }, async (t) => {
  const network = new Network(t);
  const relay = await startRelay({ at: network.addHost('relay'), args: ['--verbose'] });
  t.teardown(() => relay.stop());
  const place = { relay, network, office: network.addHost('office') };
  const before = openSockets(relay);
  t.jobs = CASES.length;
  await Promise.all(
    CASES.map(({ name, skip = false, run }) => t.test(name, { skip, buffered: true }, (t) => run(t, place))),
  );
  t.same(JSON.parse(await relay.command(['sessions', '--json'])), []);
  await until(
    () => openSockets(relay) === before,
    10_000,
    () => `${openSockets(relay)} sockets are open, not ${before}`,
  );
});

async function open(
  t: Test,
  { relay, network, office }: Place,
  options: { wrap?: (plain: Socket) => Socket; siteHost?: NetworkHost } = {},
): Promise<Visit> {
  const engineerHost = network.addHost('engineer');
  const siteHost = options.siteHost ?? office;
  const wrap = options.wrap ?? ((plain) => plain);
  const engineerAt: Dialler = { dial: async (to) => wrap(await engineerHost.dial(to)) };
  return { ...(await openTunnel(t, { relay, siteAt: siteHost, engineerAt })), engineerHost, siteHost };
}

function secured(plain: Socket): Socket {
  return connectTls({ socket: plain, rejectUnauthorized: false });
}

function flood(t: Test, { daemon }: Visit): ReturnType<typeof sendRandom> {
  const sent = sendRandom(daemon, seededRandom(t), FLOOD_BYTES);
  sent.catch(() => {});
  return sent;
}

/** Resolves when output is on its way to an engineer who reads. */
async function flowing(t: Test, visit: Visit): Promise<Visit> {
  flood(t, visit);
  await new Received(visit.engineer).reaches(MIB);
  return visit;
}

/** Resolves when nothing is under way to the engineer: what they type acknowledges what they saw. */
async function settled(visit: Visit): Promise<Visit> {
  visit.engineer.write('seen');
  await readUntil(visit.daemon, 'seen');
  return visit;
}

/** Resolves when nothing moves to an engineer who does not read. */
async function stalled(visit: Visit): Promise<void> {
  for (let before = -1; ;) {
    const { bytesFromDaemon, queuedToEngineer } = await visit.view();
    if (queuedToEngineer > 0 && bytesFromDaemon === before) return;
    before = bytesFromDaemon;
  }
}

/** The engineer vanishes: the customer's program has to end in time, with the word for it. */
async function missedByCustomer(t: Test, visit: Visit, vanish: () => unknown): Promise<void> {
  const startMs = performance.now();
  await vanish();
  const { code } = await visit.connector.ended;
  expectSoon(t, startMs);
  t.equal(code, outcomeRow('failure').exitStatus);
  t.equal(outcomeOf(visit), 'failure');
}

function expectSoon(t: Test, startMs: number): void {
  const missedMs = Math.round(performance.now() - startMs);
  t.comment(`missed after ${missedMs} ms`);
  t.ok(missedMs < MISSED_MS_MAX, `${missedMs} ms`);
}

/** The last word of the audit file on a session. */
function outcomeOf({ relay, session }: Visit): string | undefined {
  return linesOf<{ event: string; session?: string; outcome?: string }>(
    readFileSync(join(relay.state, 'audit.jsonl'), 'utf8'),
  ).find((line) => line.event === 'session-end' && line.session === session)?.outcome;
}

/** What the relay's log says of the leg that failed. */
function whyClosed({ relay, session }: Visit): string | null | undefined {
  return linesOf<{ event: string; session?: string; error?: string | null }>(relay.process.stderr).find(
    (line) => line.event === 'leg-closed' && line.session === session,
  )?.error;
}

function linesOf<Line>(text: string): Line[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Line);
}

function openSockets(relay: Relay): number {
  const folder = `/proc/${relay.process.pid}/fd`;
  return readdirSync(folder).filter((fd) => isSocket(join(folder, fd))).length;
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:');
  } catch {
    return false; // closed meanwhile
  }
}

/** Whether the system asks a peer that does not read every ten seconds, and not ever more rarely: Linux 6.15. */
function asksOften(): boolean {
  const [major, minor] = release().split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 15);
}
