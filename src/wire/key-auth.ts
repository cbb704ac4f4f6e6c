/**
 * How a standing connector comes back without a password: both ends sign the TLS connection that they are on.
 *
 *   connector                                relay
 *     resume ->            <- relayProof            the relay first: the connector tells a stranger nothing
 *     connectorProof ->    <- resumed
 *
 * What is signed holds the exporter of this very connection, so a proof is worth nothing on another one, and whoever
 * sits between has two connections with two exporters. The relay signs with the key it showed when the password was
 * proved (`enrolled`), the connector with the Ed25519 key that the password exchange bound (its card is ADa). Nothing
 * secret is kept by either side: K_data follows from the connection itself.
 */
import { createPublicKey, hkdfSync, sign, verify, type KeyObject } from 'node:crypto';
import { checkBytes } from '../base/check.ts';
import { lvCat } from './cpace.ts';
import { DATA_KEY_BYTES, EXPORTER_BYTES } from './data-auth.ts';

/** Exporter label of the secret that K_data of a resumed connection is made of; the binding has its own. */
export const RESUMPTION_LABEL = 'EXPORTER-secure-telnet-resumption';
/** Raw Ed25519 public key, as in a connector's card. */
export const CONNECTOR_KEY_BYTES = 32;

/** DER of an Ed25519 SubjectPublicKeyInfo up to the key itself (RFC 8410, section 4). */
const ED25519_SPKI_START = Buffer.from('302a300506032b6570032100', 'hex');
const RELAY_LABEL = utf8('secure-telnet/1 resume relay');
const CONNECTOR_LABEL = utf8('secure-telnet/1 resume connector');
const DATA_INFO = 'secure-telnet/1 data resumed';

/** The relay's signature (ECDSA P-256 with SHA-256, DER) over its connection and card. */
export function signAsRelay(privateKey: KeyObject, exporter: Uint8Array, relayCard: Uint8Array): Uint8Array {
  return sign('sha256', relayText(exporter, relayCard), privateKey);
}

/** Whether the owner of `relayKey` (DER of a SubjectPublicKeyInfo, as in `enrolled`) signed this connection. */
export function isSignedByRelay(
  signature: Uint8Array,
  relayKey: Uint8Array,
  exporter: Uint8Array,
  relayCard: Uint8Array,
): boolean {
  return isSigned(() => {
    const key = createPublicKey({ key: Buffer.from(relayKey), format: 'der', type: 'spki' });
    return verify('sha256', relayText(exporter, relayCard), key, signature);
  });
}

/** The connector's signature (Ed25519) over its connection and both cards. */
export function signAsConnector(
  privateKey: KeyObject,
  exporter: Uint8Array,
  connectorCard: Uint8Array,
  relayCard: Uint8Array,
): Uint8Array {
  return sign(null, connectorText(exporter, connectorCard, relayCard), privateKey);
}

/** Whether the owner of the raw Ed25519 key signed this connection. */
export function isSignedByConnector(
  signature: Uint8Array,
  publicKey: Uint8Array,
  exporter: Uint8Array,
  connectorCard: Uint8Array,
  relayCard: Uint8Array,
): boolean {
  checkBytes('connector key', publicKey, CONNECTOR_KEY_BYTES);
  return isSigned(() => {
    const der = Buffer.concat([ED25519_SPKI_START, publicKey]);
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return verify(null, connectorText(exporter, connectorCard, relayCard), key, signature);
  });
}

/** K_data of a resumed connection, from its exporter under RESUMPTION_LABEL; the caller wipes both. */
export function resumedDataKey(resumptionSecret: Uint8Array): Uint8Array {
  checkBytes('resumption secret', resumptionSecret, EXPORTER_BYTES);
  return new Uint8Array(hkdfSync('sha256', resumptionSecret, new Uint8Array(0), DATA_INFO, DATA_KEY_BYTES));
}

function relayText(exporter: Uint8Array, relayCard: Uint8Array): Uint8Array {
  checkBytes('exporter', exporter, EXPORTER_BYTES);
  return lvCat(RELAY_LABEL, exporter, relayCard);
}

function connectorText(exporter: Uint8Array, connectorCard: Uint8Array, relayCard: Uint8Array): Uint8Array {
  checkBytes('exporter', exporter, EXPORTER_BYTES);
  return lvCat(CONNECTOR_LABEL, exporter, connectorCard, relayCard);
}

/** A key or a signature that cannot be read is a wrong one. */
function isSigned(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
