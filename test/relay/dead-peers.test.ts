/**
 * Who is taken for dead and who is not: by hand-moved time with peers of which the test says what the system would
 * say, and once in whole visits.
 */
import t from 'tap';
import { systemClock, type Clock } from '../../src/base/clock.ts';
import { DeadPeers } from '../../src/relay/dead-peers.ts';
import {
  DEAD_PEER_CHECK_MS,
  DEAD_PEER_OWING_MS,
  DEAD_PEER_SILENCE_MS,
  DEAD_PEER_TRIES_MIN,
  TICK_MS,
} from '../../src/relay/limits.ts';
import { discardingSink } from '../../src/stream/leg.ts';
import { outcomeRow } from '../../src/wire/outcomes.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { holdVisit, outcomesOf } from '../helpers/people.ts';
import { startDaemon, startRig } from '../helpers/rig.ts';
import { MemoryLeg } from '../stream/memory-leg.ts';

const ROWS = 100;
const HOUR_MS = 3_600_000;
/** What is promised: noticed within this time of the last sign of life. */
const MISSED_MS_MAX = 45_000;

/** A peer that counts how often it is looked at. */
class Peer extends MemoryLeg {
  checks = 0;
  closings: (string | null)[] = [];

  constructor() {
    super();
    this.sink = { ...discardingSink, closed: (error) => this.closings.push(error?.message ?? null) };
  }

  override unansweredTries(silentMs: number): number {
    this.checks += 1;
    return super.unansweredTries(silentMs);
  }
}

interface World {
  readonly clock: FakeClock;
  readonly deadPeers: DeadPeers;
  readonly near: Peer;
  readonly far: Peer;
}

function watched(row = 7): World {
  const clock = new FakeClock();
  const deadPeers = new DeadPeers(clock, ROWS);
  const [near, far] = [new Peer(), new Peer()];
  deadPeers.watch(row, near, far);
  return { clock, deadPeers, near, far };
}

/** Time passes without a sign of life from `peer`; `triesAt` says how often it was asked after so many ms. */
function silence(clock: FakeClock, peer: Peer, ms: number, triesAt: (ms: number) => number): number {
  for (let passedMs = 0; passedMs < ms; passedMs += TICK_MS) {
    if (peer.isClosed) return passedMs;
    peer.tries = triesAt(passedMs);
    clock.advance(TICK_MS);
    peer.silentMs += TICK_MS;
  }
  return ms;
}

/** The system asks after 0.2, 0.6, 1.4, 3 s and so on. */
const doubling = (ms: number): number => Math.floor(Math.log2(ms / 200 + 1));

for (const side of ['near', 'far'] as const) {
  t.test(`a ${side} peer that leaves everything unanswered is dead, soon and not early`, async (t) => {
    const world = watched();
    const missedMs = silence(world.clock, world[side], HOUR_MS, doubling);
    t.ok(missedMs >= DEAD_PEER_SILENCE_MS && missedMs <= DEAD_PEER_SILENCE_MS + 2 * DEAD_PEER_CHECK_MS);
    t.same(world[side].closings, ['the peer does not answer: nothing was heard from it for 30 s']);
    t.notOk(world[side === 'near' ? 'far' : 'near'].isClosed);
  });
}

t.test('a peer that answers and does not read is never dead', async (t) => {
  const { clock, near } = watched();
  near.stall();
  near.write(Buffer.alloc(100_000));
  silence(clock, near, HOUR_MS, () => 0);
  t.notOk(near.isClosed);
  t.ok(near.queuedBytes > 0);
});

t.test('a peer that is heard of now and then is not dead, however often it was asked', async (t) => {
  const { clock, near } = watched();
  for (let round = 0; round < 100; round += 1) {
    silence(clock, near, DEAD_PEER_SILENCE_MS - 2 * TICK_MS, () => 200);
    near.silentMs = 0;
  }
  t.notOk(near.isClosed);
});

t.test('a lost packet or two are no sign, however long ago', async (t) => {
  const { clock, near } = watched();
  silence(clock, near, HOUR_MS, () => DEAD_PEER_TRIES_MIN - 1);
  t.notOk(near.isClosed);
});

t.test('a line that was quiet before gets its time to answer', async (t) => {
  const { clock, near } = watched();
  silence(clock, near, HOUR_MS, () => 0);
  silence(clock, near, DEAD_PEER_OWING_MS - TICK_MS, doubling);
  t.notOk(near.isClosed);
  near.silentMs = 0;
  silence(clock, near, DEAD_PEER_SILENCE_MS - TICK_MS, doubling);
  t.notOk(near.isClosed, 'one answer, and all begins anew');
});

t.test('whenever it is asked after it vanished, it is missed in time', async (t) => {
  for (let quietMs = 0; quietMs <= DEAD_PEER_SILENCE_MS; quietMs += 500) {
    const { clock, near } = watched();
    const missedMs = silence(clock, near, HOUR_MS, (ms) => (ms < quietMs ? 0 : doubling(ms - quietMs)));
    t.ok(missedMs < MISSED_MS_MAX, `${missedMs} ms, when asked after ${quietMs} ms`);
  }
});

t.test('every leg is looked at once in the time between two checks, few at a time', async (t) => {
  const clock = new FakeClock();
  const deadPeers = new DeadPeers(clock, ROWS);
  const peers = Array.from({ length: 2 * ROWS }, () => new Peer());
  for (let row = 0; row < ROWS; row += 1) deadPeers.watch(row, peers[2 * row], peers[2 * row + 1]);
  const checks = (): number => peers.reduce((sum, peer) => sum + peer.checks, 0);
  for (let tick = 0, before = 0; tick < DEAD_PEER_CHECK_MS / TICK_MS; tick += 1, before = checks()) {
    clock.advance(TICK_MS);
    t.ok(checks() - before <= 2 * Math.ceil((ROWS * TICK_MS) / DEAD_PEER_CHECK_MS));
  }
  t.same(new Set(peers.map((peer) => peer.checks)), new Set([1]));
});

t.test('forgotten and closed legs are left alone, and nothing ticks after the stop', async (t) => {
  const { clock, deadPeers, near, far } = watched();
  near.fail(new Error('reset'));
  clock.advance(HOUR_MS);
  t.equal(near.checks, 0);
  t.same(near.closings, ['reset']);
  deadPeers.forget(7);
  deadPeers.forget(8);
  const { checks } = far;
  clock.advance(HOUR_MS);
  t.equal(far.checks, checks);
  deadPeers.stop();
  t.equal(clock.armed, 0);
});

t.test('what a peer owed before is not held against the next in its row', async (t) => {
  const { clock, deadPeers, near } = watched();
  silence(clock, near, DEAD_PEER_SILENCE_MS - TICK_MS, doubling);
  const next = new Peer();
  deadPeers.watch(7, next, new Peer());
  next.silentMs = HOUR_MS;
  silence(clock, next, DEAD_PEER_OWING_MS - TICK_MS, () => 200);
  t.notOk(next.isClosed);
});

t.test('a death may end the session, and the other leg with it', async (t) => {
  const { clock, deadPeers, near, far } = watched();
  near.sink = { ...discardingSink, closed: () => deadPeers.forget(7) };
  far.tries = near.tries = 200;
  far.silentMs = near.silentMs = HOUR_MS;
  clock.advance(HOUR_MS);
  t.ok(near.isClosed);
  t.notOk(far.isClosed);
});

for (const [who, transport] of [
  ['engineer', 'tcp'],
  ['customer', 'tls'],
] as const) {
  t.test(`a visit whose ${who} is dead fails, and the other is told`, async (t) => {
    let isGone = false;
    const isDead = (socket: object): boolean => isGone && 'encrypted' in socket === (transport === 'tls');
    const rig = await startRig(t, {
      clock: tenfold(systemClock),
      silence: { available: true, askEvery() {}, unansweredTries: (socket) => (isDead(socket) ? 9 : 0) },
    });
    const { engineer, customer, invited } = await holdVisit(rig, await startDaemon(t), 'session');
    isGone = true;
    const row = outcomeRow('failure');
    if (who === 'customer') await engineer.has('(failure)');
    t.equal(await customer.done, row.exitStatus);
    t.same(outcomesOf(rig, invited), ['failure']);
    t.match(rig.log(), /"leg-closed".*the peer does not answer/);
    engineer.socket.destroy();
    await rig.settled();
  });
}

/** A clock on which everything happens ten times sooner. */
function tenfold(clock: Clock): Clock {
  return {
    now: () => clock.now() * 10,
    wallNow: () => clock.wallNow(),
    after: (delayMs, action) => clock.after(delayMs / 10, action),
    every: (intervalMs, action) => clock.every(intervalMs / 10, action),
  };
}
