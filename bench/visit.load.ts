/**
 * What a visit costs: visits a second, the way of a keystroke, bulk, memory; and what a connector that stays costs while
 * it waits, at the relay and as a process. The relay is a process of its own in each.
 *
 * Where the tunnel itself is measured (keystrokes, bulk) the connector is tndconnect as a process, which records to
 * /dev/null and shows nothing; where the relay is measured (visits, memory) connectors run in this process, since so
 * many processes would measure the machine. What the floors do is in floor-process.ts. Memory is the resident set as
 * the kernel counts it, garbage that is not yet collected included; idle sockets hold next to nothing in the kernel.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { addressOf } from '../src/relay/listeners.ts';
import { Received, sendRandom } from '../test/helpers/bulk.ts';
import { RunningProcess } from '../test/helpers/processes.ts';
import { startRelay } from '../test/helpers/programs.ts';
import { stand } from '../test/helpers/standing.ts';
import {
  openTunnel,
  processorSeconds,
  residentBytes,
  temporaryFolder,
  type Scope,
} from '../test/helpers/tunnel.ts';
import { seededRandom } from '../test/wire/seeded.ts';
import { gatherCrowd, type Crowd } from './crowd.ts';
import { quantileOf, type LoadCase } from './load.ts';
import type { Reading } from './measure.ts';

const MIB = 1_048_576;
const KIB = 1_024;
const SIZES = {
  full: {
    visits: 60,
    atOnce: 8,
    keystrokes: 1_000,
    bulkBytes: 96 * MIB,
    few: 50,
    waiting: 300,
    tunnels: 150,
  },
  short: { visits: 4, atOnce: 2, keystrokes: 50, bulkBytes: 4 * MIB, few: 2, waiting: 6, tunnels: 6 },
} as const;
/** Keys come at this pace whether or not the echo of the last one is back, as from somebody who types blind. */
const KEY_INTERVAL_MS = 3;
/** What a program needs for its start is given back by then, or never. */
const SETTLED_MS = 3_000;
const ROW = Buffer.from('The quick brown fox jumps over the lazy dog 0123456789, and so on.\r\n');

/** Two ends of something that carries bytes, both paused, and the processes in between by name. */
interface Carrier {
  readonly near: Socket;
  readonly far: Socket;
  readonly between: Readonly<Record<string, number>>;
}

export const loads: readonly LoadCase[] = [
  {
    name: 'bulk: node:net pipe',
    floor: null,
    run: async (effort, scope) => bulk(await openPipe(scope), SIZES[effort].bulkBytes),
  },
  {
    name: 'bulk: visit',
    floor: 'bulk: node:net pipe',
    run: async (effort, scope) => bulk(await openVisit(scope), SIZES[effort].bulkBytes),
  },
  {
    name: 'keystrokes: direct',
    floor: null,
    run: async (effort, scope) => keystrokes(await openDirect(scope), SIZES[effort].keystrokes),
  },
  {
    name: 'keystrokes: visit',
    floor: 'keystrokes: direct',
    run: async (effort, scope) => keystrokes(await openVisit(scope), SIZES[effort].keystrokes),
  },
  {
    name: 'beginning: two TLS handshakes',
    floor: null,
    run: async (effort, scope) => {
      const server = await startFloor(scope, 'tls', temporaryFolder(scope));
      const handshakes = async (): Promise<void> => {
        for (const socket of [await dialTls(scope, server.port), await dialTls(scope, server.port)])
          socket.destroy();
      };
      return beginnings(server.pid, handshakes, SIZES[effort]);
    },
  },
  {
    name: 'beginning: whole visit',
    floor: 'beginning: two TLS handshakes',
    run: async (effort, scope) => {
      const crowd = await gatherCrowd(scope);
      return beginnings(crowd.relay.process.pid, () => wholeVisit(crowd), SIZES[effort]);
    },
  },
  {
    name: 'memory: TLS connection',
    floor: null,
    run: async (effort, scope) => {
      const server = await startFloor(scope, 'tls', temporaryFolder(scope));
      return memory(server.pid, () => dialTls(scope, server.port), SIZES[effort].few, SIZES[effort].waiting);
    },
  },
  {
    name: 'memory: waiting connector',
    floor: 'memory: TLS connection',
    run: async (effort, scope) => {
      const { few, waiting } = SIZES[effort];
      const crowd = await gatherCrowd(scope);
      const readings = await memory(crowd.relay.process.pid, () => crowd.wait(), few, waiting);
      await expectSessions(crowd, 'awaitingEngineer', waiting);
      return readings;
    },
  },
  {
    name: 'memory: standing connector',
    floor: 'memory: TLS connection',
    run: async (effort, scope) => {
      const { few, waiting } = SIZES[effort];
      const crowd = await gatherCrowd(scope);
      const readings = await memory(crowd.relay.process.pid, () => crowd.stand(), few, waiting);
      await expectSessions(crowd, 'awaitingEngineer', waiting);
      return readings;
    },
  },
  {
    name: 'process: one TLS connection',
    floor: null,
    run: async (_effort, scope) => {
      const server = await startFloor(scope, 'tls', temporaryFolder(scope));
      const dialler = await startFloor(scope, 'dial', String(server.port));
      return processMemory(dialler.pid);
    },
  },
  {
    name: 'process: waiting tndconnect -persist',
    floor: 'process: one TLS connection',
    run: async (_effort, scope) => {
      const relay = await startRelay();
      scope.teardown(() => relay.stop());
      const { connector } = await stand(scope, relay);
      return processMemory(connector.pid);
    },
  },
  {
    name: 'memory: idle pipe',
    floor: null,
    run: async (effort, scope) => {
      const { few, tunnels } = SIZES[effort];
      const far = createServer();
      await listen(scope, far);
      const pipe = await startFloor(scope, 'pipe', String(addressOf(far).port));
      return memory(pipe.pid, () => dialPlain(scope, pipe.port), few, tunnels);
    },
  },
  {
    name: 'memory: idle visit',
    floor: 'memory: idle pipe',
    run: async (effort, scope) => {
      const { few, tunnels } = SIZES[effort];
      const crowd = await gatherCrowd(scope);
      const readings = await memory(
        crowd.relay.process.pid,
        async () => crowd.visit(await crowd.wait()),
        few,
        tunnels,
      );
      await expectSessions(crowd, 'spliced', tunnels);
      return readings;
    },
  },
];

/** Text both ways, one after the other, once random bytes came through unchanged. */
async function bulk({ near, far, between }: Carrier, length: number): Promise<readonly Reading[]> {
  await expectUnchanged(near, far);
  await expectUnchanged(far, near);
  const pids = Object.entries(between);
  const before = pids.map(([, pid]) => processorSeconds(pid));
  const toDaemon = await bytesASecond(near, far, length);
  const toEngineer = await bytesASecond(far, near, length);
  return [
    { what: 'to the daemon', value: toDaemon / 1e6, unit: 'MB/s' },
    { what: 'to the engineer', value: toEngineer / 1e6, unit: 'MB/s' },
    ...pids.map(([what, pid], i) => ({
      what: `processor of the ${what}`,
      value: (processorSeconds(pid) - before[i]) / ((2 * length) / 1e9),
      unit: 's/GB',
    })),
  ];
}

async function expectUnchanged(from: Socket, to: Socket): Promise<void> {
  const received = new Received(to);
  const { bytes, sha256 } = await sendRandom(from, seededRandom({ comment() {} }), MIB);
  await received.reaches(bytes);
  to.removeAllListeners('data');
  expect(received.sha256() === sha256, 'random bytes come through unchanged');
}

async function bytesASecond(from: Socket, to: Socket, length: number): Promise<number> {
  const block = Buffer.alloc(64 * KIB, ROW);
  let received = 0;
  const all = new Promise<void>((resolve) => {
    to.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received === length) resolve();
    });
  });
  to.resume();
  const startMs = performance.now();
  for (let sent = 0; sent < length; sent += block.length) {
    if (!from.write(block)) await once(from, 'drain');
  }
  await all;
  to.removeAllListeners('data');
  return length / ((performance.now() - startMs) / 1_000);
}

/** One key at a time, echoed by the far end: from the write to the echo. */
async function keystrokes({ near, far }: Carrier, count: number): Promise<readonly Reading[]> {
  far.on('data', (key: Buffer) => far.write(key));
  const sentMs: number[] = [];
  const takenMs: number[] = [];
  const all = new Promise<void>((resolve) => {
    near.on('data', (keys: Buffer) => {
      for (const key of keys) {
        expect(key === keyOf(takenMs.length), 'echoes come in order');
        takenMs.push(performance.now() - sentMs[takenMs.length]);
      }
      if (takenMs.length === count) resolve();
    });
  });
  near.resume();
  far.resume();
  const timer = setInterval(() => {
    near.write(Uint8Array.of(keyOf(sentMs.length)));
    sentMs.push(performance.now());
    if (sentMs.length === count) clearInterval(timer);
  }, KEY_INTERVAL_MS);
  await all;
  const settled = takenMs.slice(Math.floor(count / 10)); // the first ones meet code that was never run before
  return [
    { what: 'p50', value: quantileOf(settled, 0.5) * 1_000, unit: 'us' },
    { what: 'p99', value: quantileOf(settled, 0.99) * 1_000, unit: 'us' },
  ];
}

function keyOf(position: number): number {
  return 0x61 + (position % 26);
}

/** Password, proof, login, consent, splice, an echo, and the end by the engineer. */
async function wholeVisit(crowd: Crowd): Promise<void> {
  const waiting = await crowd.wait();
  const engineer = await crowd.visit(waiting);
  engineer.resume();
  engineer.end();
  expect((await waiting.done) === 0, 'the connector ends in good order');
}

/** Repeats `begin`, some at once, after a few for warming up. */
async function beginnings(
  pid: number,
  begin: () => Promise<void>,
  { visits, atOnce }: { visits: number; atOnce: number },
): Promise<readonly Reading[]> {
  await repeat(begin, atOnce * 2, atOnce);
  const before = processorSeconds(pid);
  const startMs = performance.now();
  await repeat(begin, visits, atOnce);
  const elapsedS = (performance.now() - startMs) / 1_000;
  return [
    { what: 'rate', value: visits / elapsedS, unit: '/s' },
    {
      what: 'processor of the relay',
      value: ((processorSeconds(pid) - before) / visits) * 1_000,
      unit: 'ms',
    },
  ];
}

/** What each of `many` costs beyond the first `few`, which pay for what all share. */
async function memory(
  pid: number,
  add: () => Promise<unknown>,
  few: number,
  many: number,
): Promise<readonly Reading[]> {
  await repeat(add, few, 8);
  const before = residentBytes(pid);
  await repeat(add, many - few, 8);
  const each = (residentBytes(pid) - before) / (many - few);
  return [{ what: `each of ${few} to ${many}`, value: each / KIB, unit: 'KiB' }];
}

/** What a process holds once it has settled: in all, its part of what it shares, and what is its own alone. */
async function processMemory(pid: number): Promise<readonly Reading[]> {
  await delay(SETTLED_MS);
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  const sum = (name: string): number =>
    [...rollup.matchAll(new RegExp(`^${name}: +(\\d+) kB$`, 'gm'))].reduce(
      (all, [, kib]) => all + Number(kib),
      0,
    );
  const kib = { resident: sum('Rss'), proportional: sum('Pss'), private: sum('Private_\\w+') };
  return Object.entries(kib).map(([what, value]) => ({ what, value: value / KIB, unit: 'MiB' }));
}

async function repeat(action: () => Promise<unknown>, count: number, atOnce: number): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await action();
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function expectSessions(crowd: Crowd, state: string, count: number): Promise<void> {
  const sessions = await crowd.sessions();
  expect(
    sessions.filter((session) => session.state === state).length === count,
    `${count} sessions are ${state}`,
  );
}

async function openVisit(scope: Scope): Promise<Carrier> {
  const { relay, connector, engineer, daemon } = await openTunnel(scope);
  return { near: engineer, far: daemon, between: { relay: relay.process.pid, connector: connector.pid } };
}

async function openPipe(scope: Scope): Promise<Carrier> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  const { first } = await listen(scope, server);
  const pipe = await startFloor(scope, 'pipe', String(addressOf(server).port));
  const near = await dialPlain(scope, pipe.port);
  return { near, far: await first, between: { relay: pipe.pid } };
}

async function openDirect(scope: Scope): Promise<Carrier> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  const { first } = await listen(scope, server);
  const near = await dialPlain(scope, addressOf(server).port);
  return { near, far: await first, between: {} };
}

/** Resolves when the server listens. */
async function listen(scope: Scope, server: Server): Promise<{ first: Promise<Socket> }> {
  const first = new Promise<Socket>((resolve) => server.once('connection', resolve));
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    scope.teardown(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.teardown(() => server.close());
  return { first };
}

async function startFloor(
  scope: Scope,
  kind: string,
  argument: string,
): Promise<{ pid: number; port: number }> {
  const program = fileURLToPath(new URL('floor-process.js', import.meta.url));
  const floor = new RunningProcess(process.execPath, [program, kind, argument]);
  scope.teardown(() => floor.stop());
  const [, port] = await floor.output(/(?:listening|dialled) (\d+)/);
  return { pid: floor.pid, port: Number(port) };
}

async function dialPlain(scope: Scope, port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  socket.on('error', () => socket.destroy());
  scope.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function dialTls(scope: Scope, port: number): Promise<Socket> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: 'TLSv1.3' });
  socket.on('error', () => socket.destroy());
  scope.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`not as it should be: ${what}`);
}
