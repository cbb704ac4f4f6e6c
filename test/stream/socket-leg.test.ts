/**
 * Real sockets as legs, plain and through TLS: order, half-close each way, pause and resume, the queue, one report
 * of the close; and a close that does not cut off the last bytes.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { closeGracefully } from '../../src/stream/leg.ts';
import type { SocketLeg } from '../../src/stream/socket-leg.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { until } from '../helpers/rig.ts';
import { seededRandom } from '../wire/seeded.ts';
import { Recorder, tcpPair, tlsPair, type Pair } from './socket-pair.ts';

const MIB = 1_048_576;
const TRANSPORTS = [
  { name: 'tcp', pair: tcpPair },
  { name: 'tls', pair: tlsPair },
] as const;

for (const { name, pair } of TRANSPORTS) {
  t.test(`${name}: bytes arrive whole and in order, both ways`, async (t) => {
    const { leg, peer, sink, received } = await open(t, pair);
    t.equal(leg.transport, name);
    const random = seededRandom(t);
    const there = random.bytes(MIB);
    const back = random.bytes(MIB);
    leg.resume();
    writeInPieces(random, there, (piece) => peer.write(piece));
    writeInPieces(random, back, (piece) => leg.write(piece));
    await until(() => sink.bytes.length >= MIB && received.bytes.length >= MIB);
    t.ok(sink.bytes.equals(there));
    t.ok(received.bytes.equals(back));
  });

  t.test(`${name}: the peer's end is reported once, and writing goes on`, async (t) => {
    const { leg, peer, sink, received } = await open(t, pair);
    leg.resume();
    t.notOk(leg.hasEnded);
    peer.end('last');
    await until(() => sink.events.length > 0);
    t.same(sink.events, ['ended']);
    t.ok(leg.hasEnded);
    t.equal(sink.text, 'last');
    leg.write(Buffer.alloc(MIB, 'x'));
    await until(() => received.bytes.length === MIB);
    t.notOk(leg.isClosed);
    leg.end();
    await until(() => leg.isClosed);
    t.equal(sink.events.at(-1), 'closed null');
    t.equal(sink.events.filter((event) => event === 'ended').length, 1);
  });

  t.test(`${name}: a leg that is destroyed for a reason reports it, once`, async (t) => {
    const { leg, sink } = await open(t, pair);
    leg.destroy(new Error('gone'));
    leg.destroy(new Error('again'));
    await until(() => leg.isClosed);
    t.same(sink.events, ['closed gone']);
  });

  t.test(`${name}: our end comes behind what is queued, and the peer can go on`, async (t) => {
    const { leg, peer, sink, received } = await open(t, pair);
    leg.resume();
    peer.pause();
    leg.write(Buffer.alloc(8 * MIB, 'x'));
    leg.end();
    peer.resume();
    await once(peer, 'end');
    t.equal(received.bytes.length, 8 * MIB);
    peer.write(Buffer.alloc(MIB, 'y'));
    await until(() => sink.bytes.length === MIB);
    peer.end();
    await until(() => leg.isClosed);
    t.same(sink.events, ['ended', 'closed null']);
  });

  t.test(`${name}: a peer that does not read fills the queue; drained comes when it has read`, async (t) => {
    const { leg, peer, sink, received } = await open(t, pair);
    peer.pause();
    const chunk = Buffer.alloc(64 * 1_024);
    let written = 0;
    const overfill = (): boolean => {
      written += chunk.length;
      return leg.write(chunk);
    };
    // The kernel takes some megabytes first; a write that is refused twice in a row is one that it did not take.
    while (overfill() || leg.queuedBytes < MIB) await new Promise(setImmediate);
    t.ok(leg.queuedBytes >= MIB);
    const before = sink.events.length;
    peer.resume();
    await until(() => sink.events.length > before);
    t.equal(sink.events.at(-1), 'drained');
    t.equal(leg.queuedBytes, 0);
    await until(() => received.bytes.length === written);
  });

  t.test(`${name}: nothing is delivered while paused, everything after`, async (t) => {
    const { leg, peer, sink } = await open(t, pair);
    leg.resume();
    peer.write('one');
    await until(() => sink.text === 'one');
    leg.pause();
    const accepted = new Promise((resolve) => peer.write(' two', resolve));
    await accepted;
    await new Promise(setImmediate);
    t.equal(sink.text, 'one');
    peer.end(' three');
    leg.resume();
    await until(() => sink.events.includes('ended'));
    t.equal(sink.text, 'one two three');
  });

  t.test(
    `${name}: what is written after the end or the close is ignored and asks nobody to wait`,
    async (t) => {
      const { leg, peer, sink, received } = await open(t, pair);
      leg.resume();
      leg.write(Buffer.from('all'));
      leg.end();
      leg.end();
      t.equal(leg.write(Buffer.alloc(MIB)), true);
      peer.end();
      await until(() => leg.isClosed);
      t.equal(leg.write(Buffer.alloc(MIB)), true);
      leg.end();
      leg.pause();
      leg.resume();
      leg.destroy();
      await new Promise(setImmediate);
      t.equal(received.text, 'all');
      t.same(
        sink.events.filter((event) => event !== 'drained'),
        ['ended', 'closed null'],
      );
    },
  );

  t.test(`${name}: a leg that is destroyed reports its close, once and without an error`, async (t) => {
    const { leg, sink } = await open(t, pair);
    leg.resume();
    leg.destroy();
    leg.destroy();
    await until(() => leg.isClosed);
    await new Promise(setImmediate);
    t.same(sink.events, ['closed null']);
  });
}

t.test('a reset is reported with its error, once and last', async (t) => {
  const { leg, peer, sink } = await open(t, tcpPair);
  leg.resume();
  peer.resetAndDestroy();
  await until(() => leg.isClosed);
  await new Promise(setImmediate);
  t.same(sink.events, ['closed ECONNRESET']);
});

t.test('a reset that meets a paused leg is reported when something is written', async (t) => {
  const { leg, peer, sink } = await open(t, tcpPair);
  leg.pause();
  peer.resetAndDestroy();
  await once(peer, 'close');
  leg.write(Buffer.from('x'));
  await until(() => leg.isClosed);
  t.match(sink.events.at(-1), /^closed (ECONNRESET|EPIPE)$/);
});

t.test('addresses stay readable after the close', async (t) => {
  const { leg, peer } = await open(t, tcpPair);
  const { remotePort: ourPort } = peer;
  leg.destroy();
  await until(() => leg.isClosed);
  t.equal(leg.remoteAddress, '127.0.0.1');
  t.equal(leg.localPort, ourPort);
});

t.test('a released socket has what was not read, and reports nothing here any more', async (t) => {
  const { leg, peer, sink } = await open(t, tcpPair);
  peer.write('unread');
  const socket = leg.release();
  socket.resume();
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  t.equal(chunk.toString(), 'unread');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  peer.resetAndDestroy();
  await closed;
  t.same(sink.events, []);
  t.equal(sink.text, '');
});

t.test('a graceful close delivers the last bytes although the peer is still sending', async (t) => {
  const { leg, peer, received } = await open(t, tcpPair);
  const clock = new FakeClock();
  leg.resume();
  peer.write(Buffer.alloc(4 * MIB));
  leg.write(Buffer.from('goodbye'));
  closeGracefully(leg, clock, 5_000);
  await once(peer, 'end');
  t.equal(received.text, 'goodbye');
  peer.end();
  await until(() => leg.isClosed);
  t.equal(clock.armed, 0);
});

t.test('a graceful close cuts off a peer that keeps its side open', async (t) => {
  const { leg, peer } = await open(t, tcpPair);
  const clock = new FakeClock();
  closeGracefully(leg, clock, 5_000);
  await once(peer, 'end');
  clock.advance(4_999);
  t.notOk(leg.isClosed);
  clock.advance(1);
  await until(() => leg.isClosed);
  t.equal(clock.armed, 0);
});

t.test(
  'a graceful close of a leg that was paused, or whose peer ended before, is over at once',
  async (t) => {
    const { leg, peer, sink } = await open(t, tcpPair);
    const clock = new FakeClock();
    leg.resume();
    peer.end();
    await until(() => sink.events.includes('ended'));
    leg.pause();
    closeGracefully(leg, clock, 5_000);
    await until(() => leg.isClosed);
    closeGracefully(leg, clock, 5_000);
    t.equal(clock.armed, 0);
  },
);

/** A pair whose leg reports to `sink`, still paused, and whose peer collects what it gets in `received`. */
async function open(t: Test, pair: (t: Test) => Promise<Pair>) {
  const { leg, peer }: { leg: SocketLeg; peer: Socket } = await pair(t);
  const sink = new Recorder();
  const received = new Recorder();
  leg.sink = sink;
  peer.on('data', (chunk: Buffer) => received.data(chunk));
  return { leg, peer, sink, received };
}

function writeInPieces(
  random: { integer(below: number): number },
  bytes: Uint8Array,
  write: (piece: Uint8Array) => void,
): void {
  for (let from = 0; from < bytes.length;) {
    const piece = bytes.subarray(from, from + 1 + random.integer(50_000));
    write(piece);
    from += piece.length;
  }
}
