/**
 * Two ends of a real connection over loopback: a `SocketLeg` as the programs make them, and the peer as a plain
 * socket; over TCP or over TLS 1.3. Whatever a test leaves open is destroyed in teardown.
 */
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import type { Test } from 'tap';
import { loadIdentity } from '../../src/relay/identity.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import { locateState, prepareState } from '../../src/relay/state-directory.ts';
import type { LegSink } from '../../src/stream/leg.ts';
import type { PeerSilence } from '../../src/stream/socket-calls.ts';
import { SocketLeg } from '../../src/stream/socket-leg.ts';
import { temporaryFolder, until } from '../helpers/rig.ts';

export interface Pair {
  /** On the accepting side, paused, with a sink of its own until the test sets one. */
  readonly leg: SocketLeg;
  /** What the leg was made of. */
  readonly socket: Socket;
  /** On the connecting side; half-open is allowed. */
  readonly peer: Socket;
}

export async function tcpPair(t: Test, silence?: PeerSilence): Promise<Pair> {
  const { accepted, peer } = await connectedSockets(t);
  const leg = new SocketLeg(accepted, silence);
  leg.pause();
  return { leg, socket: accepted, peer };
}

/** The same through TLS, with a certificate of a relay made for this. */
export async function tlsPair(t: Test, silence?: PeerSilence): Promise<Pair> {
  const { accepted, peer } = await connectedSockets(t);
  const state = locateState(temporaryFolder(t), { env: {}, homeDirectory: '/', isRoot: false });
  prepareState(state, null);
  const { keyPem, certificatePem } = await loadIdentity(state, Date.now());
  const server = new TLSSocket(accepted, {
    isServer: true,
    secureContext: createSecureContext({ key: keyPem, cert: certificatePem, minVersion: 'TLSv1.3' }),
  });
  const client = connectTls({ socket: peer, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
  client.on('error', () => {});
  await Promise.all([
    new Promise((resolve) => server.once('secure', resolve)),
    new Promise((resolve) => client.once('secureConnect', resolve)),
  ]);
  const leg = new SocketLeg(server, silence);
  leg.pause();
  return { leg, socket: server, peer: client };
}

async function connectedSockets(t: Test): Promise<{ accepted: Socket; peer: Socket }> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepting = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const peer = connect({ ...addressOf(server), allowHalfOpen: true, noDelay: true });
  peer.on('error', () => {});
  const accepted = await accepting;
  await until(() => !peer.connecting);
  server.close();
  t.teardown(() => {
    accepted.destroy();
    peer.destroy();
  });
  return { accepted, peer };
}

/** A sink that writes down what it is told; `bytes` is what came. */
export class Recorder implements LegSink {
  readonly events: string[] = [];
  readonly chunks: Buffer[] = [];

  data(chunk: Buffer): void {
    this.chunks.push(chunk);
  }

  drained(): void {
    this.events.push('drained');
  }

  ended(): void {
    this.events.push('ended');
  }

  closed(error: Error | null): void {
    this.events.push(
      `closed ${error === null ? 'null' : ((error as NodeJS.ErrnoException).code ?? error.message)}`,
    );
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return this.bytes.toString('latin1');
  }
}
