/**
 * One end of a `secure-telnet/1` connection that a test plays by hand: frame by frame, in any order, right or wrong.
 *
 * `dialFrames` plays a connector, `serveFrames` a relay. The password exchange is there as two calls (`sayHello`,
 * `proveWith`), so that a test can stop, bend or repeat it between any two frames. The same for standing connectors:
 * `enroll` and `letBackIn` are the relay's part, `resumeWith` the connector's.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, connect, type Socket } from 'node:net';
import { createSecureContext, TLSSocket, connect as connectTls } from 'node:tls';
import type { Test } from 'tap';
import type { HostPort } from '../../src/base/address.ts';
import { addressOf } from '../../src/relay/listeners.ts';
import { CPACE_CI, startCpace, type CpaceKeys } from '../../src/wire/cpace.ts';
import { deriveDataKey } from '../../src/wire/data-auth.ts';
import { FrameDecoder } from '../../src/wire/frame-decoder.ts';
import {
  ALPN,
  encodeConnectorCard,
  encodeFrame,
  encodeRelayCard,
  FEATURE,
  PROTOCOL_VERSION,
  decodeConnectorCard,
  type ConnectorCard,
  type Frame,
  type FrameFields,
  type FrameName,
} from '../../src/wire/frames.ts';
import {
  isSignedByConnector,
  isSignedByRelay,
  RESUMPTION_LABEL,
  resumedDataKey,
  signAsConnector,
  signAsRelay,
} from '../../src/wire/key-auth.ts';
import { parsePassword, prsOfMade } from '../../src/wire/password.ts';

export interface KeyPair {
  readonly keyPem: string;
  readonly certificatePem: string;
}

/** What a typed password stands for, once stretched where that is needed. */
export interface Secret {
  readonly nameplate: string;
  readonly prs: Uint8Array;
}

export class FramePeer {
  readonly socket: TLSSocket;
  /** Sid of the exchange. */
  readonly exporter: Buffer;
  readonly closed: Promise<void>;
  /** Bytes sent by `send`, in order. */
  readonly sent: Buffer[] = [];
  /** Bytes that came, decrypted. */
  receivedBytes = 0;
  readonly #tcp: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #frames: (Frame | null)[] = [];
  #waiting: ((frame: Frame | null) => void) | null = null;
  #isRaw = false;

  /** `tcp` is what `socket` runs over. */
  constructor(t: Test, socket: TLSSocket, tcp: Socket) {
    this.socket = socket;
    this.#tcp = tcp;
    this.exporter = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.#push(chunk));
    socket.on('end', () => this.#take(null));
    socket.on('close', () => this.#take(null));
    t.teardown(() => socket.destroy());
  }

  /** K_data, should this connection be one of a connector that comes back. */
  resumedDataKey(): Uint8Array {
    return resumedDataKey(this.socket.exportKeyingMaterial(32, RESUMPTION_LABEL, Buffer.alloc(0)));
  }

  send<N extends FrameName>(name: N, fields: FrameFields<N>): void {
    this.write(encodeFrame(name, fields));
  }

  write(bytes: Uint8Array): void {
    this.sent.push(Buffer.from(bytes));
    this.socket.write(bytes);
  }

  /** The next frame, in order; null once nothing more comes. */
  next(): Promise<Frame | null> {
    const first = this.#frames.shift();
    if (first !== undefined) return Promise.resolve(first);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** The next frame but pings, which are answered; rejects when it is another one. */
  async expect<N extends FrameName>(name: N): Promise<Extract<Frame, { name: N }>> {
    let frame = await this.next();
    for (; frame?.name === 'ping'; frame = await this.next()) this.send('pong', { token: frame.token });
    if (frame?.name !== name) throw new Error(`got ${frame?.name ?? 'the end'} instead of ${name}`);
    return frame as Extract<Frame, { name: N }>;
  }

  /** Ends TCP without the end of TLS, and reads no more. */
  cut(): void {
    this.#tcp.destroy();
  }

  /** Cuts the connection by RST. */
  reset(): void {
    this.#tcp.resetAndDestroy();
  }

  /** Ends framing: from now on `onData` gets what comes. */
  raw(onData: (chunk: Buffer) => void): void {
    this.#isRaw = true;
    const rest = this.#decoder.takeRest();
    if (rest.length > 0) onData(rest);
    this.socket.on('data', onData);
  }

  #push(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    if (this.#isRaw) return;
    this.#decoder.push(chunk);
    for (let frame = this.#decoder.next(); frame; frame = this.#decoder.next()) {
      this.#take(frame);
      // Raw bytes follow.
      if (frame.name === 'dataAccepted') return;
    }
  }

  #take(frame: Frame | null): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting) waiting(frame);
    else this.#frames.push(frame);
  }
}

/** Connects as a connector does. Rejects when the handshake fails. */
export function dialFrames(t: Test, address: HostPort): Promise<FramePeer> {
  return new Promise((resolve, reject) => {
    const tcp = connect({ ...address, allowHalfOpen: true });
    const socket = connectTls({
      socket: tcp,
      ALPNProtocols: [ALPN],
      minVersion: 'TLSv1.3',
      rejectUnauthorized: false,
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => resolve(new FramePeer(t, socket, tcp)));
  });
}

export interface FrameServer {
  readonly address: HostPort;
  /** TCP connections that came. */
  readonly dials: () => number;
}

/** Listens as a relay with this key; `serve` plays its part on each connection. */
export async function serveFrames(
  t: Test,
  { keyPem, certificatePem }: KeyPair,
  serve: (peer: FramePeer) => Promise<void>,
): Promise<FrameServer> {
  const secureContext = createSecureContext({ key: keyPem, cert: certificatePem });
  const sockets = new Set<Socket>();
  let dials = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    dials += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    const secured = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: [ALPN] });
    secured.on('error', () => {});
    secured.once('secure', () => {
      serve(new FramePeer(t, secured, socket)).catch(() => secured.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { address: addressOf(server), dials: () => dials };
}

/** A made password, as a person types it. */
export function secretOf(password: string): Secret {
  const typed = parsePassword(password);
  if (typed.kind !== 'made') throw new Error(`not a made password: ${password}`);
  return { nameplate: typed.nameplate, prs: prsOfMade(typed.secret) };
}

export function cardOf(nameplate: string, more: Partial<ConnectorCard> = {}): ConnectorCard {
  return {
    version: 1,
    nameplate,
    publicKey: new Uint8Array(32),
    software: 'test',
    target: 'localhost:23',
    targetAddress: '127.0.0.1',
    localAddress: '127.0.0.1',
    hostName: 'site.test',
    features: 0,
    ...more,
  };
}

/** The exchange up to the keys: `hello` is sent and the challenge taken. The keys are the password's if the relay has it. */
export async function sayHello(
  peer: FramePeer,
  { nameplate, prs }: Secret,
  more: Partial<ConnectorCard> = {},
): Promise<CpaceKeys> {
  const card = encodeConnectorCard(cardOf(nameplate, more));
  const exchange = startCpace({ role: 'initiator', prs, ci: CPACE_CI, sid: peer.exporter, ad: card });
  peer.send('hello', { share: exchange.share, card });
  const challenge = await peer.expect('challenge');
  return exchange.finish(challenge.share, challenge.card);
}

/** The whole exchange; resolves with the relay's answer and the key for data connections. */
export async function proveWith(
  peer: FramePeer,
  secret: Secret,
  more: Partial<ConnectorCard> = {},
): Promise<{ answer: Frame | null; dataKey: Uint8Array }> {
  const keys = await sayHello(peer, secret, more);
  peer.send('confirm', { tag: Uint8Array.from(keys.ownTag) });
  return { answer: await peer.next(), dataKey: deriveDataKey(keys.isk) };
}

/** The relay's part of the exchange, by hand, with a password that it knows: the connector is let in. */
export async function admit(peer: FramePeer, { prs }: Secret): Promise<{ dataKey: Uint8Array }> {
  const { share, card } = await peer.expect('hello');
  const ad = encodeRelayCard({ version: 1, relayId: '00'.repeat(16), software: 'test' });
  const exchange = startCpace({ role: 'responder', prs, ci: CPACE_CI, sid: peer.exporter, ad });
  const keys = exchange.finish(share, card);
  peer.send('challenge', { share: exchange.share, card: ad });
  await peer.expect('confirm');
  peer.send('accepted', {
    tag: Uint8Array.from(keys.ownTag),
    session: '0000-0000',
    idleMs: 1_800_000,
    lifetimeMs: 28_800_000,
  });
  return { dataKey: deriveDataKey(keys.isk) };
}

/** A connector with an open control connection, played by hand. Rejects when it is not let in. */
export async function enterByHand(
  t: Test,
  address: HostPort,
  password: string,
): Promise<{ control: FramePeer; dataKey: Uint8Array }> {
  const control = await dialFrames(t, address);
  const { answer, dataKey } = await proveWith(control, secretOf(password));
  if (answer?.name !== 'accepted') throw new Error(`not accepted: ${answer?.name ?? 'closed'}`);
  return { control, dataKey };
}

/** By what a standing connector that is played by hand comes back. */
export interface HandKey {
  readonly privateKey: KeyObject;
  readonly publicKey: Uint8Array;
  /** The relay's, as it told when the password was proved. */
  readonly relayKey: Uint8Array;
  readonly connector: string;
}

/** A standing connector that comes in by its password, played by hand. Rejects when it is not let in. */
export async function standByHand(
  t: Test,
  address: HostPort,
  password: string,
  { privateKey, publicKey: spki } = generateKeyPairSync('ed25519'),
): Promise<{ control: FramePeer; key: HandKey }> {
  const publicKey = spki.export({ type: 'spki', format: 'der' }).subarray(-32);
  const control = await dialFrames(t, address);
  const { answer } = await proveWith(control, secretOf(password), { publicKey, features: FEATURE.standing });
  if (answer?.name !== 'accepted') throw new Error(`not accepted: ${answer?.name ?? 'closed'}`);
  const { relayKey, connector } = await control.expect('enrolled');
  return { control, key: { privateKey, publicKey, relayKey, connector } };
}

/** The connector's part of coming back, by hand; resolves with the relay's answer. Rejects when the relay proves nothing. */
export async function resumeWith(
  peer: FramePeer,
  { privateKey, publicKey, relayKey }: HandKey,
): Promise<Frame | null> {
  peer.send('resume', { version: PROTOCOL_VERSION });
  const { card: relayCard, signature } = await peer.expect('relayProof');
  if (!isSignedByRelay(signature, relayKey, peer.exporter, relayCard))
    throw new Error('the relay has not proved its key');
  const card = encodeConnectorCard(cardOf('', { publicKey, features: FEATURE.standing }));
  peer.send('connectorProof', {
    card,
    signature: signAsConnector(privateKey, peer.exporter, card, relayCard),
  });
  return peer.next();
}

/** The relay's part of an admission for good, by hand; it will prove itself by its key. `behind` comes in the same write. */
export async function enroll(
  peer: FramePeer,
  secret: Secret,
  relayPrivateKey: KeyObject,
  behind: Uint8Array = new Uint8Array(0),
): Promise<void> {
  await admit(peer, secret);
  const relayKey = createPublicKey(relayPrivateKey).export({ type: 'spki', format: 'der' });
  const enrolled = encodeFrame('enrolled', { connector: '0000-0000', relayKey, ...termsNow() });
  peer.write(Buffer.concat([enrolled, behind]));
}

/** The relay's part of coming back up to the connector's proof, which must be good: `resumed` or `refused` may follow. */
export async function proveAsRelay(peer: FramePeer, relayPrivateKey: KeyObject): Promise<void> {
  await peer.expect('resume');
  const relayCard = encodeRelayCard({ version: 1, relayId: '00'.repeat(16), software: 'test' });
  peer.send('relayProof', {
    card: relayCard,
    signature: signAsRelay(relayPrivateKey, peer.exporter, relayCard),
  });
  const { card, signature } = await peer.expect('connectorProof');
  const { publicKey } = decodeConnectorCard(card);
  if (!isSignedByConnector(signature, publicKey, peer.exporter, card, relayCard))
    throw new Error('the connector has not proved its key');
}

/** `resumed`, as it is sent. */
export function resumedFrame(): Buffer {
  return encodeFrame('resumed', {
    ...{ connector: '0000-0000', idleMs: 1_800_000, lifetimeMs: 28_800_000 },
    ...termsNow(),
  });
}

function termsNow(): { goodForS: number; spreadS: number; clockS: number } {
  return { goodForS: 3_600, spreadS: 10, clockS: Math.floor(Date.now() / 1_000) };
}
