/**
 * Machines that sleep: a connector, or the relay, that is stopped for a while and goes on. A short pause ends nothing; a
 * long one is noticed by the other side as silence, and both are together again soon after, without a flood of dials.
 * And times that are over while nobody sleeps.
 *
 * The cases run at the same time: each takes the minute that its pause lasts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { until, type RunningProcess } from '../helpers/processes.ts';
import { startRelay, type Relay } from '../helpers/programs.ts';
import {
  addAdministrator,
  auditedAt,
  exchange,
  isListed,
  logInAs,
  stand,
  visitAs,
  withinTime,
  type Person,
  type Standing,
} from '../helpers/standing.ts';
import { readUntil } from '../helpers/tunnel.ts';

const LONG_MS = 60_000;
/** Shorter than what either side takes for the end: 15 s from a ping, 40 s without any. */
const SHORT_CONNECTOR_MS = 12_000;
const SHORT_RELAY_MS = 20_000;
const NOTICED_MS = 45_000;
/** What is left of a wait of the back-off, and a dial. */
const BACK_MS = 45_000;
/** While the relay sleeps: one that is let go after 40 s, dials for 10 s each. */
const DIALS_MAX = 5;
const EXPIRY = '2s';
const SWEPT_MS = 70_000;
const KEY_REFUSED = 29;
const SILENT = 'The connection to the relay broke off (it fell silent)';

interface World {
  readonly relay: Relay;
  readonly alice: Person;
  readonly standing: Standing;
}

t.setTimeout(140_000);
t.jobs = 8;

function parallel(
  name: string,
  action: (t: Test, world: World) => Promise<void>,
  args: readonly string[] = [],
): void {
  void t.test(name, { buffered: true }, async (t) => {
    const relay = await startRelay({ args });
    t.teardown(() => relay.stop());
    const alice = await addAdministrator(relay, 'alice');
    await action(t, { relay, alice, standing: await stand(t, relay) });
  });
}

parallel('a waiting connector sleeps for a minute', async (t, world) => {
  const { relay, standing } = world;
  await whileAsleep(standing.connector, LONG_MS, () => isListed(relay, standing.id, 'away', NOTICED_MS));
  await isTogether(t, world);
  t.equal(occurrences(standing, 'Dialling the relay again'), 1, 'one dial was enough');
  t.equal(occurrences(standing, 'The connection to the relay broke off'), 1);
});

parallel('a connector sleeps for a minute in a visit', async (t, world) => {
  const { relay, alice, standing } = world;
  const { engineer, daemon } = await visitAs(t, relay, alice, standing);
  await exchange(engineer, daemon, 'before the pause');
  const isOver = new Promise((resolve) => daemon.once('end', resolve).once('close', resolve));
  daemon.resume();
  await whileAsleep(standing.connector, LONG_MS, () =>
    withinTime(readUntil(engineer, '(failure)'), NOTICED_MS, () => 'the engineer waits'),
  );
  await withinTime(isOver, NOTICED_MS, () => 'the daemon is not told');
  await isTogether(t, world);
  t.equal(occurrences(standing, 'Dialling the relay again'), 1, 'one dial was enough');
  t.same(
    auditedAt(relay, 'session-end').map(({ outcome }) => outcome),
    ['failure'],
  );
});

parallel('the relay sleeps for a minute, with a visit', async (t, world) => {
  const { relay, alice, standing } = world;
  const { engineer, daemon } = await visitAs(t, relay, alice, standing);
  await exchange(engineer, daemon, 'before the pause');
  const isOver = new Promise((resolve) => daemon.once('end', resolve).once('close', resolve));
  daemon.resume();
  await whileAsleep(relay.process, LONG_MS, async () => {
    await withinTime(isOver, NOTICED_MS, () => 'the daemon is not told');
    await says(standing, SILENT);
  });
  await withinTime(readUntil(engineer, '(failure)'), NOTICED_MS, () => 'the engineer waits');
  await isTogether(t, world);
  const dials = occurrences(standing, 'Dialling the relay again');
  t.ok(dials <= DIALS_MAX, `${dials} dials`);
  t.same(
    auditedAt(relay, 'session-end').map(({ outcome }) => outcome),
    ['failure'],
  );
});

for (const [who, pauseMs] of [
  ['connector', SHORT_CONNECTOR_MS],
  ['relay', SHORT_RELAY_MS],
] as const) {
  parallel(`a short pause of the ${who} ends nothing`, async (t, world) => {
    const { relay, alice, standing } = world;
    const { engineer, daemon } = await visitAs(t, relay, alice, standing);
    for (const round of ['first', 'second']) {
      await exchange(engineer, daemon, `before the ${round} pause`);
      const paused = who === 'relay' ? relay.process : standing.connector;
      await whileAsleep(paused, pauseMs, () => Promise.resolve());
      await exchange(engineer, daemon, `after the ${round} pause`);
    }
    t.same(auditedAt(relay, 'connector-away'), []);
    t.equal(occurrences(standing, 'broke off'), 0);
  });
}

parallel(
  'a connector whose time is over is let go when it waits, and not in a visit',
  async (t, { relay, alice, standing }) => {
    const visited = await stand(t, relay);
    const { engineer, daemon } = await visitAs(t, relay, alice, visited);
    const ended = await withinTime(standing.connector.ended, SWEPT_MS, () => 'it stays');
    t.equal(ended.code, KEY_REFUSED);
    t.match(standing.connector.stdout, /The time for which this connector was admitted is over/);
    await exchange(engineer, daemon, 'a visit under way goes on');
    const other = await logInAs(t, relay, alice);
    other.write(`open ${visited.id}\r\n`);
    await readUntil(other, `The time of connector ${visited.id} is over`);
    t.notOk(visited.connector.isOver);
  },
  ['--connector-expiry', EXPIRY],
);

/** Stops the process for as long, and does what the others do meanwhile. */
async function whileAsleep(
  program: RunningProcess,
  pauseMs: number,
  meanwhile: () => Promise<unknown>,
): Promise<void> {
  program.signalGroup('SIGSTOP');
  await Promise.all([delay(pauseMs), meanwhile()]).finally(() => program.signalGroup('SIGCONT'));
}

/** The connector is there, has said so, and can be visited. */
async function isTogether(t: Test, { relay, alice, standing }: World): Promise<void> {
  const startMs = performance.now();
  await says(standing, 'Back at relay');
  await isListed(relay, standing.id, 'here', BACK_MS);
  t.comment(`back after ${Math.round((performance.now() - startMs) / 100) / 10} s`);
  const { engineer, daemon } = await visitAs(t, relay, alice, standing);
  await exchange(engineer, daemon, 'a new visit');
}

function says({ connector }: Standing, text: string): Promise<void> {
  return until(
    () => connector.stdout.includes(text),
    BACK_MS,
    () => connector.describe(`to say: ${text}`),
  );
}

function occurrences({ connector }: Standing, text: string): number {
  return connector.stdout.split(text).length - 1;
}
