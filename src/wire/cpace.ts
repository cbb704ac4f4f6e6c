/**
 * CPace, the password-authenticated key exchange of the control connection: CPACE-RISTR255-SHA512 of
 * draft-irtf-cfrg-cpace-21, initiator-responder, with explicit key confirmation (section 10.4).
 *
 *   initiator (connector)   Ya, ADa ->      <- Yb, ADb      Ta ->      <- Tb      responder (relay)
 *
 * Whoever runs it without the password learns from one exchange whether one guess was right, nothing more. Invariants:
 * a scalar serves one `finish`; a share that is no point, the identity or our own share ends the exchange. Not
 * constant time: the curve and the map to it are BigInt arithmetic of @noble/curves. What that can leak is bounded
 * by use: a password lives minutes, takes part in a handful of runs, and each sid gives another generator.
 */
import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js';
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { WireError } from './wire-error.ts';

/** Channel identifier (CI): the protocol and its two roles, initiator first (section 10.1.1). */
export const CPACE_CI: Uint8Array = new TextEncoder().encode('secure-telnet/1|connector|relay');
export const CPACE_SHARE_BYTES = 32;
/** The session key (ISK) and both confirmation tags. */
export const CPACE_KEY_BYTES = 64;

export interface CpaceOptions {
  readonly role: 'initiator' | 'responder';
  /** Password-related string; stays the caller's to wipe. */
  readonly prs: Uint8Array;
  readonly ci: Uint8Array;
  /** Session identifier, the same and unique on both sides: the exporter of the TLS connection. */
  readonly sid: Uint8Array;
  /** Our associated data (ADa or ADb), sent beside the share. */
  readonly ad: Uint8Array;
  /** `randomBytes` unless a test fixes the scalar; what it returns is masked and wiped here. */
  readonly random?: (length: number) => Uint8Array;
}

export interface CpaceExchange {
  /** Ya or Yb, 32 bytes to send with our associated data. */
  readonly share: Uint8Array;
  /**
   * The keys that follow from what the peer sent. Once only, whether it succeeds or not. Throws CpaceError when the
   * peer's share must be refused, Error when the exchange is over.
   */
  finish(peerShare: Uint8Array, peerAd: Uint8Array): CpaceKeys;
  /** Wipes the scalar; `finish` does so itself. */
  destroy(): void;
}

export interface CpaceKeys {
  /** Intermediate session key, 64 bytes: proves nothing until the peer's tag is verified. */
  readonly isk: Uint8Array;
  /** Our confirmation, to send. The responder sends it only after it verified the initiator's. */
  readonly ownTag: Uint8Array;
  /** What the peer's confirmation must be: compare with `tagsEqual`. */
  readonly peerTag: Uint8Array;
  /** Wipes all three. */
  destroy(): void;
}

/** The peer sent a share that section 7.2 says to abort on, or our own one back. */
export class CpaceError extends WireError {
  constructor(message: string) {
    super('bad-share', message);
    this.name = 'CpaceError';
  }
}

const DSI = ascii('CPaceRistretto255');
const ISK_LABEL = ascii('CPaceRistretto255_ISK');
const MAC_LABEL = ascii('CPaceMac');
/** Input block of SHA-512 (`s_in_bytes`). */
const HASH_BLOCK_BYTES = 128;
/** `group_size_bits` is 252: the four bits above are cleared. */
const SCALAR_TOP_BYTE_MASK = 0x0f;
/** G.I, the encoding of the neutral element. */
const IDENTITY = new Uint8Array(CPACE_SHARE_BYTES);

/** Our half of one exchange. Throws RangeError when the random source yields a zero scalar: it is broken. */
export function startCpace(options: CpaceOptions): CpaceExchange {
  const { role, prs, ci } = options;
  const sid = Uint8Array.from(options.sid);
  const ad = Uint8Array.from(options.ad);
  const scalar = sampleScalar(options.random ?? randomBytes);
  const generator = calculateGenerator(prs, ci, sid);
  const share = scalarMult(scalar, generator);
  let isOver = false;

  const destroy = (): void => {
    isOver = true;
    scalar.fill(0);
  };
  const finish = (peerShare: Uint8Array, peerAd: Uint8Array): CpaceKeys => {
    if (isOver) throw new Error('a CPace exchange is finished once');
    try {
      const k = agreedPoint(scalar, share, peerShare);
      const own = lvCat(share, ad);
      const peer = lvCat(peerShare, peerAd);
      const isk = intermediateKey(sid, k, role === 'initiator' ? [own, peer] : [peer, own]);
      k.fill(0);
      return confirmedKeys(isk, sid, own, peer);
    } finally {
      destroy();
    }
  };
  return { share, finish, destroy };
}

/** Constant-time comparison of two tags; false when their lengths differ. */
export function tagsEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** K. Throws CpaceError where it would be the identity, and on our own share. */
function agreedPoint(scalar: Uint8Array, share: Uint8Array, peerShare: Uint8Array): Uint8Array {
  // A reflected exchange would need no password: K, both messages and hence both tags would be our own. Roles do
  // not help, since the tags of section 10.4 do not name them. Encodings are canonical, so equal points are equal
  // bytes.
  if (tagsEqual(share, peerShare)) throw new CpaceError('the peer sent our own share back');
  const k = scalarMultVerified(scalar, peerShare);
  if (tagsEqual(k, IDENTITY)) throw new CpaceError('the share is no valid group element');
  return k;
}

function confirmedKeys(isk: Uint8Array, sid: Uint8Array, own: Uint8Array, peer: Uint8Array): CpaceKeys {
  const macKey = sha512(MAC_LABEL, sid, isk);
  const ownTag = createHmac('sha512', macKey).update(own).digest();
  const peerTag = createHmac('sha512', macKey).update(peer).digest();
  macKey.fill(0);
  const destroy = (): void => {
    for (const secret of [isk, ownTag, peerTag]) secret.fill(0);
  };
  return { isk, ownTag, peerTag, destroy };
}

/** ISK (section 7.2) of K and the two messages `lv_cat(Y, AD)`, in the order of the transcript. */
export function intermediateKey(
  sid: Uint8Array,
  k: Uint8Array,
  transcript: readonly Uint8Array[],
): Uint8Array {
  const keyed = lvCat(ISK_LABEL, sid, k);
  const isk = sha512(keyed, ...transcript);
  keyed.fill(0);
  return isk;
}

/** `calculate_generator` (section 8.3), as an encoded point. */
export function calculateGenerator(prs: Uint8Array, ci: Uint8Array, sid: Uint8Array): Uint8Array {
  const text = generatorString(prs, ci, sid);
  const hash = sha512(text);
  // Element derivation of RFC 9496, section 4.3.4; `hashToCurve` is another construction.
  const generator = ristretto255_hasher.deriveToCurve!(hash).toBytes();
  text.fill(0);
  hash.fill(0);
  return generator;
}

/** `generator_string` (section 8.1): DSI and PRS fill the first hash block, whatever the length of a short PRS. */
export function generatorString(prs: Uint8Array, ci: Uint8Array, sid: Uint8Array): Uint8Array {
  const start = lvCat(DSI, prs);
  const padding = new Uint8Array(Math.max(0, HASH_BLOCK_BYTES - 1 - start.length));
  const text = Buffer.concat([start, lvCat(padding, ci, sid)]);
  start.fill(0);
  return text;
}

/** `sample_scalar` as recommended in section 8.3: 252 random bits, little endian. */
function sampleScalar(random: (length: number) => Uint8Array): Uint8Array {
  const scalar = random(CPACE_SHARE_BYTES);
  scalar[CPACE_SHARE_BYTES - 1] &= SCALAR_TOP_BYTE_MASK;
  return scalar;
}

/** `scalar_mult` of a scalar (32 bytes, little endian, 1 to the group order - 1) and an encoded point that we trust. */
export function scalarMult(scalar: Uint8Array, point: Uint8Array): Uint8Array {
  return ristretto255.Point.fromBytes(point).multiply(integerOf(scalar)).toBytes();
}

/** `scalar_mult_vfy` (section 8.3): G.I, 32 zero bytes, when `point` does not decode or is the identity. */
export function scalarMultVerified(scalar: Uint8Array, point: Uint8Array): Uint8Array {
  const decoded = decodePoint(point);
  // A group of prime order: no other point times a scalar below that order is the identity.
  if (decoded === undefined || decoded.is0()) return Uint8Array.from(IDENTITY);
  return decoded.multiply(integerOf(scalar)).toBytes();
}

function decodePoint(bytes: Uint8Array): ReturnType<typeof ristretto255.Point.fromBytes> | undefined {
  try {
    return ristretto255.Point.fromBytes(bytes);
  } catch {
    return undefined;
  }
}

function integerOf(scalar: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(scalar).reverse().toString('hex')}`);
}

/** `lv_cat`: each part with its length before it, so that no two lists of parts give the same bytes. */
export function lvCat(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts.flatMap((part) => [leb128(part.length), part]));
}

function leb128(length: number): Uint8Array {
  const bytes: number[] = [];
  let rest = length;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
