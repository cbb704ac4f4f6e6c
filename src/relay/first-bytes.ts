/**
 * What a caller speaks, from its first bytes. Pure; the same on every port and inside TLS.
 *
 * TLS and HTTP clients speak first, telnet clients mostly wait to be greeted: so `undecided` bytes are waited for
 * (under the caller's deadline), and any byte that can begin neither is telnet at once.
 */
import { METHOD_BYTES_MAX } from './limits.ts';

export type Speech = 'tls' | 'http' | 'telnet' | 'undecided';

/** TLS record: type handshake (22), then major version 3 (RFC 8446 section 5.1). */
const TLS_HANDSHAKE = 0x16;
const TLS_MAJOR_VERSION = 0x03;
/** RFC 9110 section 9 and RFC 5789. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

export function classify(bytes: Uint8Array): Speech {
  if (bytes.length === 0) return 'undecided';
  if (bytes[0] === TLS_HANDSHAKE) {
    if (bytes.length === 1) return 'undecided';
    return bytes[1] === TLS_MAJOR_VERSION ? 'tls' : 'telnet';
  }
  const start = Buffer.from(bytes.subarray(0, METHOD_BYTES_MAX)).toString('latin1');
  if (METHODS.some((method) => start.startsWith(`${method} `))) return 'http';
  return METHODS.some((method) => `${method} `.startsWith(start)) ? 'undecided' : 'telnet';
}
