/**
 * Dialling out: to the daemon (plain TCP) and to the relay (TLS 1.3, ALPN secure-telnet/1).
 *
 * The relay's certificate is not checked here: the password exchange is bound to this very TLS connection by its
 * exporter, so whoever sits between fails there (docs/PROTOCOL.md, section 4).
 */
import { createHash } from 'node:crypto';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { HostPort } from '../base/address.ts';
import { hostPortText, plainAddress } from '../base/address.ts';
import type { Cancel, Clock } from '../base/clock.ts';
import { errorCode, errorText } from '../base/errors.ts';
import { SocketLeg } from '../stream/socket-leg.ts';
import type { UrgentData } from '../stream/socket-calls.ts';
import { visibleText } from '../base/text.ts';
import { EXPORTER_BYTES, EXPORTER_LABEL } from '../wire/data-auth.ts';
import { ALPN } from '../wire/frames.ts';
import { RESUMPTION_LABEL } from '../wire/key-auth.ts';
import { Ended } from './ending.ts';

/** To connect, and again for the TLS handshake. */
const DIAL_DEADLINE_MS = 10_000;
/** For each but the last of a name's addresses: slow lines need more than Node's quarter of a second. */
const ADDRESS_ATTEMPT_MS = 3_000;

export interface Secured {
  readonly leg: SocketLeg;
  readonly exporter: Uint8Array;
  /** What K_data is made of when a key was proved on this connection and no password. */
  resumptionSecret(): Uint8Array;
  readonly localAddress: string;
  /** The address and port that were reached, for further connections to the same relay. */
  readonly reached: HostPort;
}

/** What OpenSSL makes of a peer that answers in plain text. */
const NOT_TLS = /^(EPROTO|ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL))$/;

/** The relay answered in plain text before our TLS reached it: it took the silence of a slow line for telnet. */
class AnsweredInPlainText extends Error {}

/** What every dial needs. `stop` gives up what is under way, and everything that begins later. */
export interface DialSurroundings {
  readonly clock: Clock;
  readonly stop: AbortSignal;
  /** A step, for `-verbose`: with which address, how long. */
  detail(text: string): void;
}

export interface RelayDialSurroundings extends DialSurroundings {
  readonly hostsFile: string;
}

/**
 * Connects by TCP. Rejects with the system's error, or one of code ETIMEDOUT, EAI_AGAIN (a name server that does not
 * answer) or ECANCELED.
 */
export function dialTcp(
  { host, port }: HostPort,
  surroundings: DialSurroundings,
  urgent: UrgentData | null,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({
      ...{ host, port, allowHalfOpen: true, noDelay: true },
      autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS,
    });
    let slow = isIP(host) === 0 ? 'EAI_AGAIN' : 'ETIMEDOUT';
    const took = stopwatch(surroundings.clock);
    socket.on('lookup', (_error, address) => {
      slow = 'ETIMEDOUT';
      if (address && isIP(host) === 0) surroundings.detail(`${host} has the address ${address} (${took()}).`);
    });
    socket.on('connectionAttemptFailed', (address, attempted, _family, error) =>
      surroundings.detail(
        `No TCP connection to ${hostPortText({ host: address, port: attempted })}: ` +
          `${errorCode(error) || errorText(error)} (${took()}).`,
      ),
    );
    const cancel = limit(socket, surroundings, () => slow);
    socket.once('error', (error) => {
      cancel();
      reject(error);
    });
    socket.once('connect', () => {
      cancel();
      urgent?.keep(socket);
      socket.pause();
      for (const event of ['error', 'lookup', 'connectionAttemptFailed']) socket.removeAllListeners(event);
      surroundings.detail(`TCP connection ${endsOf(socket)} stands (${took()}).`);
      resolve(socket);
    });
  });
}

/** Connects to the relay, once more when it answered in plain text. Rejects with Ended naming cause and fix. */
export async function dialRelay(address: HostPort, surroundings: RelayDialSurroundings): Promise<Secured> {
  for (let tries = 1; ; tries += 1) {
    try {
      surroundings.detail(`Dialling the relay ${hostPortText(address)}.`);
      return await dialOnce(address, surroundings);
    } catch (error) {
      if (!(error instanceof AnsweredInPlainText)) throw error;
      if (tries === 2) throw notARelay(address, 'it answers in plain text');
      surroundings.detail('The relay answered in plain text; dialling once more.');
    }
  }
}

async function dialOnce(address: HostPort, surroundings: RelayDialSurroundings): Promise<Secured> {
  const socket = await dialTcp(address, surroundings, null).catch((error: unknown) => {
    throw relayUnreachable(address, error, surroundings.hostsFile);
  });
  const took = stopwatch(surroundings.clock);
  const { secured, leg } = await secure(socket, address.host, surroundings);
  // What came with the end of the handshake may have broken the connection already.
  if (secured.destroyed) throw notARelay(address, 'it broke off the connection');
  surroundings.detail(`TLS stands: ${tlsText(secured)} (${took()}).`);
  if (secured.getProtocol() !== 'TLSv1.3' || secured.alpnProtocol !== ALPN) {
    secured.destroy();
    throw notARelay(address, 'it does not speak secure-telnet/1');
  }
  const exported = (label: string): Buffer =>
    secured.exportKeyingMaterial(EXPORTER_BYTES, label, Buffer.alloc(0));
  return {
    leg,
    exporter: exported(EXPORTER_LABEL),
    resumptionSecret: () => exported(RESUMPTION_LABEL),
    localAddress: plainAddress(secured.localAddress ?? ''),
    // As the system has it: a link-local address means nothing without its zone.
    reached: { host: secured.remoteAddress ?? address.host, port: address.port },
  };
}

/** The leg is made at once, so that a failure in the same turn of the loop finds a listener. */
function secure(
  socket: Socket,
  host: string,
  surroundings: DialSurroundings,
): Promise<{ secured: TLSSocket; leg: SocketLeg }> {
  const address = { host, port: socket.remotePort ?? 0 };
  return new Promise((resolve, reject) => {
    const secured = connectTls({
      socket,
      ALPNProtocols: [ALPN],
      minVersion: 'TLSv1.3',
      rejectUnauthorized: false,
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    const cancel = limit(secured, surroundings, () => 'ETIMEDOUT');
    secured.once('error', (error) => {
      cancel();
      reject(
        NOT_TLS.test(errorCode(error)) ? new AnsweredInPlainText() : notARelay(address, reasonOf(error)),
      );
    });
    secured.once('secureConnect', () => {
      cancel();
      secured.pause();
      secured.removeAllListeners('error');
      resolve({ secured, leg: new SocketLeg(secured) });
    });
  });
}

/** Protocol, cipher, and which certificate: the number is that of the relay, as the log shows it everywhere. */
function tlsText(secured: TLSSocket): string {
  const certificate = secured.getPeerX509Certificate();
  const cipher = `${secured.getProtocol()}, ${secured.getCipher().name}`;
  if (!certificate) return `${cipher}, no certificate`;
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  const relayId = createHash('sha256').update(spki).digest('hex').slice(0, 32);
  const subject = visibleText(certificate.subject ?? '', { maxLength: 100 });
  return `${cipher}, certificate ${subject} of key ${relayId}, valid until ${certificate.validTo}`;
}

function endsOf(socket: Socket): string {
  const local = hostPortText({ host: plainAddress(socket.localAddress ?? ''), port: socket.localPort ?? 0 });
  const remote = hostPortText({
    host: plainAddress(socket.remoteAddress ?? ''),
    port: socket.remotePort ?? 0,
  });
  return `from ${local} to ${remote}`;
}

function stopwatch(clock: Clock): () => string {
  const startMs = clock.now();
  return () => `${Math.round(clock.now() - startMs)} ms`;
}

/** OpenSSL's own word for it, where the whole text is a dump of its error queue. */
function reasonOf(error: Error & { reason?: string }): string {
  return error.reason || errorText(error);
}

function notARelay(address: HostPort, why: string): Ended {
  return new Ended(
    'notARelay',
    `${hostPortText(address)} is reached but is no relay (${why}); check -host and -port with the engineer.`,
  );
}

function relayUnreachable(address: HostPort, error: unknown, hostsFile: string): Ended {
  const code = errorCode(error);
  if (code === 'ENOTFOUND' || code.startsWith('EAI_')) {
    return new Ended(
      'relayNotFound',
      `DNS does not find ${address.host}; check -host, or add a line with its IP address and name to ${hostsFile}.`,
    );
  }
  return new Ended(
    'relayUnreachable',
    `The relay ${hostPortText(address)} cannot be reached (${code || errorText(error)}); check -host and -port, ` +
      'or try -port 80 when a firewall blocks this port.',
  );
}

/**
 * Gives the socket up at its deadline, with an error of the code it has then, or at `stop`; returns what lifts both.
 */
function limit(socket: Socket, { clock, stop }: DialSurroundings, slow: () => string): Cancel {
  const giveUp = (): void => void socket.destroy(failure('ECANCELED', 'given up'));
  const cancel = clock.after(DIAL_DEADLINE_MS, () => socket.destroy(failure(slow(), 'no answer in time')));
  stop.addEventListener('abort', giveUp);
  if (stop.aborted) giveUp();
  return () => {
    cancel();
    stop.removeEventListener('abort', giveUp);
  };
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
