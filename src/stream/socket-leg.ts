/**
 * A `node:net` or `node:tls` socket as a `Leg`.
 *
 * One set of listeners serves every socket: they find the leg through a symbol on the socket, so a connection
 * costs no closures. Sockets must be made with `allowHalfOpen`; an end of the peer is reported, never answered
 * here. Nagle's algorithm is off, because a keystroke must not wait for the one before it.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { plainAddress } from '../base/address.ts';
import { discardingSink, type Leg, type LegSink } from './leg.ts';
import { noSilence, type PeerSilence } from './socket-calls.ts';

const OWNER = Symbol('leg');
type OwnedSocket = Socket & { [OWNER]?: SocketLeg };

/** Probes of a silent peer begin after this long (RFC 9293 section 3.8.4 leaves it to the application). */
const KEEPALIVE_DELAY_MS = 30_000;
/**
 * Bytes for a silent peer, and probes of one that does not read, are repeated this often at least. The system's own
 * two minutes are too long to find out soon that a peer has vanished which had not been reading for a while.
 */
const RETRY_INTERVAL_MAX_MS = 10_000;

export class SocketLeg implements Leg {
  readonly transport: 'tcp' | 'tls';
  readonly remoteAddress: string;
  readonly localPort: number;
  sink: LegSink = discardingSink;
  isClosed = false;
  hasEnded = false;
  #error: Error | null = null;
  readonly #socket: OwnedSocket;
  readonly #silence: PeerSilence;

  constructor(socket: Socket, silence: PeerSilence = noSilence) {
    this.#socket = socket;
    this.#silence = silence;
    this.transport = socket instanceof TLSSocket ? 'tls' : 'tcp';
    this.remoteAddress = plainAddress(socket.remoteAddress ?? '');
    this.localPort = socket.localPort ?? 0;
    this.#socket[OWNER] = this;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_DELAY_MS);
    silence.askEvery(socket, RETRY_INTERVAL_MAX_MS);
    socket.on('data', onData);
    socket.on('drain', onDrain);
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#socket.writable) return true;
    return this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (this.#socket.writable) this.#socket.end();
  }

  destroy(error?: Error): void {
    this.#socket.destroy(error);
  }

  unansweredTries(silentMs: number): number {
    return this.#silence.unansweredTries(this.#socket, silentMs);
  }

  /**
   * Gives the socket back, for an owner that reads it in its own way (a TLS server). Reading is paused; no event
   * reaches this leg any more, except that errors stay handled until the new owner listens.
   */
  release(): Socket {
    const socket = this.#socket;
    socket.pause();
    delete socket[OWNER];
    socket.off('data', onData);
    socket.off('drain', onDrain);
    socket.off('end', onEnd);
    socket.off('close', onClose);
    return socket;
  }

  ended(): void {
    this.hasEnded = true;
    this.sink.ended();
  }

  /** Node leaves a TLS socket standing after a record that is none; for us no stream goes on after an error. */
  failed(error: Error): void {
    this.#error ??= error;
    this.#socket.destroy();
  }

  closed(): void {
    this.isClosed = true;
    this.sink.closed(this.#error);
  }
}

function onData(this: OwnedSocket, chunk: Buffer): void {
  this[OWNER]?.sink.data(chunk);
}

function onDrain(this: OwnedSocket): void {
  this[OWNER]?.sink.drained();
}

function onEnd(this: OwnedSocket): void {
  this[OWNER]?.ended();
}

function onError(this: OwnedSocket, error: Error): void {
  this[OWNER]?.failed(error);
}

function onClose(this: OwnedSocket): void {
  this[OWNER]?.closed();
}
