/**
 * The front of every listening port: takes a connection, finds out what it speaks, and passes it on.
 *
 *   accept -> first bytes -> TLS (ALPN secure-telnet/1) -> connector door
 *                         -> TLS (no ALPN)              -> first bytes again, decrypted
 *                         -> HTTP                       -> a short refusal
 *                         -> telnet, or silence         -> greeting and dialogue
 *
 * One absolute deadline from accept to authenticated covers all of it and no byte extends it: 20 s once TLS was
 * seen, 60 s for a person, 10 s of silence for callers that are not greeted. Plain telnet is taken only from the
 * networks it is allowed from.
 */
import type { Socket } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { NetworkList } from '../base/address.ts';
import type { Log } from '../base/log.ts';
import { closeGracefully, type LegSink } from '../stream/leg.ts';
import { SocketLeg } from '../stream/socket-leg.ts';
import type { PeerSilence, UrgentData } from '../stream/socket-calls.ts';
import { EXPORTER_BYTES, EXPORTER_LABEL } from '../wire/data-auth.ts';
import { ALPN } from '../wire/frames.ts';
import { RESUMPTION_LABEL } from '../wire/key-auth.ts';
import { ConnectorDoor, type DataHost } from './connector-door.ts';
import type { ConnectorHost } from './connector-link.ts';
import type { ConnectionTimer, ConnectionTimers } from './connection-timers.ts';
import { EngineerLine } from './engineer-line.ts';
import { classify, type Speech } from './first-bytes.ts';
import { FIRST_BYTE_DEADLINE_MS, LINGER_MS, MACHINE_DEADLINE_MS, PERSON_DEADLINE_MS } from './limits.ts';

export interface FrontHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly timers: ConnectionTimers;
  readonly urgent: UrgentData;
  readonly silence: PeerSilence;
  readonly secureContext: SecureContext;
  readonly telnetFrom: NetworkList;
  readonly greetAfterMs: number;
  readonly connectors: ConnectorHost & DataHost;
  /** Holds the conversation with an engineer. */
  converse(line: EngineerLine): void;
}

const HTTP_REFUSAL =
  'HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n' +
  'This port serves telnet and secure-telnet connectors.\r\n';
const TELNET_REFUSAL = 'Plain telnet is not taken from your address. Use telnet over TLS.\r\n';

/** Takes one accepted socket. Nothing it sends or fails to send affects any other connection. */
export function receive(socket: Socket, host: FrontHost): void {
  host.urgent.keep(socket);
  const timer = host.timers.open(socket);
  if (!timer) {
    host.log.warn('connection-refused', {
      from: socket.remoteAddress ?? '',
      why: 'every connection row is in use',
    });
    socket.on('error', () => {});
    socket.destroy();
    return;
  }
  const leg = new SocketLeg(socket, host.silence);
  const mayGreet = host.telnetFrom.contains(leg.remoteAddress);
  new FirstBytes(leg, timer, host, mayGreet).start();
}

/** Collects first bytes until it is clear what is spoken. */
class FirstBytes implements LegSink {
  readonly #leg: SocketLeg;
  readonly #timer: ConnectionTimer;
  readonly #host: FrontHost;
  readonly #mayGreet: boolean;
  #held: Buffer = Buffer.alloc(0);

  constructor(leg: SocketLeg, timer: ConnectionTimer, host: FrontHost, mayGreet: boolean) {
    this.#leg = leg;
    this.#timer = timer;
    this.#host = host;
    this.#mayGreet = mayGreet;
  }

  start(): void {
    this.#leg.sink = this;
    if (this.#mayGreet) this.#timer.armIn(this.#host.greetAfterMs, () => this.#telnet());
    else this.#timer.armAtAge(FIRST_BYTE_DEADLINE_MS, () => this.#leg.destroy());
  }

  data(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#speaks(classify(this.#held));
  }

  drained(): void {}

  ended(): void {
    this.#leg.destroy();
  }

  closed(): void {
    this.#timer.close();
  }

  #speaks(speech: Speech): void {
    switch (speech) {
      case 'tls':
        return this.#leg.transport === 'tls' ? this.#leg.destroy() : this.#tls();
      case 'http':
        return this.#refuse(HTTP_REFUSAL);
      case 'telnet':
        return this.#telnet();
      case 'undecided':
        return;
    }
  }

  #tls(): void {
    this.#timer.armAtAge(MACHINE_DEADLINE_MS, () => this.#leg.destroy());
    const socket = this.#leg.release();
    socket.unshift(this.#held);
    startTls(socket, this.#timer, this.#host);
  }

  #telnet(): void {
    const isAllowed = this.#mayGreet || this.#leg.transport === 'tls';
    if (!isAllowed) return this.#refuse(TELNET_REFUSAL);
    const line = new EngineerLine(this.#leg, this.#timer, this.#host.clock, this.#held.length === 0);
    this.#timer.armAtAge(PERSON_DEADLINE_MS, () => line.timeOut());
    this.#host.converse(line);
    if (this.#held.length > 0) line.data(this.#held);
  }

  #refuse(text: string): void {
    this.#timer.close();
    this.#leg.write(Buffer.from(text));
    closeGracefully(this.#leg, this.#host.clock, LINGER_MS);
  }
}

function startTls(socket: Socket, timer: ConnectionTimer, host: FrontHost): void {
  const secured = new TLSSocket(socket, {
    isServer: true,
    secureContext: host.secureContext,
    ALPNProtocols: [ALPN],
  });
  const closeTimer = (): void => timer.close();
  const fail = (error: Error): void => host.log.debug('tls-failed', { error: error.message });
  const giveUp = (): void => void secured.destroy();
  timer.armAtAge(MACHINE_DEADLINE_MS, giveUp);
  secured.on('error', fail);
  secured.on('close', closeTimer);
  secured.on('end', giveUp);
  // Nothing can be read yet, but only a stream that is read reports that its peer has left.
  secured.resume();
  secured.once('secure', () => {
    const isConnector = secured.alpnProtocol === ALPN;
    if (isConnector && secured.getProtocol() !== 'TLSv1.3') return giveUp();
    secured.off('close', closeTimer);
    secured.off('end', giveUp);
    const leg = new SocketLeg(secured, host.silence);
    secured.off('error', fail);
    if (!isConnector) return new FirstBytes(leg, timer, host, true).start();
    timer.armAtAge(MACHINE_DEADLINE_MS, () => leg.destroy());
    const exported = (label: string): Buffer =>
      secured.exportKeyingMaterial(EXPORTER_BYTES, label, Buffer.alloc(0));
    new ConnectorDoor(host.connectors, leg, timer, {
      exporter: exported(EXPORTER_LABEL),
      resumptionSecret: () => exported(RESUMPTION_LABEL),
    });
  });
}
