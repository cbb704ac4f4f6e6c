/**
 * Somebody between connector and relay, on port 0: reads and passes on the TCP bytes, or ends TLS with a key of its
 * own choice and opens another TLS connection to the relay, or holds a connection back.
 *
 * Connections are told apart by their number (0 is the first dial). What went through an intercepted connection is
 * kept in plain text, as the man in the middle has it; `reset` cuts either half of any connection.
 */
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import type { Test } from 'tap';
import type { HostPort } from '../../src/base/address.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import { ALPN } from '../../src/wire/frames.ts';
import { FramePeer, type KeyPair } from './frame-peer.ts';

/** `hold` passes nothing on until `release`, then like `pass`; `serve` answers in the relay's place. */
export type Handling = 'pass' | 'intercept' | 'hold' | 'serve';

export interface ProxySettings {
  readonly relay: HostPort;
  /** How the connection of this number is handled; default `pass`. */
  readonly handling?: (number: number) => Handling;
  /** For `intercept` and `serve`. */
  readonly identity?: KeyPair;
  /** For `serve`. */
  readonly serve?: (peer: FramePeer) => Promise<void>;
}

export class ProxiedConnection {
  /** TCP towards the connector. */
  readonly client: Socket;
  /** TCP towards the relay; null before it is dialled. */
  server: Socket | null = null;
  /** What went through, decrypted when it was intercepted. */
  readonly fromClient: Buffer[] = [];
  readonly fromServer: Buffer[] = [];
  readonly #release: () => void;

  constructor(client: Socket, release: () => void) {
    this.client = client;
    this.#release = release;
  }

  /** Lets a held connection go on. */
  release(): void {
    this.#release();
  }

  /** Cuts one half of the connection, or both, by RST; the other half is left standing. */
  reset(half: 'client' | 'server' | 'both'): void {
    for (const socket of [this.client, this.server]) socket?.unpipe().removeAllListeners('close');
    if (half !== 'server') this.client.resetAndDestroy();
    if (half !== 'client') this.server?.resetAndDestroy();
  }
}

export class TlsProxy {
  readonly address: HostPort;
  readonly connections: ProxiedConnection[];
  readonly #waiting: Map<number, (connection: ProxiedConnection) => void>;

  constructor(
    address: HostPort,
    connections: ProxiedConnection[],
    waiting: Map<number, (connection: ProxiedConnection) => void>,
  ) {
    this.address = address;
    this.connections = connections;
    this.#waiting = waiting;
  }

  /** TCP connections that came from the connector's side. */
  get dials(): number {
    return this.connections.length;
  }

  /** Resolves with the connection of this number once it has come. */
  connection(number: number): Promise<ProxiedConnection> {
    const there = this.connections[number];
    if (there) return Promise.resolve(there);
    return new Promise((resolve) => this.#waiting.set(number, resolve));
  }
}

/** Listens on port 0 until the test is over. */
export async function startTlsProxy(t: Test, settings: ProxySettings): Promise<TlsProxy> {
  const { relay, handling = () => 'pass' as const, identity } = settings;
  const secureContext =
    identity && createSecureContext({ key: identity.keyPem, cert: identity.certificatePem });
  const connections: ProxiedConnection[] = [];
  const waiting = new Map<number, (connection: ProxiedConnection) => void>();
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => {});
  };

  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    keep(client);
    const how = handling(connections.length);
    const go = (): void => {
      if (how === 'intercept') endTls((near) => dialTls((far) => join(near, far, connection)));
      else if (how === 'serve')
        endTls((near) => void settings.serve!(new FramePeer(t, near, client)).catch(() => near.destroy()));
      else join(client, dial(), connection);
    };
    const connection = new ProxiedConnection(client, go);
    const dial = (): Socket => {
      connection.server = keep(connect({ ...relay, allowHalfOpen: true }));
      return connection.server;
    };
    const endTls = (then: (near: TLSSocket) => void): void => {
      const near = new TLSSocket(client, {
        isServer: true,
        secureContext: secureContext as SecureContext,
        ALPNProtocols: [ALPN],
      });
      keep(near);
      near.once('secure', () => then(near));
    };
    const dialTls = (then: (far: TLSSocket) => void): void => {
      const far = connectTls({
        socket: dial(),
        ALPNProtocols: [ALPN],
        minVersion: 'TLSv1.3',
        rejectUnauthorized: false,
      });
      keep(far);
      far.once('secureConnect', () => then(far));
    };
    connections.push(connection);
    waiting.get(connections.length - 1)?.(connection);
    if (how !== 'hold') go();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return new TlsProxy(addressOf(server), connections, waiting);
}

/** Passes bytes, ends and closes on, both ways. */
function join(near: Socket, far: Socket, { fromClient, fromServer }: ProxiedConnection): void {
  for (const [from, to, record] of [
    [near, far, fromClient],
    [far, near, fromServer],
  ] as const) {
    from.on('data', (chunk: Buffer) => record.push(Buffer.from(chunk)));
    from.pipe(to);
    from.once('close', () => to.destroy());
  }
}
