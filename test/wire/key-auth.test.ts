/** Proofs by which a standing connector and its relay know each other again: bound to key, connection and cards. */
import { generateKeyPairSync, hkdfSync } from 'node:crypto';
import t from 'tap';
import {
  isSignedByConnector,
  isSignedByRelay,
  resumedDataKey,
  signAsConnector,
  signAsRelay,
} from '../../src/wire/key-auth.ts';
import { seededRandom } from './seeded.ts';

const EXPORTER = Buffer.alloc(32, 3);
const RELAY_CARD = Buffer.from('relay card');
const CONNECTOR_CARD = Buffer.from('connector card');

function relayKeys() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKey,
    spki: publicKey.export({ type: 'spki', format: 'der' }),
  };
}

function connectorKeys() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { privateKey, raw: publicKey.export({ type: 'spki', format: 'der' }).subarray(-32) };
}

t.test('a relay is known by its key, on this connection only, with this card only', (t) => {
  const { privateKey: relayKey, spki } = relayKeys();
  const signature = signAsRelay(relayKey, EXPORTER, RELAY_CARD);
  t.ok(signature.length <= 128, 'it fits its frame');
  t.ok(isSignedByRelay(signature, spki, EXPORTER, RELAY_CARD));
  t.notOk(isSignedByRelay(signature, relayKeys().spki, EXPORTER, RELAY_CARD), 'another relay');
  t.notOk(isSignedByRelay(signature, spki, Buffer.alloc(32, 4), RELAY_CARD), 'another connection');
  t.notOk(isSignedByRelay(signature, spki, EXPORTER, Buffer.from('other')), 'another card');
  t.end();
});

t.test('a connector is known by its key, on this connection only, with these cards only', (t) => {
  const { privateKey, raw } = connectorKeys();
  const signature = signAsConnector(privateKey, EXPORTER, CONNECTOR_CARD, RELAY_CARD);
  const check = (key: Uint8Array, exporter: Uint8Array, card: Uint8Array, relayCard: Uint8Array) =>
    isSignedByConnector(signature, key, exporter, card, relayCard);
  t.equal(signature.length, 64);
  t.ok(check(raw, EXPORTER, CONNECTOR_CARD, RELAY_CARD));
  t.notOk(check(connectorKeys().raw, EXPORTER, CONNECTOR_CARD, RELAY_CARD), 'another connector');
  t.notOk(check(raw, Buffer.alloc(32, 4), CONNECTOR_CARD, RELAY_CARD), 'another connection');
  t.notOk(check(raw, EXPORTER, Buffer.from('other'), RELAY_CARD), 'another card of the connector');
  t.notOk(check(raw, EXPORTER, CONNECTOR_CARD, Buffer.from('other')), 'another card of the relay');
  t.notOk(check(raw, EXPORTER, RELAY_CARD, CONNECTOR_CARD), 'cards exchanged');
  t.end();
});

t.test('every bit of a signature counts', (t) => {
  const { privateKey, raw } = connectorKeys();
  const { privateKey: relayKey, spki } = relayKeys();
  const ours = signAsConnector(privateKey, EXPORTER, CONNECTOR_CARD, RELAY_CARD);
  const theirs = signAsRelay(relayKey, EXPORTER, RELAY_CARD);
  for (let bit = 0; bit < ours.length * 8; bit += 1)
    t.notOk(isSignedByConnector(flipped(ours, bit), raw, EXPORTER, CONNECTOR_CARD, RELAY_CARD));
  for (let bit = 0; bit < theirs.length * 8; bit += 1)
    t.notOk(isSignedByRelay(flipped(theirs, bit), spki, EXPORTER, RELAY_CARD));
  t.end();
});

t.test('keys and signatures that cannot be read are wrong ones', (t) => {
  const random = seededRandom(t);
  for (let round = 0; round < 200; round += 1) {
    const junk = random.bytes(round);
    t.notOk(isSignedByRelay(junk, junk, EXPORTER, RELAY_CARD));
    t.notOk(isSignedByConnector(junk, random.bytes(32), EXPORTER, CONNECTOR_CARD, RELAY_CARD));
  }
  t.notOk(
    isSignedByConnector(Buffer.alloc(64), Buffer.alloc(32), EXPORTER, CONNECTOR_CARD, RELAY_CARD),
    'a low point',
  );
  t.throws(() =>
    isSignedByConnector(Buffer.alloc(64), Buffer.alloc(31), EXPORTER, CONNECTOR_CARD, RELAY_CARD),
  );
  t.throws(
    () => signAsRelay(relayKeys().privateKey, Buffer.alloc(31), RELAY_CARD),
    'an exporter of another length',
  );
  t.end();
});

t.test('the data key of a resumed connection is HKDF-SHA256 of its resumption secret', (t) => {
  const secret = Buffer.alloc(32, 7);
  const expected = hkdfSync('sha256', secret, Buffer.alloc(0), 'secure-telnet/1 data resumed', 32);
  t.same(Buffer.from(resumedDataKey(secret)), Buffer.from(expected));
  t.throws(() => resumedDataKey(Buffer.alloc(31)));
  t.end();
});

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3] ^= 1 << (bit & 7);
  return copy;
}
