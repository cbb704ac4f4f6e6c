/**
 * The relay's own TLS key and certificate, made at the first run and kept in the state directory.
 *
 * The certificate is self-signed and nobody is asked to check it: the password exchange binds both sides to the
 * very TLS connection (docs/PROTOCOL.md, section 4). Its public key names the relay: `relayId` is what the
 * connector's log shows, so that a customer can tell one relay from another, and with the private half the relay
 * proves to a standing connector that it is the one that connector was admitted to.
 */
import 'reflect-metadata';
import {
  createHash,
  createPrivateKey,
  randomBytes,
  webcrypto,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { BasicConstraintsExtension, X509CertificateGenerator } from '@peculiar/x509';
import { errorText, OperatorError } from '../base/errors.ts';
import type { StateDirectory } from './state-directory.ts';

export interface Identity {
  readonly keyPem: string;
  readonly certificatePem: string;
  /** What the relay shows to connectors that come back: they know its public half. */
  readonly privateKey: KeyObject;
  /** DER of its SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** For every TLS connection that the relay takes. */
  readonly secureContext: SecureContext;
  /** 32 hex digits: half of the SHA-256 of the certificate's public key. */
  readonly relayId: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const VALIDITY_MS = 10 * 365 * 86_400_000;
/** A certificate that begins before its making survives clocks that are a little off. */
const BACKDATED_MS = 86_400_000;

/** Loads the identity, or makes one at `wallNowMs`. Throws OperatorError when the files do not hold one. */
export async function loadIdentity(state: StateDirectory, wallNowMs: number): Promise<Identity> {
  try {
    const missing = [state.keyFile, state.certificateFile].filter((file) => !existsSync(file));
    if (missing.length === 1) throw new Error(`${basename(missing[0])} is missing`);
    if (missing.length === 2) await makeIdentity(state, wallNowMs);
    const keyPem = readFileSync(state.keyFile, 'utf8');
    const certificatePem = readFileSync(state.certificateFile, 'utf8');
    const certificate = new X509Certificate(certificatePem);
    // Node makes a secure context of an empty key without a word, and no handshake succeeds with it.
    const privateKey = createPrivateKey(keyPem);
    if (!certificate.checkPrivateKey(privateKey)) throw new Error('they do not belong together');
    const publicKey = certificate.publicKey.export({ type: 'spki', format: 'der' });
    const relayId = createHash('sha256').update(publicKey).digest('hex').slice(0, 32);
    const secureContext = createSecureContext({ key: keyPem, cert: certificatePem, minVersion: 'TLSv1.2' });
    return { keyPem, certificatePem, privateKey, publicKey, secureContext, relayId };
  } catch (error) {
    throw new OperatorError(
      `the relay's key or certificate in ${state.path} cannot be made or read (${errorText(error)}); ` +
        'restore both files, or remove both to have new ones made',
    );
  }
}

async function makeIdentity(state: StateDirectory, wallNowMs: number): Promise<void> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=secure-telnet relay',
    serialNumber: `01${randomBytes(15).toString('hex')}`,
    notBefore: new Date(wallNowMs - BACKDATED_MS),
    notAfter: new Date(wallNowMs + VALIDITY_MS),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [new BasicConstraintsExtension(false, undefined, true)],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const keyPem = `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/.{64}/g, '$&\n').trim()}\n-----END PRIVATE KEY-----\n`;
  const options = { mode: 0o600, flush: true };
  writeFileSync(state.keyFile, keyPem, options);
  writeFileSync(state.certificateFile, `${certificate.toString('pem')}\n`, options);
}
