/**
 * A relay that goes away under two hundred standing connectors: they come back by themselves, soon, spread out, and none
 * of them faster than the back-off allows; then they can be visited as before.
 *
 * The relay is a process of its own, the connectors run here. When they dialled is in their logs, when they were let in
 * again in the relay's audit file.
 */
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import type { HostPort } from '../../src/base/address.ts';
import { LEAST_DELAY_MS } from '../../src/connector/backoff.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import { until } from '../helpers/processes.ts';
import { startRelay, type Relay } from '../helpers/programs.ts';
import { connectTo, type RunningConnector } from '../helpers/rig.ts';
import { addAdministrator, ask, auditedAt, invite, logInAs, openVisit } from '../helpers/standing.ts';
import { GREETING, readUntil } from '../helpers/tunnel.ts';

const CONNECTORS = 200;
const AT_ONCE = 8;
const DOWN_MS = 1_000;
const BACK_WITHIN_MS = 30_000;
/** A relay that is down for so long may be dialled in vain twice, and then a third time after 40 s. */
const SHORT_MS = 2 * LEAST_DELAY_MS;
const BACK_AFTER_LONG_MS = 50_000;
const ARRIVALS_A_SECOND_MAX = 50;

interface Member {
  readonly id: string;
  readonly customer: RunningConnector;
}

t.setTimeout(110_000);

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  t.test(`two hundred connectors come back to a relay that was ended by ${signal}`, async (t) => {
    const relay = await startRelay();
    t.teardown(() => relay.stop());
    const alice = await addAdministrator(relay, 'alice');
    const crowd = await gather(t, relay);

    const lostAtMs = Date.now();
    await relay.end(signal);
    await new Promise((resolve) => setTimeout(resolve, DOWN_MS));
    await relay.startAgain();
    const downMs = Date.now() - lostAtMs;
    const withinMs = downMs < SHORT_MS ? BACK_WITHIN_MS : BACK_AFTER_LONG_MS;
    await until(
      () => arrivals(relay).length >= CONNECTORS,
      withinMs - downMs,
      () => `${arrivals(relay).length} of ${CONNECTORS} are back`,
    );
    const backMs = arrivals(relay).map(({ atMs }) => atMs - lostAtMs);
    const dials = crowd.flatMap(({ customer }) => dialsOf(customer.log()));
    const dialMs = dials.map(({ atMs }) => atMs - lostAtMs).toSorted((a, b) => a - b);
    t.comment(`down for ${downMs} ms; ${dials.length} dials, the first after ${dialMs[0]} ms`);
    t.comment(`back: first ${backMs[0]} ms, median ${backMs[CONNECTORS / 2]} ms, last ${backMs.at(-1)} ms`);
    t.comment(`most within one second: ${mostIn1S(dialMs)} dials, ${mostIn1S(backMs)} arrivals`);
    t.equal(new Set(arrivals(relay).map(({ id }) => id)).size, CONNECTORS, 'each is back');
    t.equal(backMs.length, CONNECTORS, 'once');
    t.ok(backMs.at(-1)! <= withinMs, 'in time');
    t.ok(mostIn1S(backMs) <= ARRIVALS_A_SECOND_MAX, 'and not all at once');
    t.ok(
      dials.every(({ waitedMs }) => waitedMs >= LEAST_DELAY_MS),
      'no dial came sooner than the back-off allows',
    );

    const views = await ask(relay, 'connector-list', {});
    t.equal(views.filter(({ state }) => state === 'here').length, CONNECTORS, 'the relay lists them');
    const engineer = await logInAs(t, relay, alice);
    await openVisit(engineer, crowd[CONNECTORS - 1].id);
    engineer.write('after the restart\r\n');
    await readUntil(engineer, 'after the restart\r\n');
  });
}

/** All of them at one site, which greets and echoes. */
async function gather(t: Test, relay: Relay): Promise<readonly Member[]> {
  const site = await startEchoSite(t);
  const args = ['-persist', '-consent', 'auto', '-verbose'];
  const join = async (): Promise<Member> => {
    const { session, customerPassword } = await invite(relay);
    const customer = connectTo(t, relay, customerPassword, site, { args });
    await customer.shows('waiting for engineers');
    return { id: session, customer };
  };
  const crowd: Member[] = [];
  while (crowd.length < CONNECTORS)
    crowd.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => join()))));
  return crowd;
}

async function startEchoSite(t: Test): Promise<HostPort> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.write(GREETING);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return addressOf(server);
}

function arrivals(relay: Relay): ReadonlyArray<{ id: unknown; atMs: number }> {
  return auditedAt(relay, 'connector-resumed').map(({ connector, time }) => ({
    id: connector,
    atMs: Date.parse(String(time)),
  }));
}

/** Dials after the first, with the time since the connector said that it would wait. */
function dialsOf(log: string): ReadonlyArray<{ atMs: number; waitedMs: number }> {
  let saidMs = NaN;
  return log.split('\n').flatMap((line) => {
    const atMs = Date.parse(line.slice(0, line.indexOf(' ')));
    if (line.includes('Dialling the relay again in')) saidMs = atMs;
    else if (line.includes('Dialling the relay ') && !Number.isNaN(saidMs))
      return [{ atMs, waitedMs: atMs - saidMs }];
    return [];
  });
}

function mostIn1S(sortedMs: readonly number[]): number {
  let from = 0;
  return sortedMs.reduce((most, atMs, index) => {
    while (sortedMs[from] <= atMs - 1_000) from += 1;
    return Math.max(most, index - from + 1);
  }, 0);
}
