/**
 * The portable splice over memory legs: order, back-pressure with its bound, filters, ends; and over real sockets
 * what a paused leg does when its peer goes away.
 */
import t, { type Test } from 'tap';
import { errorCode } from '../../src/base/errors.ts';
import { Splice, type Side, type SpliceOwner } from '../../src/stream/splice.ts';
import { until } from '../helpers/rig.ts';
import { seededRandom } from '../wire/seeded.ts';
import { MemoryLeg } from './memory-leg.ts';
import { tcpPair } from './socket-pair.ts';

const KIB = 1_024;
/** What may be queued in one direction: see QUEUED_BYTES_HIGH in the source. */
const QUEUED_BYTES_MAX = 256 * KIB;

const silentOwner: SpliceOwner = { moved() {}, ended() {}, closed() {} };

t.test('bytes pass in order, both ways, and the owner hears of each chunk before it is passed on', (t) => {
  const { near, far, splice, events } = spliced({
    moved: (side, chunk) => events.push(`${side} ${chunk.toString()} after ${near.text}${far.text}`),
  });
  splice.start();
  near.arrive('one');
  far.arrive('TWO');
  near.arrive('three');
  t.equal(far.text, 'onethree');
  t.equal(near.text, 'TWO');
  t.same(events, ['near one after ', 'far TWO after one', 'near three after TWOone']);
  t.end();
});

t.test('nothing flows before the start', (t) => {
  const { near, far, splice } = spliced();
  near.arrive('early');
  t.equal(far.text, '');
  splice.start();
  t.equal(far.text, 'early');
  t.end();
});

t.test('a side that stops reading pauses the other one, no more, until it has read all', (t) => {
  const { near, far, splice } = spliced();
  splice.start();
  far.stall();
  near.arrive(Buffer.alloc(64 * KIB));
  t.notOk(near.isPaused, 'a queue up to 64 KiB is what sockets have anyway');
  near.arrive(Buffer.alloc(1));
  t.ok(near.isPaused);
  t.notOk(far.isPaused);
  far.arrive('the other direction goes on');
  t.equal(near.text, 'the other direction goes on');
  far.drain();
  t.notOk(near.isPaused);
  t.end();
});

t.test('bytes that the owner puts in keep their place and count for the bound', (t) => {
  const { near, far, splice } = spliced();
  splice.start();
  far.arrive('before ');
  splice.send('near', Buffer.from('[warning] '));
  far.arrive('after');
  t.equal(near.text, 'before [warning] after');
  near.stall();
  splice.send('near', Buffer.alloc(65 * KIB));
  t.ok(far.isPaused, 'what is put in for near pauses far');
  t.notOk(near.isPaused);
  near.drain();
  t.notOk(far.isPaused);
  t.end();
});

t.test('bytes put in past the splice, straight to a leg, never leave a side paused', (t) => {
  const { near, far, splice } = spliced();
  splice.start();
  near.stall();
  near.write(Buffer.alloc(200 * KIB));
  far.arrive(Buffer.alloc(1));
  t.ok(far.isPaused);
  near.drain();
  t.notOk(far.isPaused);
  t.end();
});

t.test('a leg that was full when it was spliced is waited for', (t) => {
  const near = new MemoryLeg();
  const far = new MemoryLeg();
  near.stall();
  near.write(Buffer.alloc(100 * KIB));
  const splice = new Splice(near, far, silentOwner);
  splice.start();
  far.arrive('x');
  t.ok(far.isPaused);
  near.drain();
  t.notOk(far.isPaused);
  t.equal(near.text.length, 100 * KIB + 1);
  t.end();
});

t.test('a pause that comes before the start delays nothing for good', (t) => {
  const { near, far, splice } = spliced();
  far.stall();
  splice.send('far', Buffer.alloc(100 * KIB));
  splice.start();
  near.arrive('a');
  near.arrive('b');
  far.drain();
  t.equal(far.text.length, 100 * KIB + 2);
  t.notOk(near.isPaused);
  t.end();
});

t.test('a filter gets the chunks, passes on what it wants, and can step aside in the middle', (t) => {
  const { near, far, splice } = spliced();
  splice.filter = {
    fromNear: (chunk) => {
      if (chunk.toString() === 'stop') splice.filter = null;
      else splice.send('far', Buffer.from(`(${chunk.toString()})`));
    },
    fromFar: (chunk) => splice.send('far', Buffer.from(`<${chunk.toString()}>`)),
  };
  splice.start();
  near.arrive('a');
  far.arrive('b');
  near.arrive('stop');
  near.arrive('c');
  far.arrive('d');
  t.equal(far.text, '(a)<b>c');
  t.equal(near.text, 'd');
  t.end();
});

t.test('a filter that passes on nothing causes no write', (t) => {
  const { near, far, splice } = spliced();
  splice.filter = { fromNear: () => splice.send('far', new Uint8Array(0)), fromFar: () => {} };
  splice.start();
  near.arrive('swallowed');
  t.same(far.delivered, []);
  t.end();
});

t.test('a side that does not read what it is answered is not read on, and the other side is', (t) => {
  const { near, far, splice } = spliced();
  splice.filter = {
    fromNear: (chunk) => splice.answer('near', chunk),
    fromFar: (chunk) => splice.send('near', chunk),
  };
  splice.start();
  near.stall();
  near.arrive(Buffer.alloc(65 * KIB));
  near.arrive('more');
  t.ok(near.isPaused);
  t.notOk(far.isPaused, 'far caused none of it');
  near.drain();
  t.notOk(near.isPaused);
  t.equal(near.text.length, 65 * KIB + 4);
  t.end();
});

t.test('a side held for two reasons is read again only when both are gone', (t) => {
  const { near, far, splice } = spliced();
  splice.start();
  near.stall();
  far.stall();
  splice.send('far', Buffer.alloc(65 * KIB));
  splice.answer('near', Buffer.alloc(65 * KIB));
  near.drain();
  t.ok(near.isPaused, 'far is still full');
  near.stall();
  splice.answer('near', Buffer.alloc(65 * KIB));
  far.drain();
  t.ok(near.isPaused, 'its answers are not read');
  near.drain();
  t.notOk(near.isPaused);
  t.end();
});

t.test('a side that the owner holds is not read, whoever else has room, until it is let go', (t) => {
  const { near, far, splice } = spliced();
  splice.start();
  splice.hold('far');
  far.arrive('held');
  near.arrive('the other direction goes on');
  t.equal(near.text, '');
  t.equal(far.text, 'the other direction goes on');
  near.stall();
  splice.letGo('far');
  t.equal(near.queuedBytes, 4);
  splice.letGo('far');
  near.drain();
  t.equal(near.text, 'held');
  t.end();
});

t.test('the end of one side is reported, not passed on; endSide passes it behind what is queued', (t) => {
  const { near, far, splice, events } = spliced();
  splice.start();
  far.stall();
  near.arrive('last words');
  near.arriveEnd();
  t.same(events, ['near ended']);
  splice.endSide('far');
  t.notOk(far.peerHeardEnd);
  far.drain();
  t.equal(far.text, 'last words');
  t.ok(far.peerHeardEnd);
  far.arrive('late answer');
  t.equal(near.text, 'late answer');
  far.arriveEnd();
  t.same(events, ['near ended', 'far ended']);
  t.end();
});

t.test('what comes for a side that was ended is dropped and holds nobody up', (t) => {
  const { near, far, splice } = spliced();
  splice.start();
  splice.endSide('far');
  for (let i = 0; i < 10; i += 1) near.arrive(Buffer.alloc(64 * KIB));
  t.equal(far.text, '');
  t.notOk(near.isPaused);
  t.end();
});

t.test('a side that waited for room is let go when what it waits for is ended', (t) => {
  const { near, far, splice, events } = spliced();
  splice.start();
  far.stall();
  near.arrive(Buffer.alloc(65 * KIB));
  near.arrive('dropped');
  near.arriveEnd();
  splice.endSide('far');
  t.notOk(near.isPaused);
  t.same(events, ['near ended']);
  far.drain();
  t.equal(far.text.length, 65 * KIB);
  t.ok(far.peerHeardEnd);
  t.end();
});

t.test('an end behind bytes that wait for room comes after them', (t) => {
  const { near, far, splice, events } = spliced();
  splice.start();
  far.stall();
  near.arrive(Buffer.alloc(65 * KIB));
  near.arrive('tail');
  near.arriveEnd();
  t.same(events, []);
  far.drain();
  t.same(events, ['near ended']);
  t.ok(far.text.endsWith('tail'));
  t.end();
});

t.test('a leg that is gone is reported once, with what it failed of', (t) => {
  const { near, far, events } = spliced();
  near.fail(new Error('reset'));
  near.fail(new Error('again'));
  far.destroy();
  t.same(events, ['near closed reset', 'far closed null']);
  t.end();
});

t.test(
  'whatever stalls, drains and arrives in whatever order: all arrives, in order, within the bound',
  (t) => {
    const random = seededRandom(t);
    for (let run = 0; run < 20; run += 1) {
      const { near, far, splice } = spliced();
      const sides = [
        { from: near, to: far, sent: [] as Uint8Array[] },
        { from: far, to: near, sent: [] as Uint8Array[] },
      ];
      splice.start();
      let most = 0;
      for (let step = 0; step < 200; step += 1) {
        const { from, to, sent } = sides[random.integer(2)];
        const action = random.integer(8);
        if (action === 0) to.stall();
        else if (action === 1) to.drain();
        else {
          const chunk = random.bytes(1 + random.integer(64 * KIB));
          sent.push(chunk);
          from.arrive(chunk);
        }
        most = Math.max(most, near.queuedBytes, far.queuedBytes);
      }
      // A leg that is let go may fill the other one again: at most as many turns as there are chunks.
      for (const { to } of sides) to.drain();
      for (const { to, sent } of sides) {
        if (!Buffer.concat(to.delivered).equals(Buffer.concat(sent)))
          return void t.fail(`run ${run} lost bytes`);
      }
      if (most > QUEUED_BYTES_MAX) return void t.fail(`run ${run} queued ${most} bytes`);
      if (near.isPaused || far.isPaused) return void t.fail(`run ${run} left a side paused`);
    }
    t.pass('20 runs of 200 steps');
    t.end();
  },
);

t.test('a side that is waited for and goes away is noticed at once', async (t) => {
  const { near, far, events } = await jammed(t);
  near.peer.resetAndDestroy();
  await until(() => events.length > 0);
  t.match(events[0], /^near closed (ECONNRESET|EPIPE)$/);
  t.notOk(far.leg.isClosed);
});

t.test('a side that is not read and goes away is noticed when there is room again', async (t) => {
  const { near, far, events } = await jammed(t);
  far.peer.resetAndDestroy();
  near.peer.resume();
  await until(() => events.length > 0);
  // libuv reports a reset that comes with unread bytes as an end.
  t.match(events[0], /^far (ended|closed ECONNRESET)$/);
  t.notOk(near.leg.isClosed);
});

t.test('a side that is not read and ends is noticed behind all that it sent', async (t) => {
  const { near, far, events, sent } = await jammed(t);
  far.peer.end();
  let received = 0;
  near.peer.on('data', (chunk: Buffer) => (received += chunk.length));
  near.peer.resume();
  await until(() => events.length > 0);
  t.same(events, ['far ended']);
  await until(() => received === sent);
});

/** Two connections spliced, of which `near` does not read what `far` sends, so that both have come to a stop. */
async function jammed(t: Test) {
  const near = await tcpPair(t);
  const far = await tcpPair(t);
  const events: string[] = [];
  near.peer.pause();
  new Splice(near.leg, far.leg, {
    moved() {},
    ended: (side) => events.push(`${side} ended`),
    closed: (side, error) => events.push(`${side} closed ${errorCode(error)}`),
  }).start();
  let sent = 0;
  await until(() => {
    if (far.peer.writableLength === 0) {
      far.peer.write(Buffer.alloc(1_024 * KIB));
      sent += 1_024 * KIB;
    }
    return near.leg.queuedBytes > 64 * KIB && far.peer.writableLength > 0;
  });
  t.ok(near.leg.queuedBytes <= QUEUED_BYTES_MAX);
  return { near, far, events, sent };
}

/** Two memory legs joined, not started; `events` has what the owner was told. */
function spliced(owner: Partial<SpliceOwner> = {}) {
  const near = new MemoryLeg();
  const far = new MemoryLeg();
  const events: string[] = [];
  const splice = new Splice(near, far, {
    moved() {},
    ended: (side: Side) => events.push(`${side} ended`),
    closed: (side: Side, error) => events.push(`${side} closed ${error?.message ?? null}`),
    ...owner,
  });
  return { near, far, splice, events };
}
