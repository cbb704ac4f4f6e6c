/**
 * TCP urgent data, as the SYNCH of a telnet program sends it: nothing may be lost on its way through a leg. And what
 * the system is asked of silent peers; that it finds those who vanished is shown in test/e2e/vanished.test.ts.
 *
 * Node cannot send urgent data, so the sending end is made of system calls by FFI (koffi, as for receiving it). They
 * block this very process, so what they sent is already queued when the socket is accepted.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { dialTcp } from '../../src/connector/dial.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import { SocketLeg } from '../../src/stream/socket-leg.ts';
import { loadSocketCalls, type PeerSilence, type UrgentData } from '../../src/stream/socket-calls.ts';
import { COMMAND, IAC } from '../../src/wire/telnet.ts';
import { describeCommand, TelnetDecoder } from '../wire/telnet-reader.ts';
import { until } from '../helpers/rig.ts';
import { Recorder, tcpPair, tlsPair } from './socket-pair.ts';

/** Values of Linux. */
const AF_INET = 2;
const SOCK_STREAM = 1;
const MSG_OOB = 1;
const IPPROTO_TCP = 6;
const TCP_RTO_MAX_MS = 44;

const DATA_MARK = Buffer.of(COMMAND.DM);
const system = await loadSystemCalls();
const { urgent, silence } = await loadSocketCalls(process.platform);
const skip = system ? false : 'missing: koffi, or this is not Linux';

t.test(
  'urgent bytes arrive in line, also those that were queued before the socket was accepted',
  { skip },
  async (t) => {
    const received = await receive(t, urgent, (peer) => {
      peer.send('before');
      peer.send(Buffer.of(IAC));
      peer.sendUrgent(DATA_MARK);
      peer.send('after');
    });
    t.same(received, Buffer.concat([Buffer.from('before'), Buffer.of(IAC), DATA_MARK, Buffer.from('after')]));
  },
);

t.test('every urgent byte of several arrives, in its place', { skip }, async (t) => {
  const received = await receive(t, urgent, (peer) => {
    for (let i = 0; i < 20; i += 1) {
      peer.send(`${i} `);
      peer.sendUrgent('!');
    }
  });
  t.equal(received.toString(), Array.from({ length: 20 }, (_, i) => `${i} !`).join(''));
});

t.test(
  'urgent bytes that come to an open connection arrive, and one that is last before the end',
  { skip },
  async (t) => {
    const { server, accepted } = await listening(t);
    const peer = new RawPeer(system!, addressOf(server).port);
    const socket = await accepted;
    urgent.keep(socket);
    const { leg, sink } = recorded(t, socket);
    peer.send('one');
    await until(() => sink.text === 'one');
    peer.sendUrgent('!');
    await until(() => sink.text === 'one!');
    leg.pause();
    peer.send('two');
    peer.sendUrgent('!');
    leg.resume();
    await until(() => sink.text === 'one!two!');
    peer.sendUrgent('.');
    peer.close();
    await until(() => sink.events.includes('ended'));
    t.equal(sink.text, 'one!two!.');
  },
);

t.test('a daemon that was dialled keeps its urgent bytes', { skip }, async (t) => {
  const { server, accepted } = await listening(t);
  const socket = await dial(server, urgent);
  const { sink } = recorded(t, socket);
  const daemon = await accepted;
  daemon.write('output');
  await until(() => sink.text === 'output');
  system!.send(descriptorOf(daemon), DATA_MARK, 1, MSG_OOB);
  daemon.end('prompt');
  await until(() => sink.events.includes('ended'));
  t.same(sink.bytes, Buffer.concat([Buffer.from('output'), DATA_MARK, Buffer.from('prompt')]));
});

t.test('without it the Data Mark is lost and its IAC swallows the byte behind it', { skip }, async (t) => {
  const lossy: UrgentData = { available: false, keep() {} };
  const received = await receive(t, lossy, (peer) => {
    peer.send(Buffer.of(IAC));
    peer.sendUrgent(DATA_MARK);
    peer.send('after');
  });
  t.same(received, Buffer.concat([Buffer.of(IAC), Buffer.from('after')]));
  t.same(telnetOf(received), ['command 97', 'data fter']);
});

t.test('with it the Data Mark is a command and all data is data', { skip }, async (t) => {
  const received = await receive(t, urgent, (peer) => {
    peer.send(Buffer.of(IAC));
    peer.sendUrgent(DATA_MARK);
    peer.send('after');
  });
  t.same(telnetOf(received), ['command DM', 'data after']);
});

t.test('where there is no FFI it says so, and leaves sockets alone', async (t) => {
  const { urgent: none, silence } = await loadSocketCalls('plan9');
  t.notOk(none.available);
  t.notOk(silence.available);
  const { server, accepted } = await listening(t);
  const peer = await dial(server, none);
  t.teardown(() => peer.destroy());
  const socket = await accepted;
  none.keep(socket);
  silence.askEvery(socket, 10_000);
  t.equal(silence.unansweredTries(socket, 0), 0);
  socket.destroy();
});

t.test('a socket that is already closed is left alone', { skip }, async (t) => {
  const { server, accepted } = await listening(t);
  const peer = await dial(server, null);
  const socket = await accepted;
  socket.destroy();
  urgent.keep(socket);
  peer.destroy();
  await once(socket, 'close');
  urgent.keep(socket);
  t.ok(urgent.available);
  silence.askEvery(socket, 10_000);
  t.equal(silence.unansweredTries(socket, 0), 0);
});

for (const { transport, pair } of [
  { transport: 'tcp', pair: tcpPair },
  { transport: 'tls', pair: tlsPair },
]) {
  t.test(`a silent peer of a ${transport} leg is asked every ten seconds`, { skip }, async (t) => {
    const asked: [socket: Socket, intervalMs: number][] = [];
    const noting: PeerSilence = { ...silence, askEvery: (...of) => void asked.push(of) };
    const { socket } = await pair(t, noting);
    const [last, intervalMs] = asked.at(-1)!;
    t.equal(last, socket);
    t.equal(intervalMs, 10_000);
    silence.askEvery(last, intervalMs);
    const found = optionOf(descriptorOf(socket), IPPROTO_TCP, TCP_RTO_MAX_MS);
    if (found === null) t.comment('this system cannot do it: it is older than Linux 6.15');
    else t.equal(found, intervalMs);
  });

  t.test(`a ${transport} peer that lives and reads leaves nothing unanswered`, { skip }, async (t) => {
    const { leg, peer } = await pair(t, silence);
    const received = once(peer, 'data');
    leg.write(Buffer.from('question'));
    await received;
    t.equal(leg.unansweredTries(0), 0);
  });
}

/** All bytes that a leg gets of what `send` sent before the socket was accepted, up to the peer's end. */
async function receive(t: Test, how: UrgentData, send: (peer: RawPeer) => void): Promise<Buffer> {
  const { server, accepted } = await listening(t);
  const peer = new RawPeer(system!, addressOf(server).port);
  send(peer);
  peer.close();
  const socket = await accepted;
  how.keep(socket);
  const { sink } = recorded(t, socket);
  await until(() => sink.events.length > 0);
  t.equal(sink.events[0], 'ended');
  return sink.bytes;
}

function recorded(t: Test, socket: Socket): { leg: SocketLeg; sink: Recorder } {
  t.teardown(() => socket.destroy());
  const leg = new SocketLeg(socket);
  const sink = new Recorder();
  leg.sink = sink;
  leg.resume();
  return { leg, sink };
}

async function listening(t: Test): Promise<{ server: Server; accepted: Promise<Socket> }> {
  const server = createServer({ allowHalfOpen: true });
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { server, accepted };
}

function dial(server: Server, how: UrgentData | null): Promise<Socket> {
  return dialTcp(
    addressOf(server),
    { clock: systemClock, stop: new AbortController().signal, detail: () => {} },
    how,
  );
}

function telnetOf(bytes: Uint8Array): string[] {
  const seen: string[] = [];
  new TelnetDecoder({
    data: (data) => seen.push(`data ${Buffer.from(data).toString('latin1')}`),
    command: (code) => seen.push(`command ${describeCommand(code)}`),
    option() {},
    subnegotiation() {},
    overflow() {},
  }).push(bytes);
  return seen;
}

interface SystemCalls {
  socket(domain: number, type: number, protocol: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  close(fd: number): number;
  getsockopt(fd: number, level: number, name: number, value: Int32Array, length: Uint32Array): number;
}

/** A TCP client by blocking system calls. */
class RawPeer {
  readonly #system: SystemCalls;
  readonly #fd: number;

  constructor(calls: SystemCalls, port: number) {
    this.#system = calls;
    this.#fd = calls.socket(AF_INET, SOCK_STREAM, 0);
    const address = Buffer.alloc(16); // struct sockaddr_in
    address.writeUInt16LE(AF_INET, 0);
    address.writeUInt16BE(port, 2);
    address.set([127, 0, 0, 1], 4);
    if (calls.connect(this.#fd, address, address.length) !== 0) throw new Error('connect failed');
  }

  send(bytes: string | Uint8Array): void {
    this.#send(bytes, 0);
  }

  /** The last byte is the urgent one. */
  sendUrgent(bytes: string | Uint8Array): void {
    this.#send(bytes, MSG_OOB);
  }

  close(): void {
    this.#system.close(this.#fd);
  }

  #send(bytes: string | Uint8Array, flags: number): void {
    const buffer = Buffer.from(bytes as Uint8Array);
    if (this.#system.send(this.#fd, buffer, buffer.length, flags) !== buffer.length)
      throw new Error('send failed');
  }
}

async function loadSystemCalls(): Promise<SystemCalls | null> {
  if (process.platform !== 'linux') return null;
  try {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load('libc.so.6');
    return {
      socket: libc.func('int socket(int, int, int)'),
      connect: libc.func('int connect(int, const void *, uint)'),
      send: libc.func('long send(int, const void *, ulong, int)'),
      close: libc.func('int close(int)'),
      getsockopt: libc.func('int getsockopt(int, int, int, void *, void *)'),
    };
  } catch {
    return null;
  }
}

/** A number that the system keeps for a socket; null when it does not know that option. */
function optionOf(fd: number, level: number, name: number): number | null {
  const value = new Int32Array(1);
  return system!.getsockopt(fd, level, name, value, Uint32Array.of(4)) === 0 ? value[0] : null;
}

function descriptorOf(socket: Socket): number {
  return (socket as Socket & { _handle: { fd: number } })._handle.fd;
}
