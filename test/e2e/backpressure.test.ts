/**
 * A reader that stops, stops the writer: through real processes, whose queues and memory stay small meanwhile, and
 * which lose nothing when the reader goes on or goes away.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { SessionView } from '../../src/relay/sessions.ts';
import { outcomeRow } from '../../src/wire/outcomes.ts';
import { COMMAND, IAC } from '../../src/wire/telnet.ts';
import { Received, sendRandom } from '../helpers/bulk.ts';
import { startRelay, type Relay } from '../helpers/programs.ts';
import { dialPrompt, openTunnel, residentBytes, type Tunnel } from '../helpers/tunnel.ts';
import { fork, seededRandom, type SeededRandom } from '../wire/seeded.ts';

const MIB = 1_048_576;
/** Far more than the kernel takes in its own buffers on the way (about 30 MB). */
const FLOOD_BYTES = 192 * MIB;
const QUEUED_BYTES_MAX = 256 * 1_024;
/** What heaps and buffers may grow by while much passes; what the flood would add is more than twice as much. */
const GROWTH_BYTES_MAX = 80 * MIB;

/** Whole runs: several programs share the machine. */
t.setTimeout(280_000);

type Direction = 'fromEngineer' | 'fromDaemon';

t.test('an engineer who does not read stops the daemon, and gets everything later', (t) =>
  stopsAndResumes(t, ['fromDaemon']),
);

t.test('a daemon that does not read stops the engineer, and gets everything later', (t) =>
  stopsAndResumes(t, ['fromEngineer']),
);

t.test('both may stop reading at once, and go on one after the other', (t) =>
  stopsAndResumes(t, ['fromEngineer', 'fromDaemon']),
);

async function stopsAndResumes(t: Test, directions: readonly Direction[]): Promise<void> {
  const random = seededRandom(t);
  const tunnel = await openTunnel(t);
  const programs = [tunnel.relay.process.pid, tunnel.connector.pid];
  const before = programs.map(residentBytes);
  const floods = directions.map((direction) => flood(tunnel, direction, fork(random)));
  const view = await stalled(tunnel, directions);
  for (const { socket } of floods) t.ok(socket.writableLength > 0, 'the writer waits');
  t.ok(view.queuedToEngineer <= QUEUED_BYTES_MAX, `${view.queuedToEngineer} bytes queued to the engineer`);
  t.ok(view.queuedToDaemon <= QUEUED_BYTES_MAX, `${view.queuedToDaemon} bytes queued to the daemon`);
  const growth = programs.map((pid, i) => residentBytes(pid) - before[i]);
  t.ok(Math.max(...growth) < GROWTH_BYTES_MAX, `memory grew by ${growth.join(' and ')} bytes`);
  for (const { reader, sent } of floods) {
    const received = new Received(reader);
    const { bytes, sha256 } = await sent;
    await received.reaches(bytes);
    t.equal(received.sha256(), sha256);
  }
}

t.test('an engineer who stops reading and then vanishes ends the visit', async (t) => {
  const tunnel = await openTunnel(t);
  flood(tunnel, 'fromDaemon', seededRandom(t)).sent.catch(() => {});
  await stalled(tunnel, ['fromDaemon']);
  tunnel.engineer.resetAndDestroy();
  const { code } = await tunnel.connector.ended;
  t.equal(code, outcomeRow('failure').exitStatus);
});

t.test('a customer can end a visit whose daemon does not read', async (t) => {
  const tunnel = await openTunnel(t);
  flood(tunnel, 'fromEngineer', seededRandom(t)).sent.catch(() => {});
  await stalled(tunnel, ['fromEngineer']);
  const shown = new Received(tunnel.engineer, { keep: true });
  tunnel.connector.signalGroup('SIGTERM');
  await once(tunnel.engineer, 'end');
  t.match(shown.kept().toString(), /\(customer\)/);
  await tunnel.connector.ended;
});

t.test('a caller at the prompt who sends and does not read is not read either', async (t) => {
  const relay = await startRelay();
  t.teardown(() => relay.stop());
  const caller = await dialPrompt(t, relay);
  const before = residentBytes(relay.process.pid);
  const stop = new AbortController();
  const asking = askOn(caller, stop.signal);
  await stalledAt(relay, () => caller.bytesWritten);
  const growth = residentBytes(relay.process.pid) - before;
  t.ok(growth < GROWTH_BYTES_MAX, `memory grew by ${growth} bytes`);
  await new Received(caller).reaches(16 * MIB);
  stop.abort();
  await t.rejects(asking, { name: 'AbortError' });
});

/** Asks "are you there" without end; every two bytes are answered with sixteen. */
async function askOn(caller: Socket, signal: AbortSignal): Promise<void> {
  const questions = Buffer.alloc(64 * 1_024, Buffer.of(IAC, COMMAND.AYT));
  for (;;) {
    if (!caller.write(questions)) await once(caller, 'drain', { signal });
  }
}

/** Resolves when the relay answers its administrator and `count` stays the same meanwhile, three times in a row. */
async function stalledAt(relay: Relay, count: () => number): Promise<void> {
  for (let same = 0, before = -1; same < 3;) {
    await relay.command(['sessions']);
    same = count() === before ? same + 1 : 0;
    before = count();
  }
}

/** Starts to write far more than there is room for. */
function flood({ engineer, daemon }: Tunnel, direction: Direction, random: SeededRandom) {
  const [socket, reader] = direction === 'fromEngineer' ? [engineer, daemon] : [daemon, engineer];
  return { socket, reader, sent: sendRandom(socket, random, FLOOD_BYTES) };
}

/** Resolves when nothing moves in `directions` any more. */
async function stalled(tunnel: Tunnel, directions: readonly Direction[]): Promise<SessionView> {
  const queued = { fromEngineer: 'queuedToDaemon', fromDaemon: 'queuedToEngineer' } as const;
  for (let before = ''; ;) {
    const view = await tunnel.view();
    const moved = `${view.bytesFromEngineer} ${view.bytesFromDaemon}`;
    const isFull = directions.every((direction) => view[queued[direction]] > 0);
    if (isFull && moved === before) return view;
    before = moved;
  }
}
