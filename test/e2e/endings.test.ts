/**
 * Every ending of a visit, by both ways in: both sides close, with one outcome word, a message to both people, the
 * word in the audit file and the connector's status.
 */
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { HostPort } from '../../src/base/address.ts';
import { systemClock } from '../../src/base/clock.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import { outcomeRow, type Outcome } from '../../src/wire/outcomes.ts';
import {
  bringTogether,
  comeIn,
  CountingClock,
  dialEngineer,
  holdVisit,
  inviteFor,
  outcomesOf,
  showsTimes,
  watchLeaks,
  ways,
  type People,
  type Way,
} from '../helpers/people.ts';
import { startDaemon, startRig, type Rig, type RigSettings, type TestSocket } from '../helpers/rig.ts';

const RELAY_LOST = 26;
const ALL_LIMITS_SHORT = { idleMs: 1_500, warnMs: 1_000, consentMs: 700, waitMs: 700, halfCloseMs: 1_000 };

/** What both people must see, where it must be written, and what must be left: nothing. */
async function check(t: Test, rig: Rig, way: Way, people: People, outcome: Outcome): Promise<void> {
  const { engineer, customer, invited } = people;
  const row = outcomeRow(outcome);
  t.equal(await customer.done, row.exitStatus, 'status');
  t.ok(customer.screen().includes(`${row.forCustomer} (${outcome})`), customer.screen());
  if (!engineer.socket.destroyed && outcome !== 'engineer') await engineer.has(`(${outcome})`);
  if (way === 'account' && outcome !== 'engineer') await showsTimes(engineer, 'relay> ', 2);
  t.same(outcomesOf(rig, invited), [outcome], 'one word in the audit file');
  engineer.socket.destroy();
  await rig.settled();
}

function ending(
  name: string,
  outcome: Outcome,
  end: (parts: People & { rig: Rig; site: TestSocket; t: Test }) => void | Promise<void>,
  settings: RigSettings = {},
): void {
  for (const way of ways) {
    t.test(`${name} (${way})`, async (t) => {
      const clock = new CountingClock(systemClock);
      const rig = await startRig(t, { clock, ...settings });
      const daemon = await startDaemon(t);
      const noLeaks = watchLeaks(t, rig, clock);
      const parts = await holdVisit(rig, daemon, way);
      await end({ ...parts, rig, t });
      await check(t, rig, way, parts, outcome);
      parts.site.socket.destroy();
      await noLeaks();
    });
  }
}

ending('the engineer disconnects', 'engineer', async ({ engineer, site }) => {
  engineer.socket.end();
  await site.ended;
  site.socket.end();
});

ending('the daemon ends', 'daemon', ({ site, engineer }) => {
  void engineer.ended.then(() => engineer.socket.end());
  site.socket.end();
});

ending('Ctrl+C at the customer', 'customer', ({ customer }) => customer.connector.interrupt());

ending("the daemon's socket fails", 'failure', async ({ site, engineer }) => {
  // Something is on its way in each direction, so that neither side mistakes the reset for an end.
  engineer.write('typed');
  await site.has('typed');
  site.socket.resetAndDestroy();
});

ending('an administrator closes the session', 'closed', ({ rig, invited }) =>
  rig.relay.sessions.close(invited.session),
);

ending(
  'idle: a warning to both people, then the end',
  'idle',
  async ({ engineer, customer }) => {
    await Promise.all([engineer.has('it ends in 1 s'), customer.shows('it ends in 1 s')]);
  },
  { limits: ALL_LIMITS_SHORT },
);

ending(
  'the longest time',
  'lifetime',
  async ({ engineer, customer }) => {
    await Promise.all([engineer.has('has lasted its time'), customer.shows('has lasted its time')]);
  },
  { limits: { lifetimeMs: 1_200, warnMs: 1_000 } },
);

t.test('a chunk of only IAC NOP is no activity, a byte is', async (t) => {
  const rig = await startRig(t, { limits: ALL_LIMITS_SHORT });
  const daemon = await startDaemon(t);
  const { engineer, customer, site } = await holdVisit(rig, daemon, 'session');
  const started = performance.now();
  const keepalive = setInterval(() => engineer.write(Buffer.from([0xff, 0xf1])), 100);
  t.teardown(() => clearInterval(keepalive));
  await engineer.has('(idle)');
  t.ok(performance.now() - started < 3_500);
  clearInterval(keepalive);
  t.equal(await customer.done, 3);
  site.socket.destroy();
});

t.test('activity after the warning keeps the visit', async (t) => {
  const rig = await startRig(t, { limits: ALL_LIMITS_SHORT });
  const daemon = await startDaemon(t);
  const { engineer, site } = await holdVisit(rig, daemon, 'session');
  for (const times of [1, 2, 3]) {
    await showsTimes(engineer, 'it ends in 1 s', times);
    engineer.write('x');
    await site.has('x'.repeat(times));
  }
  t.notMatch(engineer.text, /\(idle\)/);
});

/** A reset may be seen as an end, so more than one word can be right; all must have the same. */
async function checkOneWord(t: Test, rig: Rig, people: People, words: readonly Outcome[]): Promise<void> {
  const status = await people.customer.done;
  const [word, ...more] = outcomesOf(rig, people.invited);
  t.same(more, []);
  t.ok(words.includes(word), word);
  t.equal(status, outcomeRow(word).exitStatus);
  t.ok(
    people.customer.screen().includes(`${outcomeRow(word).forCustomer} (${word})`),
    people.customer.screen(),
  );
  await rig.settled();
}

t.test("the engineer's socket is reset: the customer's side closes", async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const people = await holdVisit(rig, daemon, 'session');
  people.engineer.socket.resetAndDestroy();
  await people.site.ended;
  people.site.socket.end();
  await checkOneWord(t, rig, people, ['engineer', 'failure']);
});

/** Passes connections on to the relay, in order: control first, then data. */
async function startPassage(t: Test, to: HostPort): Promise<{ address: HostPort; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const onward = connect(to);
    sockets.push(socket);
    socket.on('error', () => onward.destroy());
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
    onward.on('close', () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  t.teardown(() => sockets.forEach((socket) => socket.destroy()));
  return { address: addressOf(server), sockets };
}

for (const [leg, index] of [
  ['control', 0],
  ['data', 1],
] as const) {
  t.test(`the ${leg} connection is cut`, async (t) => {
    const rig = await startRig(t);
    const daemon = await startDaemon(t);
    const passage = await startPassage(t, rig.address);
    const people = await holdVisit(rig, daemon, 'session', { relay: passage.address });
    t.equal(passage.sockets.length, 2);
    passage.sockets[index].resetAndDestroy();
    await people.engineer.ended;
    people.engineer.socket.end();
    await people.site.ended;
    people.site.socket.end();
    const status = await people.customer.done;
    const [word, ...more] = outcomesOf(rig, people.invited);
    t.same(more, []);
    t.ok(['failure', 'daemon'].includes(word), word);
    t.ok(people.engineer.text.includes(`(${word})`), people.engineer.text);
    // Without its control connection the connector knows that it was lost, and no more.
    t.equal(status, leg === 'control' ? RELAY_LOST : outcomeRow(word).exitStatus);
    await rig.settled();
  });
}

t.test('a visit whose start cannot be written in the audit file does not begin', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const people = await bringTogether(rig, daemon, 'session', { keyboard: true });
  await people.customer.shows('(y/n');
  rig.relay.audit.record = () => false;
  people.customer.press('y');
  const site = await daemon.accepted();
  await people.engineer.has(`${outcomeRow('audit').forEngineer} (audit)`);
  t.equal(await people.customer.done, outcomeRow('audit').exitStatus);
  await site.ended;
  t.equal(site.bytes.length, 0, 'nothing reached the daemon');
  t.notMatch(people.engineer.text, /daemon ready/);
  site.socket.end();
  await rig.settled();
});

for (const way of ways) {
  t.test(`consent refused (${way})`, async (t) => {
    const rig = await startRig(t);
    const daemon = await startDaemon(t);
    const people = await bringTogether(rig, daemon, way, { keyboard: true });
    await people.customer.shows('(y/n');
    people.customer.press('n');
    await check(t, rig, way, people, 'refused');
  });

  t.test(`consent not answered (${way})`, async (t) => {
    const rig = await startRig(t, { limits: ALL_LIMITS_SHORT });
    const daemon = await startDaemon(t);
    const people = await bringTogether(rig, daemon, way, { keyboard: true });
    await check(t, rig, way, people, 'unanswered');
  });

  t.test(`the password expires while the engineer waits (${way})`, async (t) => {
    const rig = await startRig(t);
    const invited = await inviteFor(rig, way, { ttlMs: 500 });
    const engineer = await dialEngineer(rig);
    await comeIn(engineer, way, invited);
    await engineer.has(`${outcomeRow('expired').forEngineer} (expired)\r\n`);
    t.same(outcomesOf(rig, invited), ['expired']);
    if (way === 'account') await showsTimes(engineer, 'relay> ', 2);
    else await engineer.ended;
    const daemon = await startDaemon(t);
    t.equal(await rig.connect(invited.customerPassword, daemon.address).done, 24);
  });
}

t.test('no visit: the relay lets the customer go', async (t) => {
  const rig = await startRig(t, { limits: ALL_LIMITS_SHORT });
  const daemon = await startDaemon(t);
  const invited = await rig.invite();
  t.equal(await rig.connect(invited.customerPassword, daemon.address).done, outcomeRow('unused').exitStatus);
  t.same(outcomesOf(rig, invited), ['unused']);
  await rig.settled();
});

t.test(
  'the relay stops with a session in every stage: all are told, all is closed within ten seconds',
  async (t) => {
    const rig = await startRig(t);
    const daemon = await startDaemon(t);
    const waiting = await rig.invite();
    const connected = await inviteFor(rig, 'session');
    const idleCustomer = rig.connect(connected.customerPassword, daemon.address);
    await idleCustomer.shows('waiting for the engineer');
    const other = await startDaemon(t);
    const held = await holdVisit(rig, other, 'account');
    const third = await startDaemon(t);
    const asked = await bringTogether(rig, third, 'session', { keyboard: true });
    await asked.customer.shows('(y/n');
    const atPrompt = await dialEngineer(rig);
    await atPrompt.has('relay login: ');
    for (const engineer of [held.engineer, asked.engineer, atPrompt]) {
      void engineer.ended.then(() => engineer.socket.end());
    }
    const started = performance.now();
    const stopped = rig.relay.stop();
    await held.engineer.has('(shutdown)');
    await asked.engineer.has('(shutdown)');
    await atPrompt.has('shutting down');
    for (const customer of [idleCustomer, held.customer, asked.customer]) t.equal(await customer.done, 5);
    held.site.socket.end();
    await stopped;
    t.ok(performance.now() - started < 10_000);
    for (const invited of [waiting, connected, held.invited, asked.invited])
      t.same(outcomesOf(rig, invited), ['shutdown']);
    t.equal(rig.relay.connections, 0);
  },
);
