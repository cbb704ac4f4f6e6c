/**
 * Noise on the port, from many callers at once, while one visit goes on: every caller is let go of, the visit does not
 * notice, and honest people come in afterwards.
 */
import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { CountingClock, holdVisit, showsTimes, watchLeaks } from '../helpers/people.ts';
import { startDaemon, startRig, until, type Rig } from '../helpers/rig.ts';
import { seededRandom, type SeededRandom } from '../wire/seeded.ts';

const CALLERS = 300;
const AT_ONCE = 30;
const CHUNKS_MAX = 8;
const CHUNK_BYTES_MAX = 2_048;
/** Beginnings that send the noise behind them down each path: TLS, HTTP, a method not finished, telnet. */
const BEGINNINGS: readonly Buffer[] = [
  Buffer.alloc(0),
  Buffer.from([0x16, 0x03, 0x01]),
  Buffer.from([0x16, 0x03, 0x03, 0x01, 0x00, 0x01, 0x00, 0x00, 0xfc, 0x03, 0x03]),
  Buffer.from('GET '),
  Buffer.from('OPTION'),
  Buffer.from([0xff, 0xfd]),
  Buffer.from([0xff, 0xfa, 0x18]),
  Buffer.from('alice\r\n'),
];

t.test('noise from many callers', async (t) => {
  const random = seededRandom(t);
  const clock = new CountingClock(systemClock);
  const rig = await startRig(t, { clock });
  const daemon = await startDaemon(t);
  const { engineer, site } = await holdVisit(rig, daemon, 'account');
  const noLeaks = watchLeaks(t, rig, clock);
  for (let done = 0; done < CALLERS; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, () => makeNoise(rig, random)));
    engineer.write('ping');
    await showsTimes(site, 'ping', done / AT_ONCE + 1);
  }
  await noLeaks();
  t.same(rig.relay.sessions.list().length, 1, 'the visit goes on');
});

async function makeNoise(rig: Rig, random: SeededRandom): Promise<void> {
  const caller = await rig.dial();
  caller.write(BEGINNINGS[random.integer(BEGINNINGS.length)]);
  for (let chunks = random.integer(CHUNKS_MAX); chunks > 0; chunks -= 1) {
    caller.write(random.bytes(1 + random.integer(CHUNK_BYTES_MAX)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (random.integer(4) === 0) caller.socket.resetAndDestroy();
  else caller.socket.end();
  await until(() => caller.socket.destroyed || caller.socket.readableEnded);
  caller.socket.destroy();
}

t.test('a caller that takes no answers is not read for ever', async (t) => {
  const rig = await startRig(t);
  const caller = await rig.dial();
  await caller.has('relay login: ');
  caller.socket.pause();
  // Every line is answered with a prompt that nobody reads.
  const lines = Buffer.from('\r\n'.repeat(64 * 1_024));
  let isFull = false;
  for (let sent = 0; sent < 512 && !isFull; sent += 1) {
    isFull = !caller.socket.write(lines) && caller.socket.writableLength > 4 * lines.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(isFull, 'the relay stopped reading');
});
